//! Packets that are known, packets of the corpora, another implementation, and any octets.

use std::path::{Path, PathBuf};

use pbx_media_words::Suite;
use proptest::prelude::*;

use super::*;

fn octets(hex: &str) -> Vec<u8> {
    let digit = |digit: u8| (digit as char).to_digit(16).unwrap() as u8;
    hex.as_bytes().chunks_exact(2).map(|two| digit(two[0]) << 4 | digit(two[1])).collect()
}

fn key(suite: Suite, text: &str) -> MasterKey {
    MasterKey { suite, octets: octets(text), mki_octets: 0 }
}

fn drawn(suite: Suite, seed: u8) -> MasterKey {
    let length = suite.key_octets() + suite.salt_octets();
    MasterKey { suite, octets: (0..length).map(|at| (at as u8).wrapping_mul(7) ^ seed).collect(), mki_octets: 0 }
}

fn sealed(sealing: &mut Sealing, packet: &[u8], is_rtcp: bool) -> Vec<u8> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + ADDED, 0);
    let length = if is_rtcp { sealing.rtcp(&mut buffer, packet.len()) } else { sealing.rtp(&mut buffer, packet.len()) };
    buffer.truncate(length.unwrap());
    buffer
}

fn opened(opening: &mut Opening, packet: &[u8], is_rtcp: bool) -> Option<Vec<u8>> {
    let mut buffer = packet.to_vec();
    let length = if is_rtcp { opening.rtcp(&mut buffer)? } else { opening.rtp(&mut buffer)? };
    buffer.truncate(length);
    Some(buffer)
}

fn rtp(sequence: u16, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 8];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 160]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    packet
}

const RTCP: &[u8] = &[0x80, 201, 0, 1, 0, 0, 0, 7, 0x81, 202, 0, 1, 0, 0, 0, 7];

#[test]
fn what_is_sealed_is_opened_once_and_by_the_right_key_alone() {
    for suite in Suite::ALL {
        let (mut sealing, mut opening) = (Sealing::new(&drawn(suite, 1)).unwrap(), Opening::new(&drawn(suite, 1)).unwrap());
        let mut stranger = Opening::new(&drawn(suite, 2)).unwrap();
        for (packet, is_rtcp) in [(rtp(65_535, 7, b"bonsoir"), false), (rtp(0, 7, b""), false), (RTCP.to_vec(), true)] {
            let secret = sealed(&mut sealing, &packet, is_rtcp);
            assert!(!secret.windows(7).any(|part| part == b"bonsoir"), "{suite:?}");
            assert!(opening.is_genuine(&secret, is_rtcp) && !stranger.is_genuine(&secret, is_rtcp), "{suite:?}");
            assert_eq!(opened(&mut stranger, &secret, is_rtcp), None, "{suite:?}");
            for at in 0..secret.len() {
                let mut other = secret.clone();
                other[at] ^= 1;
                assert_eq!(opened(&mut opening, &other, is_rtcp), None, "{suite:?}: octet {at} is another");
            }
            assert_eq!(opened(&mut opening, &secret, is_rtcp).as_deref(), Some(packet.as_slice()), "{suite:?}");
            assert_eq!(opened(&mut opening, &secret, is_rtcp), None, "{suite:?}: it came before");
        }
    }
}

#[test]
fn a_key_of_another_length_is_none() {
    let mut short = drawn(Suite::AesCm128HmacSha1_80, 1);
    short.octets.pop();
    assert!(Sealing::new(&short).is_err() && Opening::new(&short).is_err());
}

#[test]
fn a_master_key_identifier_is_skipped() {
    for suite in [Suite::AesCm128HmacSha1_80, Suite::AeadAes128Gcm] {
        let mut sealing = Sealing::new(&drawn(suite, 1)).unwrap();
        let mut opening = Opening::new(&MasterKey { mki_octets: 2, ..drawn(suite, 1) }).unwrap();
        let packet = rtp(9, 7, b"bonsoir");
        let mut secret = sealed(&mut sealing, &packet, false);
        // Before the tag (RFC 3711 3.1); behind the one of GCM, which is part of what is encrypted (RFC 7714 6.3).
        let at = if suite == Suite::AeadAes128Gcm { secret.len() } else { secret.len() - 10 };
        secret.splice(at..at, [0, 1]);
        assert_eq!(opened(&mut opening, &secret, false), Some(packet));
    }
}

