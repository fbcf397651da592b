#![forbid(unsafe_code)]
//! What control and media say to each other: plain data, nothing shared. Commands go in, events come out.
//! Media knows legs and ports; it knows neither SDP nor calls.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One party's dialog and media; drawn by the switch, never used twice in the life of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LegKey(pub u64);

/// Two UDP ports on one address: RTP on the even one, RTCP on the odd one after it (RFC 3550 11).
/// An unspecified address means: every address of the machine; the SDP then names the one the phone reached us by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PortPair {
    /// Where the sockets are bound.
    pub address: IpAddr,
    /// The even port; RTCP is on `rtp + 1`.
    pub rtp: u16,
}

/// Where a peer said in its SDP that it listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remote {
    /// From `c=` and `m=`.
    pub rtp: SocketAddr,
    /// From `a=rtcp:`, else `rtp` with the next port.
    pub rtcp: SocketAddr,
}

/// Who sends, seen from us: RFC 3264's direction of our side of the leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// We send, they do not (we have put them on hold).
    SendOnly,
    /// They send, we do not (they have put us on hold).
    RecvOnly,
    /// Nobody sends.
    Inactive,
}

impl Direction {
    /// May we send to this peer?
    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }
    /// May this peer send to us?
    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }
}

/// One line of the negotiated media: an RTP payload type number and what it carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// 0 to 127.
    pub number: u8,
    /// Encoding name of `a=rtpmap`, upper case: `PCMA`, `OPUS`, `TELEPHONE-EVENT`.
    pub encoding: String,
    /// RTP clock in Hz.
    pub clock_hz: u32,
}

/// How packets are protected: cipher and authentication of SRTP, by the names of RFC 4568 6.2, RFC 6188 6 and RFC 7714 14.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Suite {
    /// AES-128 in counter mode, tags of 80 bits: what everybody can.
    AesCm128HmacSha1_80,
    /// The same with tags of 32 bits for sound.
    AesCm128HmacSha1_32,
    /// AES-256 in counter mode.
    AesCm256HmacSha1_80,
    /// AES-128-GCM.
    AeadAes128Gcm,
    /// AES-256-GCM.
    AeadAes256Gcm,
}

impl Suite {
    /// Every one.
    pub const ALL: [Suite; 5] = [
        Suite::AesCm128HmacSha1_80,
        Suite::AesCm128HmacSha1_32,
        Suite::AesCm256HmacSha1_80,
        Suite::AeadAes128Gcm,
        Suite::AeadAes256Gcm,
    ];

    /// As `a=crypto` writes it.
    pub fn name(self) -> &'static str {
        match self {
            Suite::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Suite::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Suite::AesCm256HmacSha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Suite::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Suite::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// Octets of a master key.
    pub fn key_octets(self) -> usize {
        match self {
            Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32 | Suite::AeadAes128Gcm => 16,
            Suite::AesCm256HmacSha1_80 | Suite::AeadAes256Gcm => 32,
        }
    }

    /// Octets of a master salt.
    pub fn salt_octets(self) -> usize {
        match self {
            Suite::AesCm128HmacSha1_80 | Suite::AesCm128HmacSha1_32 | Suite::AesCm256HmacSha1_80 => 14,
            Suite::AeadAes128Gcm | Suite::AeadAes256Gcm => 12,
        }
    }
}

/// The key of one direction of a leg's media. It never shows itself.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasterKey {
    /// For what.
    pub suite: Suite,
    /// Key, then salt.
    pub octets: Vec<u8>,
    /// Octets of the identifier that each packet bears, 0 for none (RFC 3711 3.1).
    pub mki_octets: u8,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({}, ..)", self.suite.name())
    }
}

/// The keys of a leg whose media is protected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// Of what we send.
    pub ours: MasterKey,
    /// Of what the peer sends.
    pub theirs: MasterKey,
}

