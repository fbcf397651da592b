//! Phones register: several at once, over UDP and TCP, and their bindings outlive the power.

use std::fs;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::house::{House, free_port, secret, wait_until};
use crate::phone::{Over, Sipp, Wire};

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
    let folder = TempDir::new().expect("a folder for linphone");
    let port = free_port();
    let config = format!(
        "[sip]\nsip_port={port}\ndefault_proxy=0\nregister_only_when_network_is_up=0\nregister_only_when_upnp_is_ok=0\nipv6_migration_done=1\nuse_ipv6=0\n\
         [net]\nfirewall_policy=none\n[app]\nauto_download_linkto=\n[sound]\nplayback_dev_id=\n[video]\ncapture=0\ndisplay=0\n\
         [auth_info_0]\nusername=203\npasswd={}\nrealm=*\n[proxy_0]\nreg_proxy=<sip:{1}>\nreg_identity=sip:203@{1}\nreg_expires=600\nreg_sendregister=1\npublish=0\n",
        secret("203"),
        house.sip_udp,
    );
    fs::create_dir_all(folder.path().join(".local/share/linphone")).expect("linphone's folder");
    let config_file = folder.path().join("linphonerc");
    fs::write(&config_file, config).expect("linphone's config");
    let mut phone = Command::new("linphonec")
        .arg("-c")
        .arg(&config_file)
        .env("HOME", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("linphonec starts (Debian package linphone-cli)");
    wait_until("linphone has registered", || (house.registered(&token, "203") == 1).then_some(()));
    let _ = phone.kill();
    let _ = phone.wait();
}

#[test]
fn wrong_unknown_and_disabled_look_the_same() {
    let house = House::start();
    house.extensions(&["201", "202"]);
    let admin = house.token("admin");
    let url = format!("http://{}/api/v1/extensions/202", house.http);
    ureq::patch(&url)
        .header("authorization", format!("Bearer {admin}"))
        .send_json(serde_json::json!({ "enabled": false }))
        .expect("202 is disabled");
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

/// Status line and header names, without the values that differ from one message to the next.
fn shape(answer: &str) -> String {
    let mut lines = answer.lines();
    let status = lines.next().unwrap_or_default();
    let names: Vec<&str> =
        lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(':').map(|(name, _)| name)).collect();
    format!("{status}\n{}", names.join("\n"))
}
