//! RTCP as RFC 3550 section 6 writes it: what a compound packet reports, and the compound packet that we send.

/// What somebody says of a stream that it hears (RFC 3550 6.4.1): a report block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Of which stream.
    pub ssrc: u32,
    /// Lost since the report before, in 256ths of what was expected.
    pub fraction_lost: u8,
    /// Lost so far; below 0 where more came than were numbered. 24 bits on the wire.
    pub lost: i32,
    /// The highest number that came, with its cycles.
    pub highest: u32,
    /// Interarrival jitter, in the stream's clock.
    pub jitter: u32,
    /// The middle 32 bits of the stream's last sender report; 0 if none came.
    pub last_sr: u32,
    /// How long ago it came, in 65536ths of a second.
    pub delay: u32,
}

/// What a sender says of its own stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Wall clock, seconds since 1900 in 32.32 bits.
    pub ntp: u64,
    /// The same instant in the stream's clock.
    pub rtp_timestamp: u32,
    /// So far.
    pub packets: u32,
    /// So far, payloads alone.
    pub octets: u32,
}

/// One packet of a compound.
#[derive(Clone, Copy, Debug)]
pub enum Packet<'a> {
    /// SR or RR.
    Report {
        /// Who reports.
        ssrc: u32,
        /// Of what it sends; an RR has none.
        sent: Option<Sent>,
        /// Of what it hears.
        blocks: Blocks<'a>,
    },
    /// Anything else: a name, a farewell, feedback.
    Other,
}

/// Report blocks, at most 31.
#[derive(Clone, Copy, Debug)]
pub struct Blocks<'a>(&'a [[u8; BLOCK]]);

impl Iterator for Blocks<'_> {
    type Item = Block;

    fn next(&mut self) -> Option<Block> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        let (words, _) = first.as_chunks::<4>();
        let word = |place: usize| words.get(place).map_or(0, |octets| u32::from_be_bytes(*octets));
        Some(Block {
            ssrc: word(0),
            fraction_lost: first[4],
            // The sign of 24 bits becomes the sign of 32.
            lost: (word(1) << 8).cast_signed() >> 8,
            highest: word(2),
            jitter: word(3),
            last_sr: word(4),
            delay: word(5),
        })
    }
}

/// The packets of a datagram.
#[derive(Clone, Copy, Debug)]
pub struct Compound<'a>(&'a [u8]);

/// Octets of a report block.
const BLOCK: usize = 24;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;

/// RTCP of version 2 with a packet type of RFC 3550, RFC 3611 or RFC 4585, as far as its first octets tell.
pub fn is_rtcp(packet: &[u8]) -> bool {
    packet.len() >= 8 && packet[0] >> 6 == 2 && (200..=207).contains(&packet[1])
}

