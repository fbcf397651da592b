//! Our own side of an offer or an answer.

use std::fmt::Write;
use std::net::IpAddr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::sdp::{Crypto, Description, Direction, Format, Profile, Stream};

/// Our side of one session. The version rises with every description that differs from the one before (RFC 3264 8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Local {
    /// Where we listen.
    pub address: IpAddr,
    /// RTP; RTCP is on the next port.
    pub rtp: u16,
    /// `o=` session id.
    pub session: u64,
    /// `o=` session version, of the last description written.
    pub version: u64,
    /// Keys of ours, one for each suite that we offer or have answered with.
    pub crypto: Vec<Crypto>,
    /// That of them which was agreed on, under the tag of the offer.
    pub agreed_crypto: Option<Crypto>,
    /// We offer nothing plain.
    pub must_protect: bool,
    /// What was written last, without its `o=` line.
    written: String,
}

impl Local {
    /// A session that nothing was said of yet.
    pub fn new(address: IpAddr, rtp: u16, session: u64) -> Local {
        Local {
            address,
            rtp,
            session,
            version: session,
            crypto: Vec::new(),
            agreed_crypto: None,
            must_protect: false,
            written: String::new(),
        }
    }

    /// It listens at another address from now on; what is said next is new. True if something was said before.
    pub fn moved(&mut self, address: IpAddr) -> bool {
        self.address = address;
        !std::mem::take(&mut self.written).is_empty()
    }

    /// An offer of one audio stream, with the keys that we have.
    pub fn offer(&mut self, formats: &[Format], direction: Direction, ptime_ms: Option<u32>) -> Bytes {
        let profile = if self.must_protect { Profile::Savp } else { Profile::Avp };
        let audio = self.audio((profile, &self.crypto), formats, direction, ptime_ms);
        self.write(&audio)
    }

    /// An answer: the audio stream with the formats and the key agreed on, every other stream of the offer refused in its place
    /// (RFC 3264 6).
    pub fn answer(&mut self, offer: &Description, formats: &[Format], direction: Direction) -> Bytes {
        let mut streams = String::new();
        for (place, Stream { line: (media, proto, fmt) }) in offer.streams.iter().enumerate() {
            if place == offer.audio {
                let protection = (offer.profile, self.agreed_crypto.as_slice());
                streams.push_str(&self.audio(protection, formats, direction, offer.ptime_ms));
            } else {
                let _ = write!(streams, "m={media} 0 {proto} {fmt}\r\n");
            }
        }
        self.write(&streams)
    }

    fn audio(
        &self,
        (profile, crypto): (Profile, &[Crypto]),
        formats: &[Format],
        direction: Direction,
        ptime_ms: Option<u32>,
    ) -> String {
        let mut text = format!("m=audio {} {}", self.rtp, profile.as_str());
        for format in formats {
            let _ = write!(text, " {}", format.number);
        }
        text.push_str("\r\n");
        for format in formats {
            let encoding = match format.encoding.as_str() {
                // As their registrations spell them; some phones compare with regard to case.
                "OPUS" => "opus",
                "TELEPHONE-EVENT" => "telephone-event",
                other => other,
            };
            let _ = write!(text, "a=rtpmap:{} {encoding}/{}", format.number, format.clock_hz);
            if let Some(channels) = format.channels {
                let _ = write!(text, "/{channels}");
            }
            text.push_str("\r\n");
            if let Some(parameters) = &format.parameters {
                let _ = write!(text, "a=fmtp:{} {parameters}\r\n", format.number);
            }
        }
        for crypto in crypto {
            let _ = write!(text, "a=crypto:{crypto}\r\n");
        }
        if let Some(ptime_ms) = ptime_ms {
            let _ = write!(text, "a=ptime:{ptime_ms}\r\n");
        }
        let _ = write!(text, "a={}\r\n", direction.as_str());
        text
    }

