//! Session keys from a master key: RFC 3711 4.3, for 256 bits RFC 6188 3, for GCM RFC 7714 11.

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes256};
use pbx_media_words::MasterKey;

use crate::srtp::KeyError;
use crate::srtp::cipher::Cipher;

/// Labels of RFC 3711 4.3.1 and 4.3.2, for RTP and for RTCP.
const RTP: Labels = Labels { encryption: 0, authentication: 1, salt: 2 };
const RTCP: Labels = Labels { encryption: 3, authentication: 4, salt: 5 };

struct Labels {
    encryption: u8,
    authentication: u8,
    salt: u8,
}

/// Octets of a session key for HMAC-SHA1.
const AUTHENTICATION: usize = 20;

/// The ciphers of a master key, for RTP and for RTCP.
pub fn ciphers(key: &MasterKey) -> Result<(Cipher, Cipher), KeyError> {
    let suite = key.suite;
    if key.octets.len() != suite.key_octets() + suite.salt_octets() {
        return Err(KeyError);
    }
    let (master, master_salt) = key.octets.split_at(suite.key_octets());
    let mut salt = [0; 14];
    // A salt of 12 octets stands where the first 12 of 14 would.
    salt[..master_salt.len()].copy_from_slice(master_salt);
    let cipher = |labels: Labels| {
        let (mut session, mut session_salt, mut authentication) = ([0; 32], [0; 14], [0; AUTHENTICATION]);
        let session = &mut session[..suite.key_octets()];
        derive(master, &salt, labels.encryption, session)?;
        derive(master, &salt, labels.salt, &mut session_salt)?;
        derive(master, &salt, labels.authentication, &mut authentication)?;
        Cipher::new(suite, session, &session_salt, &authentication)
    };
    Ok((cipher(RTP)?, cipher(RTCP)?))
}

/// The key stream of AES in counter mode from where the label stands in the salt.
fn derive(master: &[u8], salt: &[u8; 14], label: u8, into: &mut [u8]) -> Result<(), KeyError> {
    let mut start = [0; 16];
    start[..14].copy_from_slice(salt);
    start[7] ^= label;
    let encrypt: &dyn Fn(&mut [u8; 16]) = match master.len() {
        16 => {
            let aes = Aes128::new_from_slice(master).map_err(|_| KeyError)?;
            &move |block| aes.encrypt_block(block.into())
        }
        _ => {
            let aes = Aes256::new_from_slice(master).map_err(|_| KeyError)?;
            &move |block| aes.encrypt_block(block.into())
        }
    };
    for (number, part) in (0u16..).zip(into.chunks_mut(16)) {
        let mut block = start;
        block[14..].copy_from_slice(&number.to_be_bytes());
        encrypt(&mut block);
        part.copy_from_slice(&block[..part.len()]);
    }
    Ok(())
}
