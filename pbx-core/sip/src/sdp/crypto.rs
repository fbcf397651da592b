//! Keys in a description: `a=crypto`, RFC 4568 9.1.

use std::fmt;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};

/// Phones write the padding or leave it out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// Octets of a key and its salt at most: those of AES-256, with room for what may come.
const MAX_OCTETS: usize = 64;

/// The master key of what its writer sends. It never shows itself but in a description.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crypto {
    /// By which an answer names what it takes.
    pub tag: u32,
    /// As its registration names it: `AES_CM_128_HMAC_SHA1_80`.
    pub suite: String,
    /// Master key, then master salt.
    pub octets: Vec<u8>,
    /// Octets of the identifier that each packet bears, 0 for none.
    pub mki_octets: u8,
}

impl Crypto {
    /// `1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4`; `None` if it asks for what we do not do:
    /// several keys, or a stream that is only partly protected.
    pub fn parse(value: &str) -> Option<Crypto> {
        let mut words = value.split_ascii_whitespace();
        let tag = words.next()?.parse().ok()?;
        let suite = words.next()?.to_owned();
        let inline = words.next()?.strip_prefix("inline:")?;
        // The window of replays is ours to choose; every other parameter changes what is on the wire.
        if inline.contains(';') || words.any(|parameter| !parameter.starts_with("WSH=")) {
            return None;
        }
        let mut parts = inline.split('|');
        let octets = BASE64.decode(parts.next()?).ok().filter(|octets| octets.len() <= MAX_OCTETS)?;
        // A lifetime is one power of two or a number: a call does not last that long. An identifier has a colon.
        let mki = parts.find_map(|part| part.split_once(':'));
        let mki_octets = match mki {
            Some((_, octets)) => octets.parse().ok().filter(|octets| (1..=128).contains(octets))?,
            None => 0,
        };
        Some(Crypto { tag, suite, octets, mki_octets })
    }
}

impl fmt::Display for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} inline:{}", self.tag, self.suite, BASE64.encode(&self.octets))
    }
}

impl fmt::Debug for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crypto({} {}, ..)", self.tag, self.suite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd";

    #[test]
    fn keys_are_read_as_phones_write_them() {
        let read = |rest: &str| Crypto::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}{rest}"));
        for (rest, mki_octets) in [("", 0), ("|2^20", 0), ("|2^20|1:4", 4), ("|1:1", 1), ("|1048576", 0), (" WSH=64", 0)] {
            let crypto = read(rest).unwrap();
            assert_eq!((crypto.octets, crypto.mki_octets), ((0..30).collect::<Vec<u8>>(), mki_octets), "{rest}");
        }
        for rest in [" UNENCRYPTED_SRTP", " KDR=1", &format!(";inline:{KEY}"), "|1:0", "|1:900", "|x:y", "!"] {
            assert_eq!(read(rest), None, "{rest}");
        }
        // AEAD_AES_128_GCM has 28 octets, which need padding; some leave it out.
        let gcm = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw";
        for padding in ["", "=="] {
            assert_eq!(Crypto::parse(&format!("2 AEAD_AES_128_GCM inline:{gcm}{padding}")).unwrap().octets.len(), 28);
        }
        for bad in ["", "1", "x AES inline:AA", "1 AES", "1 AES uri:x"] {
            assert_eq!(Crypto::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_key_is_written_as_it_is_read_and_shown_to_nobody() {
        let crypto = Crypto { tag: 7, suite: "AES_CM_128_HMAC_SHA1_32".into(), octets: (0..30).collect(), mki_octets: 0 };
        assert_eq!(Crypto::parse(&crypto.to_string()), Some(crypto.clone()));
        assert_eq!(format!("{crypto:?}"), "Crypto(7 AES_CM_128_HMAC_SHA1_32, ..)");
    }
}
