//! One packet with session keys: AES in counter mode with HMAC-SHA1 (RFC 3711 4.1.1, 4.2.1), or AES-GCM (RFC 7714).

use aes::cipher::{InnerIvInit, KeyInit, StreamCipher, StreamCipherCoreWrapper};
use aes::{Aes128, Aes256};
use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ctr::CtrCore;
use ctr::flavors::Ctr128BE;
use hmac::{Hmac, Mac};
use pbx_media_words::Suite;
use sha1::Sha1;
use subtle::ConstantTimeEq;

use crate::srtp::{ENCRYPTED, KeyError, RTCP_CLEAR, RTCP_INDEX};

/// Octets of a tag of SRTCP, also where those of SRTP are 4 (RFC 4568 6.2.2).
const RTCP_TAG: usize = 10;

/// Octets of a tag of GCM.
const GCM_TAG: usize = 16;

/// Session keys of one direction, for RTP or for RTCP.
#[expect(clippy::large_enum_variant, reason = "both are large: the key of the other lies behind a pointer of its own")]
pub enum Cipher {
    /// Encrypted and authenticated each for itself.
    Counter {
        /// Encrypts.
        block: Block,
        /// Keyed and not begun.
        authentication: Hmac<Sha1>,
        salt: [u8; 14],
        /// Octets of a tag of SRTP.
        tag: usize,
    },
    /// Both in one.
    Gcm { key: Box<LessSafeKey>, salt: [u8; 12] },
}

/// A block cipher with its key.
pub enum Block {
    Aes128(Aes128),
    Aes256(Aes256),
}

impl Cipher {
    /// With session keys of the suite's lengths; a salt of GCM is the first 12 octets.
    pub fn new(suite: Suite, key: &[u8], salt: &[u8; 14], authentication: &[u8]) -> Result<Cipher, KeyError> {
        let gcm = |algorithm| {
            let key = Box::new(LessSafeKey::new(UnboundKey::new(algorithm, key).map_err(|_| KeyError)?));
            Ok(Cipher::Gcm { key, salt: *salt.first_chunk().ok_or(KeyError)? })
        };
        let counter = |block, tag| {
            let authentication = Hmac::new_from_slice(authentication).map_err(|_| KeyError)?;
            Ok(Cipher::Counter { block, authentication, salt: *salt, tag })
        };
        let aes_128 = || Aes128::new_from_slice(key).map(Block::Aes128).map_err(|_| KeyError);
        match suite {
            Suite::AesCm128HmacSha1_80 => counter(aes_128()?, 10),
            Suite::AesCm128HmacSha1_32 => counter(aes_128()?, 4),
            Suite::AesCm256HmacSha1_80 => counter(Aes256::new_from_slice(key).map(Block::Aes256).map_err(|_| KeyError)?, 10),
            Suite::AeadAes128Gcm => gcm(&AES_128_GCM),
            Suite::AeadAes256Gcm => gcm(&AES_256_GCM),
        }
    }

