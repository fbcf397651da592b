//! Bodies over digest and the stack.

use std::time::Duration;

use bytes::Bytes;
use pbx_sip::auth::{Algorithm, Authenticator, Ha1, Verdict};
use pbx_sip::clock::Now;
use pbx_sip::entropy::Entropy;
use pbx_sip::flow::{ConnectionId, Flow, Transport};
use pbx_sip::message::{Builder, HeaderName, Method};
use pbx_sip::stack::{Heard, Stack};
use pbx_sip::transaction::Timers;

/// Credentials, with a good nonce put where `NONCE` stands: nobody gets in who does not know the secret.
pub fn digest(octets: &[u8]) {
    let now = Now::default() + Duration::from_secs(1_700_000_000);
    let order = vec![Algorithm::Md5, Algorithm::Sha256];
    let mut door = Authenticator::new("pbx.example", [9; 32], order, Duration::from_secs(60), now);
    let challenge = door.challenges(false, now).swap_remove(0).1;
    let nonce = challenge.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a nonce");
    let mut value = Vec::with_capacity(octets.len() + 64);
    let mut rest = octets;
    while let Some(at) = rest.windows(5).position(|window| window == b"NONCE") {
        value.extend_from_slice(&rest[..at]);
        value.extend_from_slice(nonce.as_bytes());
        rest = &rest[at + 5..];
    }
    value.extend_from_slice(rest);
    let request = Builder::request(&Method::Register, "sip:pbx.example").header(HeaderName::Authorization, &value).build();
    let secret = Ha1::of("201", "pbx.example", "a secret that no input can hold: \u{0}\r\n");
    let verdict = door.check(&request, |_| Some(secret), now);
    assert!(!matches!(verdict, Verdict::Agreed { .. }), "{value:?}");
}

/// Datagrams between lines of `====`, each answered with whatever the first octet says: never more sent than was asked for, and nothing
/// left when all timers have run.
pub fn stack(octets: &[u8]) {
    let choice = octets.first().copied().unwrap_or(0);
    let transport = if choice & 1 == 0 { Transport::Udp } else { Transport::Tcp };
    let flow = Flow {
        transport,
        local: ([192, 0, 2, 1], 5060).into(),
        remote: ([192, 0, 2, 9], 5062).into(),
        connection: ConnectionId(u64::from(choice & 1)),
    };
    let statuses = [200, 404, 486, 401, 180, 603, 302, 500];
    let (mut stack, mut now) = (Stack::new(Timers::default(), Entropy::from_seed([5; 32])), Now::default());
    stack.request(
        Builder::request(&Method::Invite, "sip:202@192.0.2.9")
            .header(HeaderName::From, "<sip:201@pbx.example>;tag=ours")
            .header(HeaderName::To, "<sip:202@pbx.example>")
            .header(HeaderName::CallId, "asked")
            .header(HeaderName::CSeq, "1 INVITE"),
        flow,
        now,
    );
    let mut open = Vec::new();
    let mut rest = octets;
    while !rest.is_empty() {
        let end = rest.windows(5).position(|window| window == b"====\n").unwrap_or(rest.len());
        let (datagram, behind) = rest.split_at(end);
        rest = behind.get(5..).unwrap_or_default();
        std::iter::from_fn(|| stack.poll_transmit()).for_each(drop);
        stack.receive(flow, Bytes::copy_from_slice(datagram), now);
        assert!(std::iter::from_fn(|| stack.poll_transmit()).count() <= 2, "more goes out than came in");
        while let Some(heard) = stack.poll_heard() {
            if let Heard::Request { key, message, .. } = heard {
                assert_eq!(message.check_request(), Ok(()));
                assert!(!matches!(message.method(), Method::Ack | Method::Cancel));
                open.push((key, message));
            }
        }
        now = now + Duration::from_millis(u64::from(choice) * 10);
        stack.handle_deadline(now);
        if choice & 2 == 2
            && let Some((key, message)) = open.pop()
        {
            stack.respond(key, Builder::response_to(&message, statuses[usize::from(choice >> 2) % 8], Some("t")).build(), now);
            open.push((key, message));
        }
        if choice & 4 == 4 {
            stack.flow_closed(flow);
        }
    }
    for (key, message) in open {
        stack.respond(key, Builder::response_to(&message, 486, Some("t")).build(), now);
    }
    let mut woken = 0;
    while let Some(due) = stack.poll_deadline() {
        now = now + due.since(now.tick);
        stack.handle_deadline(now);
        woken += 1;
        assert!(woken < 10_000, "a timer that never ends");
    }
    assert!(stack.is_empty(), "{} transactions are left over", stack.len());
}