/// Computed by another implementation (RFC 3711 and RFC 7714 written anew over the ciphers of OpenSSL), with the master key and salt 00,
/// 01, 02 and so on.
#[test]
fn known_packets() {
    for (suite, plain, secret) in KNOWN {
        let master = MasterKey { octets: (0..(suite.key_octets() + suite.salt_octets()) as u8).collect(), ..drawn(*suite, 0) };
        let (plain, secret) = (octets(plain), octets(secret));
        let is_rtcp = crate::rtcp::is_rtcp(&plain);
        assert_eq!(sealed(&mut Sealing::new(&master).unwrap(), &plain, is_rtcp), secret, "{suite:?}");
        assert_eq!(opened(&mut Opening::new(&master).unwrap(), &secret, is_rtcp), Some(plain), "{suite:?}");
    }
}

const KNOWN: &[(Suite, &str, &str)] = &[
    (
        Suite::AesCm128HmacSha1_80,
        "80080007000000a0000000ff626f6e736f6972",
        "80080007000000a0000000ff75125ebcd4cbfd783b4dfcc65c57c1f4f5",
    ),
    (
        Suite::AesCm128HmacSha1_80,
        "80c90001000000ff81ca0001000000ff",
        "80c90001000000ffbf615756069eb91e80000001c90c6c87f2d3d2b136aa",
    ),
    (Suite::AesCm128HmacSha1_32, "80080007000000a0000000ff626f6e736f6972", "80080007000000a0000000ff75125ebcd4cbfd783b4dfc"),
    (
        Suite::AesCm128HmacSha1_32,
        "80c90001000000ff81ca0001000000ff",
        "80c90001000000ffbf615756069eb91e80000001c90c6c87f2d3d2b136aa",
    ),
    (
        Suite::AesCm256HmacSha1_80,
        "80080007000000a0000000ff626f6e736f6972",
        "80080007000000a0000000ff34d5bc6c8eea33a29a0fa3ef8600c13cfb",
    ),
    (
        Suite::AesCm256HmacSha1_80,
        "80c90001000000ff81ca0001000000ff",
        "80c90001000000ffaa2fb896482e160a8000000150a06fecec087a57d809",
    ),
    (
        Suite::AeadAes128Gcm,
        "80080007000000a0000000ff626f6e736f6972",
        "80080007000000a0000000ffb30b09f357375cb082d65b6e6a696fb4117348fc871e85",
    ),
    (
        Suite::AeadAes128Gcm,
        "80c90001000000ff81ca0001000000ff",
        "80c90001000000ffc24adb0c774a69f40a66110332f9c66b572ee0f47cd067fb80000001",
    ),
    (
        Suite::AeadAes256Gcm,
        "80080007000000a0000000ff626f6e736f6972",
        "80080007000000a0000000ff6841f1e3d71420ef23a69a6b94b37572800d6abb7f3390",
    ),
    (
        Suite::AeadAes256Gcm,
        "80c90001000000ff81ca0001000000ff",
        "80c90001000000ff759ce06e8a7fa39d4abf010dcdb778938b53e39fdff6cc4b80000001",
    ),
];

fn corpus(name: &str) -> Option<Vec<Vec<String>>> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora/srtp").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: no corpora");
        return None;
    };
    Some(text.lines().skip(1).map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}

#[test]
fn packets_of_the_corpora() {
    let Some(rows) = corpus("packets.tsv") else { return };
    assert!(rows.len() >= 7);
    for row in rows {
        let [id, profile, master, salt, kind, index, plain, secret, ..] = row.as_slice() else { panic!("{row:?}") };
        let suite = Suite::ALL.into_iter().find(|suite| suite.name() == *profile).unwrap();
        let master = key(suite, &format!("{master}{salt}"));
        let index: u64 = index.parse().unwrap();
        let (plain, secret, is_rtcp) = (octets(plain), octets(secret), kind == "rtcp");
        let (mut sealing, mut opening) = (Sealing::new(&master).unwrap(), Opening::new(&master).unwrap());
        if !is_rtcp && index > 0 {
            // A packet of the round before, as if it had been seen.
            let header = Header::read(&plain).unwrap();
            let before = index << 16 | u64::from(header.sequence - 1);
            sealing.streams.count(header.ssrc, before);
            opening.streams.count(header.ssrc, before);
        }
        assert_eq!(sealed(&mut sealing, &plain, is_rtcp), secret, "{id}");
        assert_eq!(opened(&mut opening, &secret, is_rtcp), Some(plain), "{id}");
    }
}