    /// Seals what lies in the first `length` octets, encrypted from `clear` on. The length then; `None` if there is no room.
    pub fn seal(&self, buffer: &mut [u8], clear: usize, length: usize, ssrc: u32, index: u64) -> Option<usize> {
        match self {
            Cipher::Counter { block, authentication, salt, tag } => {
                let room = buffer.get_mut(..length + tag)?;
                block.apply(&counter(salt, ssrc, index), room.get_mut(clear..length)?);
                let (packet, place) = room.split_at_mut(length);
                place.copy_from_slice(&authenticate(authentication, packet, &roll_over(index))[..*tag]);
                Some(length + tag)
            }
            Cipher::Gcm { key, salt } => {
                let room = buffer.get_mut(..length + GCM_TAG)?;
                let (header, rest) = room.split_at_mut_checked(clear)?;
                let (content, place) = rest.split_at_mut_checked(length - clear)?;
                let nonce = nonce(salt, ssrc, &index.to_be_bytes()[2..]);
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(header), content).ok()?;
                place.copy_from_slice(tag.as_ref());
                Some(length + GCM_TAG)
            }
        }
    }

    /// Opens a packet that is encrypted from `clear` on and has a master key identifier of so many octets. The length then; `None` if it
    /// is not genuine.
    pub fn open(&self, packet: &mut [u8], clear: usize, ssrc: u32, index: u64, mki_octets: usize) -> Option<usize> {
        match self {
            Cipher::Counter { block, authentication, salt, tag } => {
                let tag_at = packet.len().checked_sub(*tag)?;
                let length = tag_at.checked_sub(mki_octets).filter(|length| *length >= clear)?;
                let (packet, place) = packet.split_at_mut(tag_at);
                let expected = authenticate(authentication, &packet[..length], &roll_over(index));
                if !bool::from(expected[..*tag].ct_eq(place)) {
                    return None;
                }
                block.apply(&counter(salt, ssrc, index), packet.get_mut(clear..length)?);
                Some(length)
            }
            Cipher::Gcm { key, salt } => {
                let end = packet.len().checked_sub(mki_octets)?;
                let length = end.checked_sub(GCM_TAG).filter(|length| *length >= clear)?;
                let (header, rest) = packet.get_mut(..end)?.split_at_mut_checked(clear)?;
                let nonce = nonce(salt, ssrc, &index.to_be_bytes()[2..]);
                open_gcm(key, nonce, header, rest)?;
                Some(length)
            }
        }
    }

    /// Seals a compound of RTCP; `word` is its index with the bit that says that it is encrypted.
    pub fn seal_rtcp(&self, buffer: &mut [u8], length: usize, ssrc: u32, word: u32) -> Option<usize> {
        let index = u64::from(word & !ENCRYPTED);
        match self {
            Cipher::Counter { block, authentication, salt, .. } => {
                let room = buffer.get_mut(..length + RTCP_INDEX + RTCP_TAG)?;
                block.apply(&counter(salt, ssrc, index), room.get_mut(RTCP_CLEAR..length)?);
                let (packet, rest) = room.split_at_mut(length);
                let (index, place) = rest.split_at_mut(RTCP_INDEX);
                index.copy_from_slice(&word.to_be_bytes());
                place.copy_from_slice(&authenticate(authentication, packet, index)[..RTCP_TAG]);
                Some(length + RTCP_INDEX + RTCP_TAG)
            }
            Cipher::Gcm { key, salt } => {
                let room = buffer.get_mut(..length + GCM_TAG + RTCP_INDEX)?;
                let (header, rest) = room.split_at_mut_checked(RTCP_CLEAR)?;
                let (content, rest) = rest.split_at_mut_checked(length - RTCP_CLEAR)?;
                let (place, index) = rest.split_at_mut(GCM_TAG);
                index.copy_from_slice(&word.to_be_bytes());
                let nonce = nonce(salt, ssrc, &rtcp_part(word));
                let tag = key.seal_in_place_separate_tag(nonce, Aad::from(associated(header, index)?), content).ok()?;
                place.copy_from_slice(tag.as_ref());
                Some(length + GCM_TAG + RTCP_INDEX)
            }
        }
    }

    /// Opens a compound of RTCP whose index is one that is taken. Its length then, and its index.
    pub fn open_rtcp(
        &self,
        packet: &mut [u8],
        ssrc: u32,
        mki_octets: usize,
        is_taken: impl Fn(u32) -> bool,
    ) -> Option<(usize, u32)> {
        // The index stands before the identifier, and before the tag where that comes last.
        let behind = mki_octets + if matches!(self, Cipher::Counter { .. }) { RTCP_TAG } else { 0 };
        let index_at = packet.len().checked_sub(behind + RTCP_INDEX).filter(|at| *at >= RTCP_CLEAR)?;
        let word_octets: [u8; RTCP_INDEX] = *packet.get(index_at..)?.first_chunk()?;
        let word = u32::from_be_bytes(word_octets);
        let number = word & !ENCRYPTED;
        // All that is ours is encrypted; what is not is none of the peer's.
        if word & ENCRYPTED == 0 || !is_taken(number) {
            return None;
        }
        let length = match self {
            Cipher::Counter { block, authentication, salt, .. } => {
                let expected = authenticate(authentication, packet.get(..index_at)?, &word_octets);
                let place = packet.get(packet.len() - RTCP_TAG..)?;
                if !bool::from(expected[..RTCP_TAG].ct_eq(place)) {
                    return None;
                }
                block.apply(&counter(salt, ssrc, u64::from(number)), packet.get_mut(RTCP_CLEAR..index_at)?);
                index_at
            }
            Cipher::Gcm { key, salt } => {
                let (header, rest) = packet.get_mut(..index_at)?.split_at_mut_checked(RTCP_CLEAR)?;
                let length = rest.len().checked_sub(GCM_TAG)?;
                open_gcm(key, nonce(salt, ssrc, &rtcp_part(word)), &associated(header, &word_octets)?, rest)?;
                RTCP_CLEAR + length
            }
        };
        Some((length, number))
    }
}

