//! Where a response goes, what is noted of where a request came from, and what happens when there is no room.

use std::time::Duration;

use bytes::Bytes;
use pbx_sip::clock::Now;
use pbx_sip::entropy::Entropy;
use pbx_sip::flow::Transport::{self, Tcp, Udp};
use pbx_sip::flow::{ConnectionId, Flow};
use pbx_sip::message::{Builder, HeaderName, Message, Method};
use pbx_sip::stack::{Heard, Stack};
use pbx_sip::transaction::Timers;

use crate::ladder::{check, request};

#[test]
fn over_datagrams_to_the_source_if_rport_asks_for_it_else_to_the_port_of_sent_by() {
    check(
        Udp,
        "
           0 <- OPTIONS rport via=10.0.0.5:5080 source=192.0.2.77:40001
           0 heard OPTIONS
           0 respond 401
           0 -> 401 OPTIONS to 192.0.2.77:40001
           0 over
          10 <- OPTIONS via=10.0.0.5:5080 source=192.0.2.77:40001
          10 heard OPTIONS
          10 respond 401
          10 -> 401 OPTIONS to 192.0.2.77:5080
          10 over
          20 <- OPTIONS via=phone.example source=192.0.2.77:40001
          20 heard OPTIONS
          20 respond 401
          20 -> 401 OPTIONS to 192.0.2.77:5060
          20 over
          30 <- CANCEL rport via=10.0.0.5:5080 source=192.0.2.77:40001
          30 -> 481 CANCEL to 192.0.2.77:40001
    ",
    );
}

#[test]
fn over_a_stream_back_the_way_it_came_and_over_a_new_one_when_that_is_gone() {
    check(
        Tcp,
        "
           0 <- INVITE via=10.0.0.5:5080
           0 -> 100 INVITE
           0 heard INVITE
          10 close
          20 respond 486
          20 -> 486 INVITE over a new connection
       32020 over
    ",
    );
}