impl<'a> Compound<'a> {
    /// Checks a datagram from its first octet to its last (RFC 3550 A.2); `None` if a length does not fit. A compound that begins with
    /// something else than a report is taken too (RFC 5506).
    pub fn read(datagram: &'a [u8]) -> Option<Compound<'a>> {
        if !is_rtcp(datagram) {
            return None;
        }
        let mut rest = datagram;
        while !rest.is_empty() {
            (_, rest) = first(rest)?;
        }
        Some(Compound(datagram))
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Packet<'a>> {
        let (packet, rest) = first(self.0)?;
        self.0 = rest;
        Some(packet)
    }
}

fn first(octets: &[u8]) -> Option<(Packet<'_>, &[u8])> {
    let [flags, kind, high, low] = *octets.first_chunk()?;
    let length = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
    let (packet, rest) = octets.split_at_checked(length)?;
    if flags >> 6 != 2 {
        return None;
    }
    let blocks_at = match kind {
        SENDER_REPORT => 28,
        RECEIVER_REPORT => 8,
        _ => return Some((Packet::Other, rest)),
    };
    let (blocks, _) = packet.get(blocks_at..)?.as_chunks::<BLOCK>();
    let blocks = Blocks(blocks.get(..usize::from(flags & 31))?);
    let word = |at: usize| packet.get(at..).and_then(|from| from.first_chunk()).map_or(0, |octets| u32::from_be_bytes(*octets));
    let sent = (kind == SENDER_REPORT).then(|| Sent {
        ntp: (u64::from(word(8)) << 32) | u64::from(word(12)),
        rtp_timestamp: word(16),
        packets: word(20),
        octets: word(24),
    });
    Some((Packet::Report { ssrc: word(4), sent, blocks }, rest))
}

/// Octets of a canonical name of ours.
pub const CNAME: usize = 24;

/// Octets of the longest compound that we send: a sender report with one block, and the name.
pub const LONGEST: usize = 28 + BLOCK + NAMED;

/// Header, SSRC, item, and zeros to the end of a word, of which there is one at least (RFC 3550 6.5).
const NAMED: usize = 4 + 4 + 2 + CNAME + 2;

/// Writes a compound: a report, then who it is from. How long it is.
pub fn write(into: &mut [u8], ssrc: u32, sent: Option<&Sent>, block: Option<&Block>, cname: &[u8; CNAME]) -> usize {
    let mut end = 0;
    let mut put = |octets: &[u8]| {
        if let Some(place) = into.get_mut(end..end + octets.len()) {
            place.copy_from_slice(octets);
            end += octets.len();
        }
    };
    let words = 1 + if sent.is_some() { 5 } else { 0 } + if block.is_some() { 6 } else { 0 };
    put(&[0x80 | u8::from(block.is_some()), if sent.is_some() { SENDER_REPORT } else { RECEIVER_REPORT }, 0, words]);
    put(&ssrc.to_be_bytes());
    if let Some(sent) = sent {
        put(&sent.ntp.to_be_bytes());
        put(&sent.rtp_timestamp.to_be_bytes());
        put(&sent.packets.to_be_bytes());
        put(&sent.octets.to_be_bytes());
    }
    if let Some(block) = block {
        put(&block.ssrc.to_be_bytes());
        put(&[block.fraction_lost]);
        put(&block.lost.clamp(-0x80_0000, 0x7f_ffff).to_be_bytes()[1..]);
        put(&block.highest.to_be_bytes());
        put(&block.jitter.to_be_bytes());
        put(&block.last_sr.to_be_bytes());
        put(&block.delay.to_be_bytes());
    }
    put(&[0x81, SOURCE_DESCRIPTION, 0, (NAMED / 4 - 1) as u8]);
    put(&ssrc.to_be_bytes());
    put(&[1, CNAME as u8]);
    put(cname);
    put(&[0, 0]);
    end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rtc_rtcp::receiver_report::ReceiverReport;
    use rtc_rtcp::sender_report::SenderReport;
    use rtc_rtcp::source_description::SourceDescription;

    use super::*;

    #[test]
    fn a_compound_is_read_report_by_report() {
        // An SR with a block, an SDES, a BYE.
        let mut datagram = vec![0x81, 200, 0, 12, 0, 0, 0, 7];
        datagram.extend([0xe0, 0, 0, 1, 0x80, 0, 0, 0, 0, 0, 0, 160, 0, 0, 0, 50, 0, 0, 0x1f, 0x40]);
        datagram.extend([0, 0, 0, 9, 64, 0xff, 0xff, 0xfe, 0, 1, 0, 5, 0, 0, 0, 80, 0, 1, 0x80, 0, 0, 0, 0x80, 0]);
        datagram.extend([0x81, 202, 0, 2, 0, 0, 0, 7, 1, 1, b'a', 0]);
        datagram.extend([0x81, 203, 0, 1, 0, 0, 0, 7]);
        let mut packets = Compound::read(&datagram).unwrap();
        let Some(Packet::Report { ssrc: 7, sent: Some(sent), mut blocks }) = packets.next() else { panic!() };
        assert_eq!(sent, Sent { ntp: 0xe000_0001_8000_0000, rtp_timestamp: 160, packets: 50, octets: 8000 });
        let block = Block { ssrc: 9, fraction_lost: 64, lost: -2, highest: 0x1_0005, jitter: 80, last_sr: 0x1_8000, delay: 0x8000 };
        assert_eq!(blocks.next(), Some(block));
        assert_eq!(blocks.next(), None);
        assert_eq!(packets.filter(|packet| matches!(packet, Packet::Other)).count(), 2);
    }

    #[test]
    fn a_length_that_does_not_fit_refuses_the_whole() {
        let good = [0x80, 201, 0, 1, 0, 0, 0, 7];
        assert!(Compound::read(&good).is_some());
        let liars: [&[u8]; 5] = [
            &[0x80, 201, 0, 2, 0, 0, 0, 7],             // longer than the datagram
            &[0x81, 201, 0, 1, 0, 0, 0, 7],             // a block that is not there
            &[0x80, 200, 0, 1, 0, 0, 0, 7],             // a sender report without its sender
            &[0x80, 201, 0, 1, 0, 0, 0, 7, 0x80],       // something behind it
            &[0x80, 201, 0, 1, 0, 0, 0, 7, 0, 0, 0, 0], // another version behind it
        ];
        for liar in liars {
            assert!(Compound::read(liar).is_none(), "{liar:?}");
        }
    }

    /// A capture of real phones, where this machine has it.
    #[test]
    fn what_real_phones_send_is_read_as_the_oracle_reads_it() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpora/captures/rtcp-compound.pcap");
        let Ok(capture) = std::fs::read(file) else {
            println!("the captures are not on this machine: this test went on without them");
            return;
        };
        let mut rest = &capture[24..];
        let mut reported = 0;
        while let Some((head, after)) = rest.split_at_checked(16) {
            let length = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
            // Linux "cooked" framing, IPv4 without options, UDP.
            let datagram = &after[16 + 20 + 8..length];
            rest = &after[length..];
            let ours = Compound::read(datagram).unwrap().filter_map(|packet| match packet {
                Packet::Report { ssrc, blocks, .. } => {
                    Some((ssrc, blocks.map(|block| (block.ssrc, block.jitter)).collect::<Vec<_>>()))
                }
                Packet::Other => None,
            });
            let theirs = rtc_rtcp::packet::unmarshal(&mut &datagram[..]).unwrap();
            for (ours, theirs) in ours.zip(&theirs) {
                let theirs = match theirs.as_any().downcast_ref::<SenderReport>() {
                    Some(report) => (report.ssrc, &report.reports),
                    None => theirs.as_any().downcast_ref::<ReceiverReport>().map(|report| (report.ssrc, &report.reports)).unwrap(),
                };
                assert_eq!(ours, (theirs.0, theirs.1.iter().map(|block| (block.ssrc, block.jitter)).collect()));
                reported += 1;
            }
        }
        assert_eq!(reported, 5);
    }

