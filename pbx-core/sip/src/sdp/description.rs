//! What a peer's SDP says, as far as a telephone call needs it.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::sdp::Crypto;

/// A description that no call can be built on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SdpError {
    /// Not SDP: 400.
    #[error("malformed session description")]
    Malformed,
    /// No audio over RTP in it: 488.
    #[error("no audio stream that can be relayed")]
    NoAudio,
    /// An address that is a name, or more streams or formats than anybody needs: 488.
    #[error("an address or a number of streams that cannot be used")]
    Unusable,
    /// No format both sides know: 488.
    #[error("no format in common")]
    NoFormat,
}

/// Who sends, as the side that wrote it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Both.
    #[default]
    SendRecv,
    /// The writer alone: the other side is on hold.
    SendOnly,
    /// The other side alone.
    RecvOnly,
    /// Nobody.
    Inactive,
}

impl Direction {
    /// As an attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::SendRecv => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::RecvOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// Does the writer send?
    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// Does the writer listen?
    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }

    /// The same seen from the other side: the answer to an offer of this direction (RFC 3264 6.1).
    pub fn mirrored(self) -> Direction {
        Direction::from_parts(self.receives(), self.sends())
    }

    /// From who sends and who listens.
    pub fn from_parts(sends: bool, receives: bool) -> Direction {
        match (sends, receives) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        }
    }
}

/// One payload type of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    /// 0 to 127.
    pub number: u8,
    /// Upper case: `PCMA`, `OPUS`, `TELEPHONE-EVENT`.
    pub encoding: String,
    /// Hz.
    pub clock_hz: u32,
    /// `2` of `opus/48000/2`.
    pub channels: Option<u8>,
    /// `0-15`, `useinbandfec=1`: as it came.
    pub parameters: Option<String>,
}

impl Format {
    /// The same sound under whatever number.
    pub fn same_encoding(&self, other: &Format) -> bool {
        self.encoding == other.encoding
            && self.clock_hz == other.clock_hz
            && self.channels.unwrap_or(1) == other.channels.unwrap_or(1)
    }

    /// Digits and noise go beside a codec and are none (RFC 4733, RFC 3389).
    pub fn is_codec(&self) -> bool {
        !matches!(self.encoding.as_str(), "TELEPHONE-EVENT" | "CN")
    }
}

/// One `m=` line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// `audio`, `video`, `image`, and how, and with which formats: enough to refuse it.
    pub line: (String, String, String),
}

/// Whether a stream is to be protected, by the profile of its `m=` line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Profile {
    /// `RTP/AVP`: plain, or protected if both sides name keys (RFC 8643).
    #[default]
    Avp,
    /// `RTP/AVPF`: the same; feedback (RFC 4585) is not sent by us.
    Avpf,
    /// `RTP/SAVP`: protected (RFC 3711).
    Savp,
    /// `RTP/SAVPF`: protected (RFC 5124).
    Savpf,
}

impl Profile {
    const ALL: [Profile; 4] = [Profile::Avp, Profile::Avpf, Profile::Savp, Profile::Savpf];

    /// As an `m=` line names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Profile::Avp => "RTP/AVP",
            Profile::Avpf => "RTP/AVPF",
            Profile::Savp => "RTP/SAVP",
            Profile::Savpf => "RTP/SAVPF",
        }
    }

    /// Is nothing plain taken?
    pub fn is_protected(self) -> bool {
        matches!(self, Profile::Savp | Profile::Savpf)
    }
}

/// A peer's description.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Where it listens for RTP.
    pub rtp: SocketAddr,
    /// Where it listens for RTCP: `a=rtcp` (RFC 3605), else the next port.
    pub rtcp: SocketAddr,
    /// What it says about who sends; `c=0.0.0.0` says that it does not listen.
    pub direction: Direction,
    /// In its order of preference.
    pub formats: Vec<Format>,
    /// Milliseconds of sound in a packet, if it wishes one.
    pub ptime_ms: Option<u32>,
    /// Whether it is to be protected.
    pub profile: Profile,
    /// The keys of what it will send, in its order of preference.
    pub crypto: Vec<Crypto>,
    /// Every `m=` line in order.
    pub streams: Vec<Stream>,
    /// Which of them is the audio that the fields above describe.
    pub audio: usize,
}

/// `m=` lines, and formats of one, that are read.
const MAX_STREAMS: usize = 16;
const MAX_FORMATS: usize = 48;

/// Keys of one stream that are read.
const MAX_CRYPTO: usize = 16;