/// What one leg is to do; each `Expect` replaces the one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Take this pair for this leg: one that was reported free, or that a leg had in the process before this one. If it cannot be had,
    /// the answer is `Closed`.
    Open {
        /// Whose.
        leg: LegKey,
        /// Which sockets.
        ports: PortPair,
    },
    /// What the peer's SDP promised: where it listens, who may send, and which payload types mean what. Opens the latch: the first
    /// sane packet fixes the peer's real address, and from then on nobody else's packets are taken until the next `Expect` that names
    /// another address.
    Expect {
        /// Whose.
        leg: LegKey,
        /// Announced addresses.
        remote: Remote,
        /// Our side's direction.
        direction: Direction,
        /// What was negotiated, both ways, in the order of preference.
        payloads: Vec<Payload>,
        /// Of media that is protected; without them it is plain, and what is plain is refused with them. A key that is the same as before
        /// goes on as it is.
        keys: Option<Keys>,
    },
    /// Let these two hear each other, until `Split` or `Close`.
    Join {
        /// The earlier leg.
        leg: LegKey,
        /// The later leg.
        with: LegKey,
    },
    /// Nobody hears this leg any more.
    Split {
        /// Whose; its partner is split with it.
        leg: LegKey,
    },
    /// Give the ports back; answered with `Closed`. The pair rests 60 s before it is reported free again.
    Close {
        /// Whose.
        leg: LegKey,
    },
}

/// What media tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// These pairs are bound and may be handed out.
    PortsFree(Vec<PortPair>),
    /// The peer's packets come from here.
    Latched {
        /// Whose.
        leg: LegKey,
        /// Real source of its RTP.
        remote: SocketAddr,
    },
    /// Nothing has come from this peer, though it may send, for this long. Said once per silence.
    Silent {
        /// Whose.
        leg: LegKey,
        /// How long.
        lasting: Duration,
    },
    /// A key was pressed (RFC 4733), once per press.
    Digit {
        /// Whose.
        leg: LegKey,
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
    },
    /// Every 5 s while the leg is open.
    Figures {
        /// Whose.
        leg: LegKey,
        /// So far.
        figures: Figures,
    },
    /// The leg is closed, or never was open; its last figures.
    Closed {
        /// Whose.
        leg: LegKey,
        /// At the end.
        figures: Figures,
    },
}

/// Counted for one leg, from what its peer sent us and what we sent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// RTP packets received and accepted.
    pub packets_received: u64,
    /// RTP packets sent.
    pub packets_sent: u64,
    /// Expected by sequence number and not received (RFC 3550 A.3), never below 0.
    pub packets_lost: u64,
    /// Datagrams refused: wrong source, no RTP, unknown payload.
    pub packets_refused: u64,
    /// Interarrival jitter in microseconds, RFC 3550 A.8.
    pub jitter_us: u32,
    /// What the peer says of what we sent it, in its RTCP reports; none before the first.
    #[serde(default)]
    pub reported: Option<Reported>,
}

impl Figures {
    /// What a person would notice of them: what was lost, delays in whole milliseconds.
    pub fn coarse(&self) -> impl PartialEq + use<> {
        let of_peer =
            |reported: Reported| (reported.packets_lost, reported.jitter_us / 1000, reported.round_trip_us.map(|us| us / 1000));
        (self.packets_received > 0, self.packets_lost, self.jitter_us / 1000, self.reported.map(of_peer))
    }
}

/// What a peer has reported of what we sent it (RFC 3550 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// Sent when it reported.
    pub packets_sent: u64,
    /// Of those, lost on the way to it. What had been lost before it reached us is not counted.
    pub packets_lost: u64,
    /// Interarrival jitter in microseconds, as it measures it.
    pub jitter_us: u32,
    /// To it and back in microseconds, smoothed over the call (each new one weighs an eighth); none if it answers no report of ours.
    pub round_trip_us: Option<u32>,
}