impl Block {
    fn apply(&self, counter: &[u8; 16], octets: &mut [u8]) {
        match self {
            Block::Aes128(aes) => {
                let core = CtrCore::<_, Ctr128BE>::inner_iv_init(aes.clone(), counter.into());
                StreamCipherCoreWrapper::from_core(core).apply_keystream(octets);
            }
            Block::Aes256(aes) => {
                let core = CtrCore::<_, Ctr128BE>::inner_iv_init(aes.clone(), counter.into());
                StreamCipherCoreWrapper::from_core(core).apply_keystream(octets);
            }
        }
    }
}

/// RFC 3711 4.1.1: `(salt << 16) XOR (SSRC << 64) XOR (index << 16)`
fn counter(salt: &[u8; 14], ssrc: u32, index: u64) -> [u8; 16] {
    let salt = salt.iter().fold(0u128, |salt, octet| salt << 8 | u128::from(*octet));
    (salt << 16 ^ u128::from(ssrc) << 64 ^ u128::from(index) << 16).to_be_bytes()
}

/// RFC 7714 8.1, 9.1: two zeros, SSRC, six octets of number; all with the salt.
fn nonce(salt: &[u8; 12], ssrc: u32, number: &[u8]) -> Nonce {
    let mut octets = *salt;
    let (_, rest) = octets.split_at_mut(2);
    let said = ssrc.to_be_bytes();
    rest.iter_mut().zip(said.iter().chain(number)).for_each(|(octet, with)| *octet ^= with);
    Nonce::assume_unique_for_key(octets)
}

/// RFC 7714 9.1: two zeros and the index of SRTCP.
fn rtcp_part(word: u32) -> [u8; 6] {
    let [a, b, c, d] = (word & !ENCRYPTED).to_be_bytes();
    [0, 0, a, b, c, d]
}

/// RFC 7714 9.2: the header and the index are authenticated and not encrypted.
fn associated(header: &[u8], index: &[u8]) -> Option<[u8; RTCP_CLEAR + RTCP_INDEX]> {
    let mut octets = [0; RTCP_CLEAR + RTCP_INDEX];
    octets.get_mut(..RTCP_CLEAR)?.copy_from_slice(header);
    octets.get_mut(RTCP_CLEAR..)?.copy_from_slice(index);
    Some(octets)
}

/// Of SRTP what is authenticated beside the packet (RFC 3711 4.2).
fn roll_over(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

fn authenticate(keyed: &Hmac<Sha1>, packet: &[u8], beside: &[u8]) -> [u8; 20] {
    let mut authentication = keyed.clone();
    authentication.update(packet);
    authentication.update(beside);
    authentication.finalize().into_bytes().into()
}

fn open_gcm(key: &LessSafeKey, nonce: Nonce, associated: &[u8], content_and_tag: &mut [u8]) -> Option<()> {
    key.open_in_place(nonce, Aad::from(associated), content_and_tag).ok().map(drop)
}
