//! Calls between two phones, as RFC 3665 tells them, and what the record says afterwards.

use crate::house::{House, wait_until};
use crate::phone::{Over, Sipp};

/// A house with 201 and 202 registered.
fn house() -> House {
    let house = House::start();
    house.extensions(&["201", "202"]);
    house
}

#[test]
fn a_call_is_answered_and_recorded() {
    let house = house();
    let token = house.token("read");
    let callee = Sipp::new(&house, "202");
    callee.register(60);
    let answering = callee.start("answer", "", &[]);
    Sipp::new(&house, "201").start("call", "202", &[]).succeeds();
    answering.succeeds();
    let record = house.record(&token, |record| record["dialled"] == "202");
    assert_eq!(record["caller"], "201");
    assert!(record["answered_at"].is_string(), "{record}");
    assert!(record["ended_at"].is_string(), "{record}");
    assert!(
        !record["trace"].as_array().map_or(&Vec::new(), |steps| steps).is_empty() || record["trace"].is_object(),
        "the trace is kept: {record}"
    );
    assert_eq!(record["legs"].as_array().map(Vec::len), Some(2), "{record}");
}

#[test]
fn a_call_comes_in_over_tcp() {
    let house = house();
    let callee = Sipp::new(&house, "202");
    callee.register(60);
    let answering = callee.start("answer", "", &[]);
    Sipp::new(&house, "201").over(Over::Tcp).start("call", "202", &[]).succeeds();
    answering.succeeds();
}

#[test]
fn busy_declined_unreachable_and_unknown() {
    let house = house();
    let callee = Sipp::new(&house, "202");
    Sipp::new(&house, "201").start("call_unreachable", "202", &[]).succeeds();
    Sipp::new(&house, "201").start("call_unknown", "555", &[]).succeeds();
    callee.register(60);
    for (answers, hears) in [("answer_busy", "call_busy"), ("answer_declined", "call_declined")] {
        let answering = callee.start(answers, "", &[]);
        Sipp::new(&house, "201").start(hears, "202", &[]).succeeds();
        answering.succeeds();
    }
}

#[test]
fn a_caller_gives_up() {
    let house = house();
    let token = house.token("read");
    let callee = Sipp::new(&house, "202");
    callee.register(60);
    let ringing = callee.start("ring_until_cancelled", "", &[]);
    Sipp::new(&house, "201").start("call_cancelled", "202", &[]).succeeds();
    ringing.succeeds();
    let record = house.record(&token, |record| record["dialled"] == "202");
    assert!(record["answered_at"].is_null(), "{record}");
}

#[test]
fn the_first_of_two_phones_takes_the_call_and_the_other_is_told() {
    let house = house();
    let (quick, slow) = (Sipp::new(&house, "202"), Sipp::new(&house, "202"));
    slow.register(60);
    quick.register(60);
    let losing = slow.start("ring_until_answered_elsewhere", "", &[]);
    let answering = quick.start("answer", "", &[]);
    Sipp::new(&house, "201").start("call", "202", &[]).succeeds();
    answering.succeeds();
    losing.succeeds();
}

#[test]
fn hold_and_resume() {
    let house = house();
    let callee = Sipp::new(&house, "202");
    callee.register(60);
    let answering = callee.start("answer", "", &[]);
    Sipp::new(&house, "201").start("call_hold", "202", &[]).succeeds();
    answering.succeeds();
}

#[test]
fn a_late_offer_is_made_and_answered() {
    let house = house();
    let callee = Sipp::new(&house, "202");
    callee.register(60);
    let answering = callee.start("answer", "", &[]);
    Sipp::new(&house, "201").start("call_late_offer", "202", &[]).succeeds();
    answering.succeeds();
}

#[test]
fn outside_and_emergency_calls_say_that_no_line_exists() {
    let house = house();
    let token = house.token("read");
    for dialled in ["0555123456", "112"] {
        Sipp::new(&house, "201").start("call_outside", dialled, &[]).succeeds();
        let record = house.record(&token, |record| record["dialled"] == dialled);
        let told = house.pbx(&["explain", "--from", "201", "--to", dialled]);
        let outcome = record["outcome_text"].as_str().or(record["outcome"]["text"].as_str()).unwrap_or_default();
        assert!(told.contains("no outside line") || told.contains(outcome), "explain and the live call agree:\n{told}\n{record}");
    }
}

#[test]
fn sigterm_lets_the_running_call_end() {
    let mut house = house();
    let callee = Sipp::new(&house, "202");
    callee.register(60);
    let answering = callee.start("answer", "", &[]);
    let caller = Sipp::new(&house, "201").start("call", "202", &["-d", "1500"]);
    caller.sees("SIP/2.0 200");
    let status = house.stop();
    caller.succeeds();
    answering.succeeds();
    assert_eq!(status, Some(0));
    house.open();
    let token = house.token("read");
    house.record(&token, |record| record["dialled"] == "202" && record["answered_at"].is_string());
}

#[test]
fn the_live_call_is_shown_while_it_lasts() {
    let house = house();
    let token = house.token("read");
    let callee = Sipp::new(&house, "202");
    callee.register(60);
    let ringing = callee.start("ring_until_cancelled", "", &[]);
    let caller = Sipp::new(&house, "201").start("call_cancelled", "202", &[]);
    wait_until("the call is shown", || {
        let calls = house.get(&token, "/api/v1/calls");
        (calls["items"].as_array()?.len() == 1).then_some(())
    });
    caller.succeeds();
    ringing.succeeds();
    wait_until("the call is gone", || house.get(&token, "/api/v1/calls")["items"].as_array()?.is_empty().then_some(()));
}

#[test]
fn a_phone_of_ipv4_calls_one_of_ipv6() {
    let house = House::start_with(&[("PBX_SIP_UDP", "[::]:0"), ("PBX_RTP_ADDRESS", "::")]);
    house.extensions(&["201", "202"]);
    let called = Sipp::new(&house, "202").by_ipv6();
    called.register(60);
    let answering = called.start("answer", "", &[]);
    let calling = Sipp::new(&house, "201").start("call", "202", &[]);
    // Each is told an address of its own family, in signalling and for sound.
    answering.sees("Contact: <sip:[::1]:");
    answering.sees("c=IN IP6 ::1");
    calling.sees("Contact: <sip:127.0.0.1:");
    calling.sees("c=IN IP4 127.0.0.1");
    calling.succeeds();
    answering.succeeds();
    assert_eq!(house.record(&house.token("read"), |record| record["dialled"] == "202")["outcome"], "answered");
}
