//! What is too large for a datagram goes over a connection, and as a datagram after all where there is none (RFC 3261 18.1.1).

use std::time::Duration;

use bytes::Bytes;
use pbx_sip::clock::{Now, Tick, Wall};
use pbx_sip::entropy::Entropy;
use pbx_sip::flow::{ConnectionId, Flow, Transport};
use pbx_sip::message::{Builder, HeaderName, Method};
use pbx_sip::stack::{Heard, Stack};
use pbx_sip::transaction::Timers;

const START: Now = Now { tick: Tick(0), wall: Wall(0) };

fn by_udp() -> Flow {
    let (local, remote) = ("192.0.2.254:5060".parse().expect("an address"), "192.0.2.1:5060".parse().expect("an address"));
    Flow { transport: Transport::Udp, local, remote, connection: ConnectionId(0) }
}

fn sent(octets: usize) -> (Stack, Flow, String) {
    let mut stack = Stack::new(Timers::default(), Entropy::from_seed([1; 32]));
    let invite = Builder::request(&Method::Invite, "sip:201@192.0.2.1")
        .header(HeaderName::From, "<sip:202@pbx.test>;tag=f")
        .header(HeaderName::To, "<sip:201@pbx.test>")
        .header(HeaderName::CallId, "c")
        .header(HeaderName::CSeq, "1 INVITE")
        .body("text/plain", vec![b'x'; octets]);
    stack.request_either_way(invite, by_udp(), START);
    let (flow, text) = next(&mut stack);
    (stack, flow, text)
}

fn next(stack: &mut Stack) -> (Flow, String) {
    let (flow, octets) = stack.poll_transmit().expect("octets to send");
    (flow, String::from_utf8(octets.to_vec()).expect("text"))
}

fn branch(text: &str) -> &str {
    text.split("branch=").nth(1).and_then(|rest| rest.lines().next()).expect("a branch")
}

fn answer(stack: &mut Stack, flow: Flow, invite: &str) {
    let headers: String =
        invite.lines().skip(1).take_while(|line| !line.starts_with("Content")).map(|line| format!("{line}\r\n")).collect();
    let response = format!("SIP/2.0 180 Ringing\r\n{headers}Content-Length: 0\r\n\r\n");
    assert!(stack.receive(flow, Bytes::from(response), START));
    assert!(matches!(stack.poll_heard(), Some(Heard::Response { .. })));
}

#[test]
fn a_small_request_is_a_datagram_and_a_large_one_is_not() {
    let (_, flow, text) = sent(900);
    assert!(flow == by_udp() && text.contains("Via: SIP/2.0/UDP "), "{text}");
    let (mut stack, flow, text) = sent(1_200);
    assert!(flow.transport == Transport::Tcp && text.contains("Via: SIP/2.0/TCP "), "{text}");
    answer(&mut stack, flow, &text);
    stack.handle_deadline(START + Duration::from_secs(20));
    assert!(stack.poll_transmit().is_none(), "it was heard");
}

#[test]
fn where_there_is_no_connection_a_datagram_goes_under_the_same_branch() {
    let (mut stack, flow, text) = sent(1_200);
    stack.flow_closed(flow);
    assert!(stack.poll_heard().is_none(), "nothing has failed yet");
    let (flow, datagram) = next(&mut stack);
    assert!(flow == by_udp() && datagram.contains("Via: SIP/2.0/UDP "), "{datagram}");
    assert_eq!(branch(&datagram), branch(&text));
    answer(&mut stack, flow, &datagram);
}

#[test]
fn where_nothing_is_heard_over_a_connection_it_goes_as_a_datagram_and_again_as_one() {
    let (mut stack, _, text) = sent(1_200);
    for ms in [500, 1_500, 3_500] {
        stack.handle_deadline(START + Duration::from_millis(ms));
        let (flow, datagram) = next(&mut stack);
        assert!(flow == by_udp() && branch(&datagram) == branch(&text), "{datagram}");
        assert!(stack.poll_transmit().is_none(), "once");
    }
    stack.handle_deadline(START + Duration::from_secs(32));
    while stack.poll_transmit().is_some() {}
    assert!(matches!(stack.poll_heard(), Some(Heard::TimedOut { .. })));
}
