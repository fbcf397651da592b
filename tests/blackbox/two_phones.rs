//! Two real phones talk through the switchboard, and each hears what the other says.

use tempfile::TempDir;

use crate::house::{House, wait_until};
use crate::phone::{Baresip, Over};
use crate::sound;

#[test]
fn each_hears_the_tone_of_the_other() {
    talk(Over::Udp, Over::Udp);
}

#[test]
fn phones_on_tcp_hear_each_other() {
    talk(Over::Tcp, Over::Tcp);
}

#[test]
fn phones_on_tls_hear_each_other() {
    talk(Over::Tls, Over::Tls);
}

#[test]
fn a_phone_on_udp_and_one_on_tls_hear_each_other() {
    talk(Over::Udp, Over::Tls);
}

#[test]
fn phones_that_insist_on_protected_sound_hear_each_other() {
    talk_as((Over::Tls, "srtp-mand"), (Over::Tls, "srtp-mand"));
}

#[test]
fn a_phone_with_protected_sound_and_one_without_hear_each_other() {
    talk_as((Over::Tls, "srtp"), (Over::Udp, ""));
}

#[test]
fn a_phone_that_is_offered_nothing_but_plain_sound_and_insists_on_more_gets_it() {
    talk_as((Over::Udp, ""), (Over::Udp, "srtp-mand"));
}

fn talk(calls: Over, answers: Over) {
    talk_as((calls, ""), (answers, ""));
}

fn talk_as((calls, caller_keys): (Over, &str), (answers, callee_keys): (Over, &str)) {
    let house = House::start();
    house.extensions(&["201", "202"]);
    let token = house.token("read");
    let folder = TempDir::new().expect("a folder for tones");
    let (low, high) = (sound::tone(folder.path(), 440.0, -10.0, 60), sound::tone(folder.path(), 1000.0, -16.0, 60));
    let phone = |number: &str, plays: &std::path::Path, picks_up: bool, over: Over, keys: &str| match keys {
        "" => Baresip::start(&house, number, plays, picks_up, over),
        keys => Baresip::protected(&house, number, plays, picks_up, over, keys),
    };
    let mut callee = phone("202", &high, true, answers, callee_keys);
    let mut caller = phone("201", &low, false, calls, caller_keys);
    wait_until("both phones are registered", || {
        (house.registered(&token, "201") == 1 && house.registered(&token, "202") == 1).then_some(())
    });
    let devices = |number: &str| house.get(&token, &format!("/api/v1/extensions/{number}"))["devices"][0]["transport"].clone();
    assert_eq!((devices("201"), devices("202")), (calls.name().to_uppercase().into(), answers.name().to_uppercase().into()));
    caller.types(&format!("/dial sip:202@{};transport={}", calls.at(&house), calls.name()));
    let (at_callee, at_caller) = (callee.heard(5), caller.heard(5));
    // Each phone answers our reports with its own after a few seconds: the page shows how the call sounds while it goes on.
    wait_until("both phones have reported", || {
        let calls = house.get(&token, "/api/v1/calls");
        let legs = calls["items"][0]["legs"].as_array()?.clone();
        (legs.len() == 2 && legs.iter().all(|leg| leg["quality"]["round_trip_ms"].is_number())).then_some(())
    });
    caller.types("/hangup");
    let record = house.record(&token, |record| record["dialled"] == "202" && record["ended_at"].is_string());
    callee.stop();
    caller.stop();
    for (path, hertz, level_db) in [(at_callee, 440.0, -10.0), (at_caller, 1000.0, -16.0)] {
        let heard = sound::listen(&path);
        assert!((heard.hertz - hertz).abs() <= 2.0, "sent {hertz} Hz, heard {heard:?}");
        assert!((heard.level_db - level_db).abs() <= 0.5, "sent {level_db} dB, heard {heard:?}");
    }
    assert!(record["codec"].as_str().is_some_and(|codec| codec.contains("PCMA")), "{record}");
    assert_eq!(record["grade"], "good", "{record}");
    let protected: Vec<_> = record["legs"].as_array().expect("legs").iter().map(|leg| leg["protected"].clone()).collect();
    assert_eq!(protected, [!caller_keys.is_empty(), !callee_keys.is_empty()], "{record}");
    for leg in record["legs"].as_array().expect("legs") {
        assert!(leg["packets_received"].as_u64().unwrap_or(0) > 200, "{leg}");
        let quality = &leg["quality"];
        assert!(quality["round_trip_ms"].as_f64().is_some_and(|ms| (0.0..500.0).contains(&ms)), "{leg}");
        for direction in ["from", "to"] {
            assert_eq!(quality[direction]["loss_percent"], 0.0, "nothing is lost on loopback: {leg}");
            assert!(quality[direction]["jitter_ms"].as_f64().is_some_and(|ms| ms < 100.0), "{leg}");
        }
        assert_eq!(quality["grade"], "good", "{leg}");
    }
}