impl Description {
    /// Reads SDP. Octets of other alphabets (a session name in Latin-1) are no reason to refuse a call.
    pub fn parse(octets: &[u8]) -> Result<Description, SdpError> {
        let clean: Vec<u8> = octets.iter().map(|&byte| if byte >= 0x80 || byte == 0 { b'?' } else { byte }).collect();
        let session = sdp_types::Session::parse(&clean).map_err(|_| SdpError::Malformed)?;
        if session.medias.len() > MAX_STREAMS {
            return Err(SdpError::Unusable);
        }
        let (audio, profile, crypto) =
            session.medias.iter().enumerate().find_map(|(place, media)| audio(place, media)).ok_or(SdpError::NoAudio)?;
        let media = &session.medias[audio];
        let connection = media.connections.first().or(session.connection.as_ref()).ok_or(SdpError::Unusable)?;
        let address = connection.connection_address.split('/').next().unwrap_or_default();
        let address: IpAddr = address.parse().map_err(|_| SdpError::Unusable)?;
        let attribute = |name: &str| {
            media.attributes.iter().find(|found| found.attribute == name).map(|found| found.value.as_deref().unwrap_or(""))
        };
        let said = |name: &str| attribute(name).is_some() || session.attributes.iter().any(|found| found.attribute == name);
        let in_stream = DIRECTIONS.into_iter().find(|direction| attribute(direction.as_str()).is_some());
        let direction = in_stream.or_else(|| DIRECTIONS.into_iter().find(|direction| said(direction.as_str()))).unwrap_or_default();
        // The hold of RFC 2543: nobody is listening there.
        let direction = if address.is_unspecified() { Direction::from_parts(direction.sends(), false) } else { direction };
        let rtp = SocketAddr::new(address, media.port);
        let rtcp = attribute("rtcp")
            .and_then(|value| rtcp(value, address))
            .unwrap_or(SocketAddr::new(address, media.port.saturating_add(1)));
        let formats = formats(media);
        if !formats.iter().any(Format::is_codec) {
            return Err(SdpError::NoFormat);
        }
        let ptime_ms = attribute("ptime").and_then(|value| value.trim().parse().ok());
        let streams = session
            .medias
            .iter()
            .map(|media| Stream { line: (media.media.clone(), media.proto.clone(), media.fmt.clone()) })
            .collect();
        Ok(Description { rtp, rtcp, direction, formats, ptime_ms, profile, crypto, streams, audio })
    }
}

const DIRECTIONS: [Direction; 4] = [Direction::SendOnly, Direction::RecvOnly, Direction::Inactive, Direction::SendRecv];

/// Is it sound that can be relayed? Then where it stands, and how it is to be protected. One that must be protected and names no key
/// that can be read cannot; behind it may stand another that can.
fn audio(place: usize, media: &sdp_types::Media) -> Option<(usize, Profile, Vec<Crypto>)> {
    let profile = Profile::ALL.into_iter().find(|profile| profile.as_str() == media.proto)?;
    if media.media != "audio" || media.port == 0 {
        return None;
    }
    let named = media.attributes.iter().filter(|found| found.attribute == "crypto").filter_map(|found| found.value.as_deref());
    let crypto: Vec<Crypto> = named.filter_map(Crypto::parse).take(MAX_CRYPTO).collect();
    (!profile.is_protected() || !crypto.is_empty()).then_some((place, profile, crypto))
}

/// `53020` or `53020 IN IP4 192.0.2.1`
fn rtcp(value: &str, address: IpAddr) -> Option<SocketAddr> {
    let mut words = value.split_ascii_whitespace();
    let port = words.next()?.parse().ok()?;
    Some(SocketAddr::new(words.nth(2).and_then(|word| word.parse().ok()).unwrap_or(address), port))
}

fn formats(media: &sdp_types::Media) -> Vec<Format> {
    let of = |name: &str, number: u8| {
        media.attributes.iter().filter(|found| found.attribute == name).find_map(|found| {
            let (head, rest) = found.value.as_deref()?.trim().split_once(' ')?;
            (head.parse::<u8>().ok()? == number).then(|| rest.trim().to_owned())
        })
    };
    let mut found: Vec<Format> = Vec::new();
    for number in media
        .fmt
        .split_ascii_whitespace()
        .take(MAX_FORMATS)
        .filter_map(|word| word.parse::<u8>().ok())
        .filter(|number| *number < 128)
    {
        if found.iter().any(|format| format.number == number) {
            continue;
        }
        let (encoding, clock_hz, channels) = match of("rtpmap", number).as_deref().and_then(rtpmap).or_else(|| fixed(number)) {
            Some(known) => known,
            None => continue,
        };
        found.push(Format { number, encoding, clock_hz, channels, parameters: of("fmtp", number) });
    }
    found
}

