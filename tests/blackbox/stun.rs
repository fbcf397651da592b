//! The house asks a STUN server where the world sees it, and follows when the router is given another address.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;

use crate::door::outer_address;
use crate::house::House;
use crate::line::{answer, header, line, request};
use crate::phone::Wire;

/// Says of everybody who asks that they are at one address.
struct StunServer {
    port: u16,
    says: Arc<AtomicU32>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl StunServer {
    fn start(says: Ipv4Addr) -> StunServer {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
        let port = socket.local_addr().expect("an address").port();
        let (says, over) = (Arc::new(AtomicU32::new(says.to_bits())), Arc::new(AtomicBool::new(false)));
        let (word, end) = (Arc::clone(&says), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 1_500];
            while !end.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
                if length < 20 || buffer[..2] != [0, 1] {
                    continue;
                }
                // RFC 8489 14.2, by hand: the port and the address are mixed with the magic cookie.
                let mut response = vec![1, 1, 0, 12];
                response.extend(&buffer[4..20]);
                response.extend([0, 0x20, 0, 8, 0, 1]);
                response.extend((40_000u16 ^ 0x2112).to_be_bytes());
                response.extend((word.load(Ordering::Relaxed) ^ 0x2112_a442).to_be_bytes());
                let _ = socket.send_to(&response, from);
            }
        });
        StunServer { port, says, over, thread: Some(thread) }
    }

    fn says(&self, address: Ipv4Addr) {
        self.says.store(address.to_bits(), Ordering::Relaxed);
    }
}

impl Drop for StunServer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[test]
fn a_line_is_told_where_the_world_sees_us_and_told_again_when_that_is_elsewhere() {
    let Some(ip) = outer_address() else {
        println!("skipped: this machine has no address but loopback");
        return;
    };
    let stun = StunServer::start(Ipv4Addr::new(203, 0, 113, 7));
    let mut house = House::empty(&[("PBX_SIP_UDP", "0.0.0.0:0")]);
    let configuration = format!("[sip]\nstun_server = \"127.0.0.1:{}\"\nstun_every_s = 1\n[door]\nown_networks = []\n", stun.port);
    std::fs::write(house.path("house.toml"), configuration).expect("a configuration file");
    house.open();
    let token = house.token("admin");
    let mut carrier = Wire::udp_at(&house, &ip.to_string(), 0);
    let server = format!("{ip}:{}", carrier.local().port());
    line(&house, &token, "Opérateur", carrier.local().port(), &json!({ "server": server, "probe_s": 0 }));
    registers_from(&mut carrier, "203.0.113.7");
    stun.says(Ipv4Addr::new(203, 0, 113, 8));
    registers_from(&mut carrier, "203.0.113.8");
}

fn registers_from(carrier: &mut Wire, address: &str) {
    loop {
        let asked = request(carrier, "REGISTER");
        answer(carrier, &asked, "200 OK", &format!("Contact: {};expires=600\r\n", header(&asked, "Contact")));
        if header(&asked, "Contact").contains(&format!("@{address}:")) {
            assert!(header(&asked, "Via").contains(address), "{asked}");
            return;
        }
    }
}

#[test]
fn who_asks_on_the_port_of_sip_is_told_where_they_are() {
    let house = House::start();
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let id = *b"twelve chars";
    let request = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &id].concat();
    socket.send_to(&request, house.sip_udp).expect("it is sent");
    let mut buffer = [0; 100];
    let (length, _) = socket.recv_from(&mut buffer).expect("an answer");
    let port = socket.local_addr().expect("an address").port() ^ 0x2112;
    let address = Ipv4Addr::LOCALHOST.to_bits() ^ 0x2112_a442;
    let mapped = [&[0, 0x20, 0, 8, 0, 1][..], &port.to_be_bytes(), &address.to_be_bytes()].concat();
    assert_eq!((&buffer[..2], &buffer[8..20], &buffer[20..length]), (&[1, 1][..], &id[..], &mapped[..]));
}