    fn write(&mut self, streams: &str) -> Bytes {
        if self.written != streams {
            self.version += 1;
            self.written = streams.to_owned();
        }
        let kind = if self.address.is_ipv6() { "IP6" } else { "IP4" };
        let Local { address, session, version, .. } = self;
        format!("v=0\r\no=- {session} {version} IN {kind} {address}\r\ns=-\r\nc=IN {kind} {address}\r\nt=0 0\r\n{streams}").into()
    }
}

/// The formats of an offer that the other side took too, under the numbers and in the order of the offer.
pub fn agreed(offered: &[Format], taken: &[Format]) -> Vec<Format> {
    let found: Vec<Format> =
        offered.iter().filter(|format| taken.iter().any(|other| format.same_encoding(other))).cloned().collect();
    if found.iter().any(Format::is_codec) { found } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> Description {
        Description::parse(text.replace('\n', "\r\n").as_bytes()).unwrap()
    }

    const OFFER: &str = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\nm=video 5000 RTP/AVP 99\na=rtpmap:99 H264/90000\nm=audio 4000 RTP/AVP 96 8 101\na=rtpmap:96 opus/48000/2\na=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\n";

    #[test]
    fn an_answer_keeps_the_offers_numbers_and_refuses_other_streams_in_place() {
        let offer = peer(OFFER);
        let taken = peer(
            "v=0\no=- 1 1 IN IP4 192.0.2.2\ns=-\nc=IN IP4 192.0.2.2\nt=0 0\nm=audio 6000 RTP/AVP 8 97\na=rtpmap:97 telephone-event/8000\n",
        );
        let formats = agreed(&offer.formats, &taken.formats);
        assert_eq!(formats.iter().map(|format| format.number).collect::<Vec<_>>(), [8, 101]);
        let mut local = Local::new("192.0.2.9".parse().unwrap(), 7000, 5);
        let answer = local.answer(&offer, &formats, Direction::SendRecv);
        let text = String::from_utf8(answer.to_vec()).unwrap();
        assert!(text.contains("m=video 0 RTP/AVP 99\r\nm=audio 7000 RTP/AVP 8 101\r\n"), "{text}");
        let read = Description::parse(&answer).unwrap();
        assert_eq!((read.rtp, read.formats), ("192.0.2.9:7000".parse().unwrap(), formats));
    }

    #[test]
    fn the_version_rises_with_each_change_and_only_then() {
        let offer = peer(OFFER);
        let mut local = Local::new("192.0.2.9".parse().unwrap(), 7000, 5);
        let first = local.offer(&offer.formats, Direction::SendRecv, None);
        assert_eq!(local.offer(&offer.formats, Direction::SendRecv, None), first);
        let version = local.version;
        local.offer(&offer.formats, Direction::SendOnly, None);
        assert_eq!(local.version, version + 1);
    }

    #[test]
    fn keys_stand_in_offers_and_in_answers_that_took_one() {
        let key =
            |tag: u32, octet: u8| Crypto { tag, suite: "AES_CM_128_HMAC_SHA1_80".into(), octets: vec![octet; 30], mki_octets: 0 };
        let formats = peer(OFFER).formats;
        let mut local = Local::new("192.0.2.9".parse().unwrap(), 7000, 5);
        (local.crypto, local.must_protect) = (vec![key(1, 7), key(2, 8)], true);
        let offer = Description::parse(&local.offer(&formats, Direction::SendRecv, None)).unwrap();
        assert_eq!((offer.profile, &offer.crypto), (Profile::Savp, &local.crypto));
        let mut answering = Local::new("192.0.2.10".parse().unwrap(), 8000, 6);
        answering.agreed_crypto = Some(key(2, 9));
        let answer = Description::parse(&answering.answer(&offer, &formats, Direction::SendRecv)).unwrap();
        assert_eq!((answer.profile, answer.crypto), (Profile::Savp, vec![key(2, 9)]));
    }

    #[test]
    fn digits_alone_are_no_agreement() {
        let offer = peer(OFFER);
        assert!(agreed(&offer.formats, &offer.formats[2..]).is_empty());
    }
}