/// `opus/48000/2`
fn rtpmap(value: &str) -> Option<(String, u32, Option<u8>)> {
    let mut parts = value.split('/');
    let encoding = parts.next()?.trim().to_ascii_uppercase();
    let clock_hz = parts.next()?.trim().parse().ok().filter(|clock| *clock > 0)?;
    let channels = parts.next().and_then(|channels| channels.trim().parse().ok());
    (!encoding.is_empty() && encoding.len() <= 32).then_some((encoding, clock_hz, channels))
}

/// The numbers of RFC 3551 table 4 that are spoken on telephones and need no rtpmap.
fn fixed(number: u8) -> Option<(String, u32, Option<u8>)> {
    let name = match number {
        0 => "PCMU",
        3 => "GSM",
        4 => "G723",
        8 => "PCMA",
        9 => "G722",
        13 => "CN",
        15 => "G728",
        18 => "G729",
        _ => return None,
    };
    Some((name.to_owned(), 8000, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Description, SdpError> {
        Description::parse(text.replace('\n', "\r\n").as_bytes())
    }

    const PHONE: &str = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=audio 4000 RTP/AVP 8 96 101\na=rtpmap:96 opus/48000/2\na=fmtp:96 useinbandfec=1\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\na=ptime:20\n";

    #[test]
    fn a_phone_is_understood() {
        let phone = parse(PHONE).unwrap();
        assert_eq!((phone.rtp, phone.rtcp), ("192.0.2.1:4000".parse().unwrap(), "192.0.2.1:4001".parse().unwrap()));
        let names: Vec<_> = phone
            .formats
            .iter()
            .map(|format| (format.number, format.encoding.as_str(), format.clock_hz, format.channels))
            .collect();
        assert_eq!(names, [(8, "PCMA", 8000, None), (96, "OPUS", 48_000, Some(2)), (101, "TELEPHONE-EVENT", 8000, None)]);
        assert_eq!(phone.formats[1].parameters.as_deref(), Some("useinbandfec=1"));
        assert_eq!((phone.direction, phone.ptime_ms), (Direction::SendRecv, Some(20)));
    }

    #[test]
    fn hold_in_each_of_its_forms() {
        for (attribute, direction) in
            [("sendonly", Direction::SendOnly), ("inactive", Direction::Inactive), ("recvonly", Direction::RecvOnly)]
        {
            assert_eq!(parse(&format!("{PHONE}a={attribute}\n")).unwrap().direction, direction);
            let session = PHONE.replace("t=0 0\n", &format!("t=0 0\na={attribute}\n"));
            assert_eq!(parse(&session).unwrap().direction, direction);
        }
        assert_eq!(parse(&PHONE.replace("c=IN IP4 192.0.2.1", "c=IN IP4 0.0.0.0")).unwrap().direction, Direction::SendOnly);
    }

    #[test]
    fn keys_are_read_and_what_must_be_protected_says_so() {
        let key = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd|2^20\n";
        let offered = parse(&format!("{PHONE}{key}")).unwrap();
        assert_eq!((offered.profile, offered.crypto.len()), (Profile::Avp, 1));
        let demanded = parse(&format!("{PHONE}{key}").replace("RTP/AVP", "RTP/SAVP")).unwrap();
        assert_eq!((demanded.profile, demanded.crypto[0].octets.len()), (Profile::Savp, 30));
        // A stream that must be protected by no key that we can read, and the same sound plain.
        let either = PHONE.replace("m=audio 4000", "m=audio 3000 RTP/SAVP 8\na=crypto:1 UNKNOWN x\nm=audio 4000");
        let plain = parse(&either).unwrap();
        assert_eq!((plain.rtp.port(), plain.audio, plain.streams.len()), (4000, 1, 2));
    }

    #[test]
    fn what_phones_write_and_what_cannot_be_relayed() {
        assert!(Description::parse(PHONE.replace("s=-", "s=Caf\u{e9}").as_bytes()).is_ok(), "LF alone and other alphabets");
        let v6 =
            PHONE.replace("c=IN IP4 192.0.2.1", "c=IN IP6 2001:db8::1").replace("a=ptime:20", "a=rtcp:5000 IN IP6 2001:db8::2");
        assert_eq!(parse(&v6).unwrap().rtcp, "[2001:db8::2]:5000".parse().unwrap());
        assert_eq!(parse(&PHONE.replace("RTP/AVP", "RTP/SAVP")), Err(SdpError::NoAudio), "protected, by no key");
        assert_eq!(parse(&PHONE.replace("m=audio", "m=video")), Err(SdpError::NoAudio));
        assert_eq!(parse(&PHONE.replace("8 96 101", "101")), Err(SdpError::NoFormat));
        assert_eq!(parse("hello"), Err(SdpError::Malformed));
        assert_eq!(parse(&PHONE.replace("c=IN IP4 192.0.2.1", "c=IN IP4 phone.example")), Err(SdpError::Unusable));
    }
}
