//! What a message costs: `cargo run --release -p pbx-sip --example cost`. Prints nanoseconds, each the least of many rounds.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pbx_sip::auth::{Algorithm, Authenticator, Ha1};
use pbx_sip::clock::{Now, Tick, Wall};
use pbx_sip::message::{Builder, HeaderName, Message, Method};

const INVITE: &[u8] = include_bytes!("../../../tests/fixtures/sip/invite.sip");
const REGISTER: &[u8] = include_bytes!("../../../tests/fixtures/sip/register.sip");

fn main() {
    let invite = Bytes::from_static(INVITE);
    let register = Bytes::from_static(REGISTER);
    println!("INVITE {} octets, REGISTER {} octets", invite.len(), register.len());
    let message = Message::parse(invite.clone()).expect("the fixture is a message");
    println!("{} headers", message.all_headers().count());
    least("index an INVITE", || Message::parse(invite.clone()));
    least("index a REGISTER", || Message::parse(register.clone()));
    least("check an INVITE", || message.check_request());
    least("index, check, read the usual headers", || {
        let message = Message::parse(invite.clone()).expect("the fixture is a message");
        let checked = message.check_request().is_ok();
        let branch = message.top_via().ok().and_then(|via| via.unique_branch().map(str::len));
        let tag = message.from().ok().and_then(|from| from.tag().map(str::len));
        black_box((checked, branch, tag, message.to().is_ok(), message.cseq().is_ok(), message.contacts().is_ok()));
    });
    least("clone", || message.clone());
    least("a 200 to it, built", || {
        Builder::response_to(&message, 200, Some("tag1"))
            .header(HeaderName::Contact, "<sip:192.0.2.1>")
            .body("application/sdp", "v=0")
            .build()
    });
    least("a BYE, built", || {
        Builder::request(&Method::Bye, "sip:202@192.0.2.9:5060")
            .header(HeaderName::MaxForwards, "70")
            .header(HeaderName::From, "<sip:201@pbx.example>;tag=a")
            .header(HeaderName::To, "<sip:202@pbx.example>;tag=b")
            .header(HeaderName::CallId, "1@192.0.2.1")
            .header(HeaderName::CSeq, "2 BYE")
            .header_first(HeaderName::Via, "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx;rport")
            .build()
    });
    digest();
}

fn digest() {
    let mut seconds = 1_700_000_000;
    let mut at = move || {
        seconds += 1;
        Now { tick: Tick(0), wall: Wall(seconds * 1_000_000) }
    };
    let born = at();
    let ha1 = Ha1::of("201", "pbx.example", "secret");
    let mut door =
        Authenticator::new("pbx.example", [7; 32], vec![Algorithm::Sha256, Algorithm::Md5], Duration::from_secs(300), born);
    let mut now = at();
    least("two challenges with one nonce", || {
        now = at();
        door.challenges(false, now)
    });
    let challenge = door.challenges(false, now).remove(0).1;
    let nonce = challenge.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a nonce").to_owned();
    for algorithm in ["MD5", "SHA-256"] {
        let response = "0".repeat(if algorithm == "MD5" { 32 } else { 64 });
        let request = Builder::request(&Method::Register, "sip:pbx.example")
            .header(HeaderName::Authorization, format!("Digest username=\"201\", realm=\"pbx.example\", nonce=\"{nonce}\", uri=\"sip:pbx.example\", response=\"{response}\", algorithm={algorithm}, qop=auth, nc=00000001, cnonce=\"0a4f113b\""))
            .build();
        least(&format!("a verdict by {algorithm}, wrong secret"), || door.check(&request, |_| Some(ha1.clone()), now));
        least(&format!("a verdict by {algorithm}, unknown user"), || door.check(&request, |_| None, now));
    }
}

fn least<T>(what: &str, mut work: impl FnMut() -> T) {
    const ROUND: u32 = 2_000;
    let mut best = Duration::MAX;
    for _ in 0..200 {
        let start = Instant::now();
        for _ in 0..ROUND {
            black_box(work());
        }
        best = best.min(start.elapsed());
    }
    println!("{what:45} {:>7.0} ns", best.as_nanos() as f64 / f64::from(ROUND));
}
