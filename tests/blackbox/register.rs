//! Phones register: several at once, over UDP and TCP, and their bindings outlive the power.

use tempfile::TempDir;

use crate::house::{House, wait_until};
use crate::phone::{Baresip, Linphone, Over, Sipp, Wire};
use crate::sound;

#[test]
fn a_phone_registers_over_udp_and_unregisters() {
    let house = House::start();
    house.extensions(&["201"]);
    let token = house.token("read");
    let phone = Sipp::new(&house, "201");
    phone.register(60);
    assert_eq!(house.registered(&token, "201"), 1);
    phone.register(0);
    wait_until("the binding is gone", || (house.registered(&token, "201") == 0).then_some(()));
}

#[test]
fn a_phone_registers_over_tcp() {
    let house = House::start();
    house.extensions(&["201"]);
    let token = house.token("read");
    Sipp::new(&house, "201").over(Over::Tcp).register(60);
    let extension = house.get(&token, "/api/v1/extensions/201");
    assert_eq!(extension["number"], "201");
}

#[test]
fn an_extension_has_several_phones() {
    let house = House::start();
    house.extensions(&["201"]);
    let token = house.token("read");
    let (first, second) = (Sipp::new(&house, "201"), Sipp::new(&house, "201"));
    first.register(60);
    second.register(60);
    assert_eq!(house.registered(&token, "201"), 2);
    second.register(0);
    wait_until("one phone is left", || (house.registered(&token, "201") == 1).then_some(()));
}

#[test]
fn bindings_are_alive_after_kill_9() {
    let mut house = House::start();
    house.extensions(&["201"]);
    let token = house.token("read");
    Sipp::new(&house, "201").register(600);
    assert_eq!(house.registered(&token, "201"), 1);
    house.kill();
    house.open();
    assert_eq!(house.registered(&token, "201"), 1, "a binding that was acknowledged is there after the power has gone");
}

#[test]
fn linphone_registers() {
    let house = House::start();
    house.extensions(&["203"]);
    let token = house.token("read");
    let _phone = Linphone::start(&house, "203", Over::Udp);
    wait_until("linphone has registered", || (house.registered(&token, "203") == 1).then_some(()));
}

#[test]
fn phones_register_whatever_algorithm_comes_first() {
    // SIPp 3.6 and baresip 1.0 give up at an algorithm they do not know, where it comes first.
    let md5_only = r#"md5_only = ["baresip", "test phone"]"#;
    for order in [r#"["MD5", "SHA-256"]"#, r#"["SHA-256", "MD5"]"#] {
        let house = House::start_configured(&format!("[sip]\nalgorithms = {order}\n{md5_only}\n"));
        house.extensions(&["201", "202", "203"]);
        let token = house.token("read");
        let folder = TempDir::new().expect("a folder for a tone");
        Sipp::new(&house, "201").register(60);
        let _baresip = Baresip::start(&house, "202", &sound::tone(folder.path(), 440.0, -10.0, 1), true, Over::Udp);
        let _linphone = Linphone::start(&house, "203", Over::Udp);
        for number in ["201", "202", "203"] {
            wait_until(&format!("{number} has registered where {order} is offered"), || {
                (house.registered(&token, number) == 1).then_some(())
            });
        }
    }
}

#[test]
fn wrong_unknown_and_disabled_look_the_same() {
    let house = House::start();
    house.extensions(&["201", "202"]);
    let admin = house.token("admin");
    disable(&house, &admin, "202");
    // The digest is wrong for 201, right for 202 as it was before, and anything for 299, which nobody has.
    let answers: Vec<String> = ["201", "202", "299"]
        .iter()
        .map(|number| {
            let mut wire = Wire::udp(&house);
            let local = wire.local();
            let request = format!(
                "REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKsame;rport\r\nFrom: <sip:{number}@127.0.0.1>;tag=a\r\nTo: <sip:{number}@127.0.0.1>\r\nCall-ID: same-{number}\r\nCSeq: 1 REGISTER\r\nContact: <sip:{number}@{local}>\r\nAuthorization: Digest username=\"{number}\", realm=\"x\", nonce=\"made-up\", uri=\"sip:127.0.0.1\", response=\"00000000000000000000000000000000\"\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
            );
            wire.send(request.as_bytes());
            let answer = wire.until("an answer", |text| text.starts_with("SIP/2.0"));
            shape(&answer)
        })
        .collect();
    assert!(answers[0].starts_with("SIP/2.0 401"), "{}", answers[0]);
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    for (number, scenario) in [("202", "register_refused"), ("299", "register_refused")] {
        Sipp::new(&house, number).start(scenario, "", &[]).succeeds();
    }
}

#[test]
fn wrong_unknown_and_disabled_take_the_same_time() {
    let house = House::start();
    house.extensions(&["201", "202"]);
    let admin = house.token("admin");
    disable(&house, &admin, "202");
    // A busy machine may disturb one measurement; what is systematic disturbs each.
    let measured: Vec<[f64; 3]> = (0..5).map(|round| median_times(&house, ["201", "202", "299"], round)).collect();
    let within = |times: &&[f64; 3]| {
        let (least, most) = times.iter().fold((f64::MAX, 0f64), |(least, most), time| (least.min(*time), most.max(*time)));
        most <= least * 1.05
    };
    assert!(measured.iter().any(|times| within(&times)), "medians in microseconds of 201, 202 and 299: {measured:?}");
}

/// The median time of 1,000 answers to a wrong digest for each of these, asked in turn.
fn median_times(house: &House, numbers: [&str; 3], round: u32) -> [f64; 3] {
    let mut wire = Wire::udp(house);
    let local = wire.local();
    let register = |number: &str, cseq: usize, credentials: &str| {
        format!(
            "REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKt{round}x{number}x{cseq};rport\r\nFrom: <sip:{number}@127.0.0.1>;tag=a\r\nTo: <sip:{number}@127.0.0.1>\r\nCall-ID: time-{round}-{number}-{cseq}\r\nCSeq: {cseq} REGISTER\r\nContact: <sip:{number}@{local}>\r\n{credentials}Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
    };
    wire.send(register("201", 1, "").as_bytes());
    let challenge = wire.until("a challenge", |text| text.contains("nonce="));
    let value = |name: &str| {
        challenge.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next()).expect("a value").to_owned()
    };
    let (realm, nonce) = (value("realm"), value("nonce"));
    let mut times: [Vec<f64>; 3] = Default::default();
    for cseq in 2..1_002 {
        for (number, times) in numbers.iter().zip(&mut times) {
            let credentials = format!(
                "Authorization: Digest username=\"{number}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"sip:127.0.0.1\", response=\"{cseq:032x}\"\r\n"
            );
            let request = register(number, cseq, &credentials);
            let asked = std::time::Instant::now();
            wire.send(request.as_bytes());
            let answer = wire.next();
            times.push(asked.elapsed().as_secs_f64() * 1e6);
            assert!(answer.starts_with("SIP/2.0 401"), "{answer}");
        }
    }
    times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    })
}

fn disable(house: &House, admin: &str, number: &str) {
    ureq::patch(format!("http://{}/api/v1/extensions/{number}", house.http))
        .header("authorization", format!("Bearer {admin}"))
        .send_json(serde_json::json!({ "enabled": false }))
        .expect("it is disabled");
}

/// Status line and header names, without the values that differ from one message to the next.
fn shape(answer: &str) -> String {
    let mut lines = answer.lines();
    let status = lines.next().unwrap_or_default();
    let names: Vec<&str> =
        lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(':').map(|(name, _)| name)).collect();
    format!("{status}\n{}", names.join("\n"))
}
