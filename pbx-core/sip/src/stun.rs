//! STUN's Binding (RFC 8489), as much of it as signalling needs: to ask which address the world sees us at, and to answer a phone that
//! keeps its way open by asking us the same (RFC 5626 3.5.2). Neither is proved by anything, so nothing is believed but an answer to the
//! very question that was asked.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use bytes::{BufMut, Bytes, BytesMut};

const COOKIE: u32 = 0x2112_a442;
const REQUEST: u16 = 0x0001;
const SUCCESS: u16 = 0x0101;
const MAPPED_ADDRESS: u16 = 0x0001;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const HEADER: usize = 20;

/// Twelve octets by which an answer is known.
pub type TransactionId = [u8; 12];

/// A Binding request that says nothing but that it is one.
pub fn request(id: TransactionId) -> Bytes {
    header(REQUEST, 0, id).freeze()
}

/// The transaction of a Binding request; none of anything else.
pub fn requested(octets: &[u8]) -> Option<TransactionId> {
    read(octets).and_then(|(kind, id, _)| (kind == REQUEST).then_some(id))
}

/// The answer to it: from where it came.
pub fn response(id: TransactionId, from: SocketAddr) -> Bytes {
    let (family, ip): (u8, Vec<u8>) = match from.ip().to_canonical() {
        IpAddr::V4(ip) => (1, ip.octets().to_vec()),
        IpAddr::V6(ip) => (2, ip.octets().to_vec()),
    };
    let length = u16::try_from(ip.len()).unwrap_or_default() + 4;
    let mut octets = header(SUCCESS, length + 4, id);
    octets.put_u16(XOR_MAPPED_ADDRESS);
    octets.put_u16(length);
    octets.put_u8(0);
    octets.put_u8(family);
    octets.put_u16(from.port() ^ (COOKIE >> 16) as u16);
    octets.extend(ip.iter().zip(mask(id)).map(|(octet, mask)| octet ^ mask));
    octets.freeze()
}

/// Where the world sees whoever asked under this transaction; none if it is no answer to that.
pub fn answered(octets: &[u8], id: TransactionId) -> Option<SocketAddr> {
    let (kind, of, mut attributes) = read(octets)?;
    if kind != SUCCESS || of != id {
        return None;
    }
    let mut plain = None;
    while let Some((head, rest)) = attributes.split_at_checked(4) {
        let (kind, length) = (u16::from_be_bytes([head[0], head[1]]), usize::from(u16::from_be_bytes([head[2], head[3]])));
        let value = rest.get(..length)?;
        match kind {
            XOR_MAPPED_ADDRESS => return address(value, &mask(id)),
            // What servers of RFC 3489 say, and routers have been seen to rewrite.
            MAPPED_ADDRESS => plain = address(value, &[0; 16]),
            _ => {}
        }
        attributes = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    plain
}

fn header(kind: u16, length: u16, id: TransactionId) -> BytesMut {
    let mut octets = BytesMut::with_capacity(HEADER + usize::from(length));
    octets.put_u16(kind);
    octets.put_u16(length);
    octets.put_u32(COOKIE);
    octets.put_slice(&id);
    octets
}

/// Kind, transaction, and the attributes.
fn read(octets: &[u8]) -> Option<(u16, TransactionId, &[u8])> {
    let (header, attributes) = octets.split_at_checked(HEADER)?;
    let kind = u16::from_be_bytes([header[0], header[1]]);
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let id = header[8..HEADER].try_into().ok()?;
    (header[4..8] == COOKIE.to_be_bytes() && length == attributes.len()).then_some((kind, id, attributes))
}

/// What an address is mixed with, so that no router takes it for one that it must rewrite (RFC 8489 14.2).
fn mask(id: TransactionId) -> [u8; 16] {
    let mut mask = [0; 16];
    mask[..4].copy_from_slice(&COOKIE.to_be_bytes());
    mask[4..].copy_from_slice(&id);
    mask
}

fn address(value: &[u8], mask: &[u8; 16]) -> Option<SocketAddr> {
    let (head, ip) = value.split_at_checked(4)?;
    let port = u16::from_be_bytes([head[2] ^ mask[0], head[3] ^ mask[1]]);
    let ip: Vec<u8> = ip.iter().zip(mask).map(|(octet, mask)| octet ^ mask).collect();
    let ip: IpAddr = match (head[1], ip.len()) {
        (1, 4) => <[u8; 4]>::try_from(ip).ok()?.into(),
        (2, 16) => Ipv6Addr::from(<[u8; 16]>::try_from(ip).ok()?).into(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_question_and_its_answer() {
        let id = *b"twelve chars";
        assert_eq!(requested(&request(id)), Some(id));
        for from in ["203.0.113.7:40000", "[2001:db8::7]:5060"] {
            let from: SocketAddr = from.parse().unwrap();
            let answer = response(id, from);
            assert_eq!(answered(&answer, id), Some(from));
            assert_eq!(answered(&answer, *b"another ones"), None, "an answer to another question");
            assert_eq!(requested(&answer), None);
            for cut in 0..answer.len() {
                assert_eq!(answered(&answer[..cut], id), None, "{cut} octets of it");
            }
        }
        // RFC 8489 14.1, 14.2: the octets written out.
        let plain =
            [0x01, 0x01, 0, 12, 0x21, 0x12, 0xa4, 0x42, b't', b'w', b'e', b'l', b'v', b'e', b' ', b'c', b'h', b'a', b'r', b's'];
        let plain = [&plain[..], &[0, 1, 0, 8, 0, 1, 0x9c, 0x40, 203, 0, 113, 7]].concat();
        assert_eq!(answered(&plain, id), Some("203.0.113.7:40000".parse().unwrap()));
    }

    #[test]
    fn the_vectors_of_rfc_5769() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpora/rfc5769");
        let Ok(index) = std::fs::read_to_string(folder.join("index.tsv")) else {
            return println!("no RFC 5769 messages beside the repository: only our own were tried");
        };
        let mut seen = 0;
        for line in index.lines().skip(1) {
            let columns: Vec<&str> = line.split('\t').collect();
            let octets = std::fs::read(folder.join(columns[0])).unwrap();
            let id: TransactionId = octets[8..20].try_into().unwrap();
            match columns.last().unwrap().parse::<SocketAddr>() {
                Ok(address) => assert_eq!(answered(&octets, id), Some(address), "{line}"),
                Err(_) => assert_eq!(requested(&octets), Some(id), "{line}"),
            }
            seen += 1;
        }
        assert_eq!(seen, 4);
    }

    proptest! {
        #[test]
        fn any_octets_are_read_without_a_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut with_header = header(SUCCESS, u16::try_from(octets.len()).unwrap(), [7; 12]).to_vec();
            with_header.extend(&octets);
            let _ = (answered(&octets, [7; 12]), requested(&octets), answered(&with_header, [7; 12]));
        }
    }
}