#[test]
fn gcm_as_in_its_rfc() {
    let Some(rows) = corpus("rfc7714.tsv") else { return };
    for row in rows {
        let [id, session, salt, plain, secret, _, rtcp_plain, rtcp_secret, _, rtcp_index] = row.as_slice() else {
            panic!("{row:?}")
        };
        let suite = if session.len() == 32 { Suite::AeadAes128Gcm } else { Suite::AeadAes256Gcm };
        let mut session_salt = [0; 14];
        session_salt[..12].copy_from_slice(&octets(salt));
        let cipher = Cipher::new(suite, &octets(session), &session_salt, &[]).unwrap();
        let plain = octets(plain);
        let header = Header::read(&plain).unwrap();
        let mut buffer = plain.clone();
        buffer.resize(plain.len() + ADDED, 0);
        let length = cipher.seal(&mut buffer, header.payload_at, plain.len(), header.ssrc, u64::from(header.sequence)).unwrap();
        assert_eq!(buffer[..length], octets(secret), "{id}");
        let (plain, index) = (octets(rtcp_plain), u32::from_str_radix(rtcp_index, 16).unwrap());
        let mut buffer = plain.clone();
        buffer.resize(plain.len() + ADDED, 0);
        let length = cipher.seal_rtcp(&mut buffer, plain.len(), ssrc_of_rtcp(&plain).unwrap(), index | ENCRYPTED).unwrap();
        assert_eq!(buffer[..length], octets(rtcp_secret), "{id}");
    }
}

#[test]
fn the_library_of_the_webrtc_family_agrees() {
    use rtc_crypto::providers::AwsLcRsCrypto;
    use rtc_srtp::context::Context;
    use rtc_srtp::protection_profile::ProtectionProfile;
    let crypto = AwsLcRsCrypto;
    for (suite, profile) in [
        (Suite::AesCm128HmacSha1_80, ProtectionProfile::Aes128CmHmacSha1_80),
        (Suite::AesCm128HmacSha1_32, ProtectionProfile::Aes128CmHmacSha1_32),
        (Suite::AeadAes128Gcm, ProtectionProfile::AeadAes128Gcm),
        (Suite::AeadAes256Gcm, ProtectionProfile::AeadAes256Gcm),
    ] {
        let master = drawn(suite, 3);
        let (key, salt) = master.octets.split_at(suite.key_octets());
        let oracle = || Context::new(key, salt, profile, None, None, &crypto).unwrap();
        let (mut theirs, mut theirs_in) = (oracle(), oracle());
        let (mut ours, mut ours_in) = (Sealing::new(&master).unwrap(), Opening::new(&master).unwrap());
        for number in 0..70_000u32 {
            let packet = rtp((60_000 + number) as u16, 7, &number.to_be_bytes());
            let secret = sealed(&mut ours, &packet, false);
            if number % 997 == 0 {
                assert_eq!(theirs_in.decrypt_rtp(&secret).unwrap().as_ref(), packet, "{suite:?} {number}");
                let secret = theirs.encrypt_rtp(&packet).unwrap();
                assert_eq!(opened(&mut ours_in, &secret, false), Some(packet), "{suite:?} {number}");
            }
        }
        let secret = sealed(&mut ours, RTCP, true);
        assert_eq!(theirs_in.decrypt_rtcp(&secret).unwrap().as_ref(), RTCP, "{suite:?}");
        let secret = theirs.encrypt_rtcp(RTCP).unwrap();
        assert_eq!(opened(&mut ours_in, &secret, true).as_deref(), Some(RTCP), "{suite:?}");
    }
}

proptest! {
    #[test]
    fn no_octets_panic(packet in prop::collection::vec(any::<u8>(), 0..120), place in 0..5usize, mki in 0..5u8) {
        let master = MasterKey { mki_octets: mki, ..drawn(Suite::ALL[place], 1) };
        let mut opening = Opening::new(&master).unwrap();
        prop_assert_eq!(opened(&mut opening, &packet, false), None);
        prop_assert_eq!(opened(&mut opening, &packet, true), None);
        prop_assert!(!opening.is_genuine(&packet, false) && !opening.is_genuine(&packet, true));
        let mut sealing = Sealing::new(&master).unwrap();
        let mut buffer = packet.clone();
        sealing.rtp(&mut buffer, packet.len());
        sealing.rtcp(&mut buffer, packet.len());
    }
}
