//! A telephone at home, behind a router that translates addresses: networks of the test's own, taken away at its end.

use std::process::Command;

use crate::house::{House, wait_until};
use crate::phone::{Baresip, Linphone, Over};
use crate::sound;

#[test]
fn linphone_behind_a_router_calls_by_tls_and_both_hear_each_other() {
    let Some(home) = Home::build() else {
        println!("skipped: no network can be made here (root, ip and iptables are needed)");
        return;
    };
    let outside = format!("{}:0", home.house);
    let house = House::start_with(&[("PBX_SIP_TLS", &outside), ("PBX_SIP_UDP", &outside), ("PBX_RTP_ADDRESS", &home.house)]);
    house.extensions(&["201", "202"]);
    let token = house.token("read");
    let folder = tempfile::TempDir::new().expect("a folder for tones");
    let mut desk = Baresip::start(&house, "202", &sound::tone(folder.path(), 1000.0, -10.0, 60), true, Over::Udp);
    let mut phone = Linphone::start_within(&house, "201", Over::Tls, &home.inside);
    wait_until("both have registered", || (house.registered(&token, "201") + house.registered(&token, "202") == 2).then_some(()));
    let device = house.get(&token, "/api/v1/extensions/201")["devices"][0].clone();
    let address = device["address"].as_str().unwrap_or_default();
    assert!(address.starts_with(&format!("{}:", home.router)), "it is seen at its router's address: {device}");
    phone.types("soundcard use files");
    phone.types(&format!("call sip:202@{}", house.sip_tls));
    phone.shows("Media streams established with sip:202");
    phone.types("play /usr/share/sounds/linphone/hello8000.wav");
    desk.heard(3);
    phone.types("terminate");
    let record = house.record(&token, |record| record["dialled"] == "202");
    assert_eq!(record["outcome"], "answered", "{record}");
    for leg in record["legs"].as_array().expect("legs") {
        assert!(leg["packets_received"].as_u64().is_some_and(|packets| packets > 100), "nothing is heard of one side: {record}");
    }
    assert_eq!((&record["legs"][0]["protected"], &record["legs"][1]["protected"]), (&true.into(), &false.into()), "{record}");
    desk.stop();
    // And what the other way round rings is the phone behind the router.
    let mut desk = Baresip::start(&house, "202", &sound::tone(folder.path(), 1000.0, -10.0, 60), false, Over::Udp);
    wait_until("the desk phone has registered again", || (house.registered(&token, "202") >= 1).then_some(()));
    desk.types(&format!("/dial sip:201@{}", house.sip_udp));
    phone.shows("Receiving new incoming call from");
    phone.types("answer");
    wait_until("it was answered", || {
        let calls = house.get(&token, "/api/v1/calls");
        (calls["items"][0]["state"] == "talking").then_some(())
    });
    phone.types("terminate");
    house.record(&token, |record| record["dialled"] == "201" && record["outcome"] == "answered");
}

/// A router with a network behind it, as at home.
struct Home {
    /// The house's address on the internet.
    house: String,
    /// The router's.
    router: String,
    /// Where the phone is: a network namespace.
    inside: String,
    /// The router.
    between: String,
}

impl Home {
    fn build() -> Option<Home> {
        let own = std::process::id() % 250;
        let home = Home {
            house: format!("198.51.100.{}", own & !3 | 1),
            router: format!("198.51.100.{}", own & !3 | 2),
            inside: format!("pbx-in-{}", std::process::id()),
            between: format!("pbx-nat-{}", std::process::id()),
        };
        let Home { house, router, inside, between } = &home;
        let (near, far) = (format!("pbxa{own}"), format!("pbxb{own}"));
        let steps = [
            format!("ip netns add {inside}"),
            format!("ip netns add {between}"),
            format!("ip link add {near} type veth peer name out netns {between}"),
            format!("ip link add {far} netns {inside} type veth peer name home netns {between}"),
            format!("ip address add {house}/30 dev {near}"),
            format!("ip link set {near} up"),
            format!("ip -n {between} address add {router}/30 dev out"),
            format!("ip -n {between} link set out up"),
            format!("ip -n {between} address add 192.168.77.1/24 dev home"),
            format!("ip -n {between} link set home up"),
            format!("ip -n {between} route add default via {house}"),
            format!("ip -n {inside} link set lo up"),
            format!("ip -n {inside} address add 192.168.77.2/24 dev {far}"),
            format!("ip -n {inside} link set {far} up"),
            format!("ip -n {inside} route add default via 192.168.77.1"),
            format!("ip netns exec {between} sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'"),
            format!("ip netns exec {between} iptables -t nat -A POSTROUTING -o out -j MASQUERADE"),
        ];
        for step in &steps {
            let done = Command::new("sh").args(["-c", step]).output().ok()?;
            if !done.status.success() {
                println!("{step}: {}", String::from_utf8_lossy(&done.stderr).trim());
                return None;
            }
        }
        Some(home)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for network in [&self.inside, &self.between] {
            let _ = Command::new("ip").args(["netns", "delete", network]).output();
        }
    }
}
