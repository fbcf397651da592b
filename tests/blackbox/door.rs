//! Strangers: an address of this machine that is not loopback is one, where the configuration names no networks of our own.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::process::Command;

use serde_json::json;

use crate::house::{House, free_port, wait_until};
use crate::phone::{Over, Sipp, Wire};

/// The house listens everywhere, and nobody but this machine itself is exempt.
fn open_to_strangers() -> House {
    let mut house = House::empty(&[("PBX_SIP_UDP", "0.0.0.0:0"), ("PBX_SIP_TCP", "0.0.0.0:0")]);
    std::fs::write(house.path("house.toml"), "[door]\nown_networks = []\n").expect("a configuration file");
    house.open();
    house
}

/// An address of this machine by which others reach it; nothing is sent to find it.
pub fn outer_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback())
}

fn stranger(house: &House, ip: IpAddr) -> Wire {
    let socket = UdpSocket::bind((ip, 0)).expect("a socket");
    socket.set_read_timeout(Some(std::time::Duration::from_millis(500))).expect("a timeout");
    Wire::Udp(socket, SocketAddr::new(ip, house.sip_udp.port()))
}

/// Asks for a number that is tried; true if anything was said to it.
fn is_answered(wire: &mut Wire, method: &str, number: u32) -> bool {
    let local = wire.local();
    let request = format!(
        "{method} sip:{number}@pbx SIP/2.0\r\nVia: SIP/2.0/UDP {local};rport;branch=z9hG4bK{method}{number}\r\nMax-Forwards: 70\r\n\
         From: <sip:{number}@pbx>;tag=s\r\nTo: <sip:{number}@pbx>\r\nCall-ID: {method}{number}\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:s@{local}>\r\nContent-Length: 0\r\n\r\n"
    );
    wire.send(request.as_bytes());
    !wire.next().is_empty()
}

fn bans(house: &House, token: &str) -> Vec<String> {
    let list = house.get(token, "/api/v1/bans");
    list["items"].as_array().expect("a list").iter().map(|ban| ban["id"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_scanner_is_banned_outlives_the_power_cut_banned_and_is_let_in_by_hand() {
    let Some(ip) = outer_address() else {
        println!("skipped: this machine has no address but loopback");
        return;
    };
    let mut house = open_to_strangers();
    house.extensions(&["201"]);
    let token = house.token("admin");
    let mut scanner = stranger(&house, ip);
    for number in 150..400 {
        if !is_answered(&mut scanner, "REGISTER", number) {
            break;
        }
    }
    wait_until("the scanner is banned", || (bans(&house, &token) == [ip.to_string()]).then_some(()));
    assert!(!is_answered(&mut scanner, "OPTIONS", 1), "what it sends is dropped unread");
    let mut connection = std::net::TcpStream::connect(SocketAddr::new(ip, house.sip_tcp.port())).expect("the system takes it");
    connection.set_read_timeout(Some(crate::house::PATIENCE)).expect("a timeout");
    assert!(matches!(std::io::Read::read(&mut connection, &mut [0; 16]), Ok(0) | Err(_)), "a connection is closed at once");

    wait_until("the ban is on the disk", || {
        let file = house.path("pbx.db");
        let wal = std::fs::read(file.with_extension("db-wal")).unwrap_or_default();
        let written = [std::fs::read(file).unwrap_or_default(), wal].concat();
        written.windows(8).any(|octets| octets == b"unproven").then_some(())
    });
    house.kill();
    house.open();
    assert_eq!(bans(&house, &token), [ip.to_string()], "and is there after the power has gone");
    let mut scanner = stranger(&house, ip);
    assert!(!is_answered(&mut scanner, "OPTIONS", 2));

    house.delete(&token, &format!("/api/v1/bans/{ip}"));
    wait_until("it is listened to again", || is_answered(&mut scanner, "OPTIONS", 3).then_some(()));
    assert_eq!(bans(&house, &token), Vec::<String>::new());
}

#[test]
fn sipvicious_finds_no_extension_and_is_banned() {
    let Some(ip) = outer_address() else {
        println!("skipped: this machine has no address but loopback");
        return;
    };
    let house = open_to_strangers();
    house.extensions(&["201", "202"]);
    let token = house.token("read");
    let port = house.sip_udp.port().to_string();
    // To REGISTER and INVITE a number that nobody has is answered as any other, and it gives up at once; to OPTIONS everybody is.
    for method in ["REGISTER", "INVITE", "OPTIONS"] {
        let scanned = Command::new("timeout")
            .args(["60", "svwar", "--force", "-e", "190-350", "-m", method, "--maximumtime", "2", "-x", &ip.to_string()])
            // Its usual port on every address would be in the way of other tests.
            .args(["-P", &free_port().to_string(), "-b", &ip.to_string(), "-p", &port, &ip.to_string()])
            .output()
            .expect("svwar runs");
        let said = [scanned.stdout, scanned.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("found nothing") || said.contains("| reqauth"), "it did not scan by {method}:\n{said}");
        assert!(!said.contains("| 201 ") && !said.contains("| 202 "), "it found somebody by {method}:\n{said}");
    }
    wait_until("the scanner is banned", || (bans(&house, &token) == [ip.to_string()]).then_some(()));
}

#[test]
fn an_extension_that_must_come_encrypted_is_refused_in_the_clear_and_taken_by_tls() {
    let mut house = House::start();
    house.extensions(&["201"]);
    let token = house.token("admin");
    house.patch(&token, "/api/v1/extensions/201", &json!({ "encryption": "always" }));
    Sipp::new(&house, "201").start("register_refused", "", &[]).succeeds();
    Sipp::new(&house, "201").over(Over::Tls).register(600);
    // A restart reads it from the database.
    house.stop();
    house.open();
    Sipp::new(&house, "201").start("register_refused", "", &[]).succeeds();
    Sipp::new(&house, "201").over(Over::Tls).register(600);
}