    fn block() -> impl Strategy<Value = Block> {
        (any::<(u32, u8, u32, u32, u32, u32)>(), -0x80_0000..0x80_0000i32).prop_map(|(any, lost)| {
            let (ssrc, fraction_lost, highest, jitter, last_sr, delay) = any;
            Block { ssrc, fraction_lost, lost, highest, jitter, last_sr, delay }
        })
    }

    proptest! {
        #[test]
        fn what_we_write_is_read_alike_by_us_and_by_the_oracle(
            ssrc in any::<u32>(), sent in prop::option::of(any::<(u64, u32, u32, u32)>()), block in prop::option::of(block()),
        ) {
            let sent = sent.map(|(ntp, rtp_timestamp, packets, octets)| Sent { ntp, rtp_timestamp, packets, octets });
            let mut octets = [0; LONGEST];
            let length = write(&mut octets, ssrc, sent.as_ref(), block.as_ref(), b"0123456789abcdef01234567");
            let mut ours = Compound::read(&octets[..length]).unwrap();
            let Some(Packet::Report { ssrc: from, sent: told, mut blocks }) = ours.next() else { panic!() };
            prop_assert_eq!((from, told, blocks.next(), blocks.next()), (ssrc, sent, block, None));
            prop_assert!(matches!(ours.next(), Some(Packet::Other)) && ours.next().is_none());
            let theirs = rtc_rtcp::packet::unmarshal(&mut &octets[..length]).unwrap();
            let named = theirs[1].as_any().downcast_ref::<SourceDescription>().unwrap();
            prop_assert_eq!(named.chunks[0].source, ssrc);
            prop_assert_eq!(&named.chunks[0].items[0].text[..], &b"0123456789abcdef01234567"[..]);
            let reports = match sent {
                Some(sent) => {
                    let theirs = theirs[0].as_any().downcast_ref::<SenderReport>().unwrap();
                    prop_assert_eq!((theirs.ntp_time, theirs.rtp_time), (sent.ntp, sent.rtp_timestamp));
                    prop_assert_eq!((theirs.packet_count, theirs.octet_count), (sent.packets, sent.octets));
                    theirs.reports.clone()
                }
                None => theirs[0].as_any().downcast_ref::<ReceiverReport>().unwrap().reports.clone(),
            };
            prop_assert_eq!(reports.len(), usize::from(block.is_some()));
            for (theirs, ours) in reports.iter().zip(block) {
                prop_assert_eq!((theirs.ssrc, theirs.fraction_lost, theirs.jitter), (ours.ssrc, ours.fraction_lost, ours.jitter));
                prop_assert_eq!(theirs.total_lost, ours.lost.cast_unsigned() & 0xff_ffff);
                prop_assert_eq!((theirs.last_sender_report, theirs.delay), (ours.last_sr, ours.delay));
            }
        }

        #[test]
        fn no_octets_panic_and_what_is_read_is_bounded(octets in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Some(compound) = Compound::read(&octets) {
                let reported: usize = compound.map(|packet| match packet {
                    Packet::Report { blocks, .. } => blocks.count(),
                    Packet::Other => 0,
                }).sum();
                prop_assert!(reported * BLOCK <= octets.len());
            }
        }

        #[test]
        fn nearly_rtcp_does_not_panic_either(mut octets in prop::collection::vec(any::<u8>(), 8..300), count in 0u8..32, words in 0u8..80) {
            (octets[0], octets[1], octets[2], octets[3]) = (0x80 | count, 200 + count % 2, 0, words);
            if let Some(compound) = Compound::read(&octets) {
                compound.for_each(|packet| if let Packet::Report { blocks, .. } = packet { blocks.for_each(drop) });
            }
        }
    }
}
