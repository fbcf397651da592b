//! SRTP and SRTCP (RFC 3711, RFC 6188, RFC 7714): packets are sealed and opened where they lie.
//!
//! Knows master keys and octets; where the keys come from (a description, a handshake) is another's matter. The key derivation rate is 0,
//! as everybody's is. State for a stream is made only once a packet of it has proved genuine.

mod cipher;
mod derivation;
mod streams;

use pbx_media_words::MasterKey;
use thiserror::Error;

use crate::rtp::Header;
use crate::srtp::cipher::Cipher;
use crate::srtp::streams::Streams;

/// Octets that sealing adds at most: an authentication tag, and the index of SRTCP.
pub const ADDED: usize = 16 + 4;

/// Keys that cannot be: their length is not that of their suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a master key that is not as long as its suite asks for")]
pub struct KeyError;

/// Where the encrypted part of an RTCP packet begins: behind its first header and SSRC.
const RTCP_CLEAR: usize = 8;

/// The index of an SRTCP packet, with the bit that says that it is encrypted.
const RTCP_INDEX: usize = 4;
const ENCRYPTED: u32 = 1 << 31;

/// What is sent to one peer.
pub struct Sealing {
    key: MasterKey,
    rtp: Cipher,
    rtcp: Cipher,
    streams: Streams,
    rtcp_index: u32,
}

impl Sealing {
    /// Begins with a key of ours: every stream at roll-over 0.
    pub fn new(key: &MasterKey) -> Result<Sealing, KeyError> {
        let (rtp, rtcp) = derivation::ciphers(key)?;
        Ok(Sealing { key: key.clone(), rtp, rtcp, streams: Streams::default(), rtcp_index: 0 })
    }

    /// Is it this key that it seals with?
    pub fn is_by(&self, key: &MasterKey) -> bool {
        self.key == *key
    }

    /// Seals the RTP packet in the first `length` octets of `buffer`. Its length then; `None` if it is no packet, or there is no room.
    pub fn rtp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        let header = Header::read(buffer.get(..length)?)?;
        let index = self.streams.index(header.ssrc, header.sequence)?;
        let sealed = self.rtp.seal(buffer, header.payload_at, length, header.ssrc, index)?;
        self.streams.count(header.ssrc, index);
        Some(sealed)
    }

    /// The same for a compound of RTCP.
    pub fn rtcp(&mut self, buffer: &mut [u8], length: usize) -> Option<usize> {
        let ssrc = ssrc_of_rtcp(buffer.get(..length)?)?;
        // 31 bits; a key is changed long before they are used up (RFC 3711 3.4).
        self.rtcp_index = self.rtcp_index.checked_add(1).filter(|index| *index < ENCRYPTED)?;
        self.rtcp.seal_rtcp(buffer, length, ssrc, self.rtcp_index | ENCRYPTED)
    }
}

/// What comes from one peer.
pub struct Opening {
    key: MasterKey,
    rtp: Cipher,
    rtcp: Cipher,
    streams: Streams,
    rtcp_streams: Streams,
}

impl Opening {
    /// Begins with the peer's key.
    pub fn new(key: &MasterKey) -> Result<Opening, KeyError> {
        let (rtp, rtcp) = derivation::ciphers(key)?;
        Ok(Opening { key: key.clone(), rtp, rtcp, streams: Streams::default(), rtcp_streams: Streams::default() })
    }

    /// Is it this key that it opens with?
    pub fn is_by(&self, key: &MasterKey) -> bool {
        self.key == *key
    }

    /// Opens an SRTP packet. The length of the RTP packet that then lies there; `None` if it is none of the peer's, or came before.
    pub fn rtp(&mut self, packet: &mut [u8]) -> Option<usize> {
        let header = Header::read(packet)?;
        let index = self.streams.index(header.ssrc, header.sequence)?;
        if self.streams.is_known(header.ssrc, index) {
            return None;
        }
        let opened = self.rtp.open(packet, header.payload_at, header.ssrc, index, usize::from(self.key.mki_octets))?;
        self.streams.count(header.ssrc, index).then_some(opened)
    }

    /// The same for a compound of RTCP.
    pub fn rtcp(&mut self, packet: &mut [u8]) -> Option<usize> {
        let ssrc = ssrc_of_rtcp(packet)?;
        let (opened, index) = self.rtcp.open_rtcp(packet, ssrc, usize::from(self.key.mki_octets), |index| {
            !self.rtcp_streams.is_known(ssrc, u64::from(index))
        })?;
        self.rtcp_streams.count(ssrc, u64::from(index)).then_some(opened)
    }

    /// Would it open? Nothing is remembered of it: this is how a peer is recognised before its address is known.
    pub fn is_genuine(&self, packet: &[u8], is_rtcp: bool) -> bool {
        let mut copy = [0; 2048];
        let Some(copy) = copy.get_mut(..packet.len()) else { return false };
        copy.copy_from_slice(packet);
        let mki_octets = usize::from(self.key.mki_octets);
        if is_rtcp {
            return ssrc_of_rtcp(copy).is_some_and(|ssrc| self.rtcp.open_rtcp(copy, ssrc, mki_octets, |_| true).is_some());
        }
        let index = |header: Header| self.streams.index(header.ssrc, header.sequence).map(|index| (header, index));
        Header::read(packet)
            .and_then(index)
            .is_some_and(|(header, index)| self.rtp.open(copy, header.payload_at, header.ssrc, index, mki_octets).is_some())
    }
}

fn ssrc_of_rtcp(packet: &[u8]) -> Option<u32> {
    let [_, _, _, _, ssrc @ ..] = *packet.first_chunk::<RTCP_CLEAR>()?;
    Some(u32::from_be_bytes(ssrc))
}

#[cfg(test)]
mod tests;