#[test]
fn the_topmost_via_notes_where_a_request_came_from() {
    let noted = |via: &str, source: &str| {
        let mut stack = Stack::new(Timers::default(), Entropy::from_seed([1; 32]));
        let octets = String::from_utf8(request(Udp, &["OPTIONS"]).to_vec()).expect("text");
        let octets = octets.replace("Via: SIP/2.0/UDP 192.0.2.9:5062;branch=z9hG4bKa", via);
        stack.receive(flow(Udp, source), octets.into(), Now::default());
        let Some(Heard::Request { message, .. }) = stack.poll_heard() else { panic!("not heard: {via}") };
        String::from_utf8_lossy(message.headers(HeaderName::Via).next().expect("Via")).into_owned()
    };
    for (via, source, wanted) in [
        ("Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa", "192.0.2.9:5060", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa"),
        (
            "Via: SIP/2.0/UDP 10.0.0.5:5080;branch=z9hG4bKa",
            "192.0.2.9:40001",
            "SIP/2.0/UDP 10.0.0.5:5080;branch=z9hG4bKa;received=192.0.2.9",
        ),
        (
            "v : SIP / 2.0 / UDP 10.0.0.5 ; rport ; branch=z9hG4bKa;alias",
            "192.0.2.9:40001",
            "SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKa;alias;received=192.0.2.9;rport=40001",
        ),
        (
            "Via: SIP/2.0/UDP 192.0.2.9;rport;branch=z9hG4bKa",
            "192.0.2.9:5060",
            "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa;received=192.0.2.9;rport=5060",
        ),
        (
            "Via: SIP/2.0/UDP 192.0.2.9;received=203.0.113.66;branch=z9hG4bKa;rport=1",
            "192.0.2.9:5060",
            "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa;received=192.0.2.9;rport=5060",
        ),
        (
            "Via: SIP/2.0/UDP [2001:db8::7]:5062;branch=z9hG4bKa, SIP/2.0/TCP edge.example;branch=z9hG4bKb",
            "[2001:db8::8]:5062",
            "SIP/2.0/UDP [2001:db8::7]:5062;branch=z9hG4bKa;received=2001:db8::8, SIP/2.0/TCP edge.example;branch=z9hG4bKb",
        ),
        ("Via: SIP/2.0/UDP [2001:DB8:0::7];branch=z9hG4bKa", "[2001:db8::7]:5060", "SIP/2.0/UDP [2001:DB8:0::7];branch=z9hG4bKa"),
    ] {
        assert_eq!(noted(via, source), wanted);
    }
}

#[test]
fn a_response_carries_every_via_of_its_request() {
    let mut stack = Stack::new(Timers::default(), Entropy::from_seed([1; 32]));
    let octets = String::from_utf8(request(Udp, &["INVITE"]).to_vec()).expect("text");
    let octets =
        octets.replace("From:", "Via: SIP/2.0/TCP edge.example;branch=z9hG4bKb\r\nRecord-Route: <sip:edge.example;lr>\r\nFrom:");
    stack.receive(flow(Udp, "192.0.2.9:5062"), octets.into(), Now::default());
    let (_, trying) = stack.poll_transmit().expect("100");
    let trying = Message::parse(trying).expect("a response");
    assert_eq!((trying.status(), trying.vias().map(|vias| vias.len())), (Some(100), Ok(2)));
    assert_eq!(trying.to().map(|to| to.tag()), Ok(None), "a 100 begins no dialog");
    assert_eq!(trying.header(HeaderName::RecordRoute), None);
}

#[test]
fn the_answer_to_a_cancel_comes_from_the_dialog_that_its_invite_began() {
    let (flow, now) = (flow(Udp, "192.0.2.9:5062"), Now::default());
    let mut stack = Stack::new(Timers::default(), Entropy::from_seed([1; 32]));
    stack.receive(flow, request(Udp, &["INVITE"]), now);
    let Some(Heard::Request { key, message, .. }) = stack.poll_heard() else { panic!("not heard") };
    stack.respond(key, Builder::response_to(&message, 180, Some("ours")).build(), now);
    stack.receive(flow, request(Udp, &["CANCEL"]), now);
    let (_, answer) = std::iter::from_fn(|| stack.poll_transmit()).last().expect("200");
    let answer = Message::parse(answer).expect("a response");
    assert_eq!((answer.status(), answer.to().map(|to| to.tag())), (Some(200), Ok(Some("ours"))));
}

#[test]
fn when_there_is_no_room_for_a_request_it_is_told_to_come_back() {
    let (timers, flow, mut now) = (Timers::default(), flow(Udp, "192.0.2.9:5062"), Now::default());
    let mut stack = Stack::new(timers, Entropy::from_seed([1; 32])).holding(MOST);
    let options = |number: usize| -> Bytes {
        let (branch, call) = (format!("branch=z9hG4bK{number}"), format!("call={number}"));
        request(Udp, &["OPTIONS", &branch, &call])
    };
    let mut keys = Vec::new();
    for number in 0..MOST {
        stack.receive(flow, options(number), now);
        match stack.poll_heard() {
            Some(Heard::Request { key, .. }) => keys.push(key),
            other => panic!("{number}: {other:?}"),
        }
    }
    stack.receive(flow, options(MOST), now);
    assert!(stack.poll_heard().is_none());
    let (_, refusal) = stack.poll_transmit().expect("an answer");
    let refusal = Message::parse(refusal).expect("a response");
    assert_eq!((refusal.status(), refusal.header(HeaderName::RetryAfter)), (Some(503), Some(&b"10"[..])));
    assert_eq!(stack.len(), MOST, "it is not kept");
    stack.receive(flow, options(5), now);
    assert!(stack.poll_transmit().is_none(), "who is in already is known");
    let refused = Message::parse(options(0)).expect("a request");
    for key in keys {
        stack.respond(key, Builder::response_to(&refused, 200, Some("t")).build(), now);
    }
    now = now + timers.whole();
    stack.handle_deadline(now);
    assert!(stack.is_empty());
}

#[test]
fn when_there_is_no_room_for_a_request_of_ours_it_has_failed() {
    let (timers, flow, mut now) = (Timers::default(), flow(Tcp, "192.0.2.9:5062"), Now::default());
    let mut stack = Stack::new(timers, Entropy::from_seed([1; 32])).holding(MOST);
    let ask = |stack: &mut Stack, now| stack.request(Builder::request(&Method::Options, "sip:a"), flow, now);
    for _ in 0..MOST {
        ask(&mut stack, now);
        assert!(stack.poll_transmit().is_some());
    }
    let key = ask(&mut stack, now);
    assert!(stack.poll_transmit().is_none());
    assert!(matches!(stack.poll_heard(), Some(Heard::FlowFailed { key: failed }) if failed == key));
    assert_eq!(stack.unanswered(), MOST);
    now = now + timers.whole() + Duration::from_micros(1);
    stack.handle_deadline(now);
    assert!(stack.is_empty());
    assert_eq!(std::iter::from_fn(|| stack.poll_heard()).filter(|heard| matches!(heard, Heard::TimedOut { .. })).count(), MOST);
}

const MOST: usize = 1000;

fn flow(transport: Transport, remote: &str) -> Flow {
    let remote: std::net::SocketAddr = remote.parse().expect("an address");
    let local = if remote.is_ipv6() { "[2001:db8::1]:5060" } else { "192.0.2.1:5060" };
    Flow { transport, local: local.parse().expect("an address"), remote, connection: ConnectionId::default() }
}
