//! Bodies over descriptions, packets and plans.

use pbx_media::rtcp::{Compound, Packet};
use pbx_media::rtp::{self, Header, Reception};
use pbx_sip::sdp::{Description, Direction, Local, agreed};
use pbx_switch::dialplan::Dialplan;
use pbx_switch::subscription::presence::{self, Presence};

/// A peer's description: bounded, and our answer to it is SDP of the same streams.
pub fn sdp(octets: &[u8]) {
    let Ok(offer) = Description::parse(octets) else { return };
    assert!(offer.streams.len() <= 16 && offer.formats.len() <= 48 && offer.audio < offer.streams.len());
    assert_eq!(agreed(&offer.formats, &offer.formats), offer.formats);
    let mut ours = Local::new([192, 0, 2, 1].into(), 4000, 1);
    for direction in [offer.direction.mirrored(), Direction::Inactive] {
        let answer = ours.answer(&offer, &offer.formats, direction);
        assert!(answer.iter().all(|octet| *octet != 0 && octet.is_ascii()));
        let text = String::from_utf8_lossy(&answer);
        assert!(text.split("\r\n").all(|line| !line.contains(['\r', '\n'])), "a line end that came in goes out: {text:?}");
        assert_eq!(text.lines().filter(|line| line.starts_with("m=")).count(), offer.streams.len());
        let read = Description::parse(&answer).unwrap_or_else(|error| panic!("{error}: {text:?}"));
        assert_eq!((read.rtp.port(), read.direction, read.audio), (4000, direction, offer.audio));
        assert_eq!(read.formats, offer.formats, "{text:?}");
    }
}

/// A packet: nothing is read beyond its end, and the figures stay figures.
pub fn rtp(octets: &[u8]) {
    let mut reception = Reception::default();
    for (at, packet) in octets.chunks(40).enumerate() {
        for report in Compound::read(packet).into_iter().flatten() {
            if let Packet::Report { blocks, .. } = report {
                assert!(blocks.count() <= packet.len() / 24);
            }
        }
        if let Some(header) = Header::read(packet) {
            assert!(header.payload_at >= 12 && header.payload_at <= packet.len() && header.payload_type < 128);
            let _ = rtp::digit(&packet[header.payload_at..]);
            reception.count(&header);
            reception.time(&header, 8000, at as u64 * 20_000);
        }
        let _ = (reception.block(), reception.lost(), reception.jitter_us(8000), reception.jitter_us(0));
    }
}

/// What somebody says of themselves reads the same when it is passed on.
pub fn presence(octets: &[u8]) {
    let Ok(said) = presence::read(octets) else { return };
    let written = Presence::There(said).document("201", "pbx.example");
    assert_eq!(presence::read(written.as_bytes()), Ok(said));
}

/// A plan: every mistake has its place in the text, and a plan that is taken reads the same again.
pub fn dialplan(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    match Dialplan::parse(text) {
        Ok(plan) => {
            assert_eq!(plan.text(), text);
            let again = Dialplan::parse(plan.text()).expect("the same text");
            assert_eq!(again.rules().len(), plan.rules().len());
        }
        Err(errors) => {
            assert!(!errors.is_empty());
            let lines = text.lines().count().max(1) + 1;
            for error in errors {
                assert!(error.line >= 1 && error.line <= lines && error.column >= 1, "{error:?}");
            }
        }
    }
}
