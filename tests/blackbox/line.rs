//! Lines to the outside: a scripted carrier that is registered at, called by SIPp through it and calling in; one that is dead; and a
//! switchboard that is killed.

use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::json;
use tempfile::TempDir;

use crate::house::{House, PATIENCE, free_port, wait_until};
use crate::phone::{Over, Sipp, Wire, listens};
use crate::tls::make;

pub fn line(house: &House, token: &str, name: &str, port: u16, more: &serde_json::Value) -> String {
    let mut settings = json!({
        "name": name, "server": format!("127.0.0.1:{port}"), "user": "0033199001234", "secret": "of the line", "number": "0199001234",
    });
    for (key, value) in more.as_object().expect("settings") {
        settings[key] = value.clone();
    }
    let made = house.post(token, "/api/v1/trunks", &settings);
    assert!(made["settings"]["secret"].is_null() && made["has_secret"] == true, "a secret is never told: {made}");
    made["id"].as_str().expect("an id").to_owned()
}

pub fn is_up(house: &House, token: &str, id: &str) {
    wait_until("the line is up", || (house.get(token, &format!("/api/v1/trunks/{id}"))["line"]["state"] == "up").then_some(()));
}

/// A request of that method, whatever else comes meanwhile.
pub fn request(carrier: &mut Wire, method: &str) -> String {
    carrier.until(method, |text| text.starts_with(&format!("{method} ")))
}

pub fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let value = message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.unwrap_or_else(|| panic!("no {name} in\n{message}"))
}

pub fn answer(carrier: &mut Wire, request: &str, status: &str, more: &str) {
    let copied: String =
        ["Via", "From", "To", "Call-ID", "CSeq"].iter().map(|name| format!("{name}: {}\r\n", header(request, name))).collect();
    let copied = if header(request, "To").contains("tag=") { copied } else { tagged(&copied) };
    carrier.send(format!("SIP/2.0 {status}\r\n{copied}{more}Content-Length: 0\r\n\r\n").as_bytes());
}

fn tagged(copied: &str) -> String {
    copied.lines().map(|line| if line.starts_with("To: ") { format!("{line};tag=c\r\n") } else { format!("{line}\r\n") }).collect()
}

/// Lets the line register: a challenge, and what answers it.
fn registers(carrier: &mut Wire) {
    let challenge = "WWW-Authenticate: Digest realm=\"carrier\", nonce=\"n1\", qop=\"auth\"\r\n";
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let asked = request(carrier, "REGISTER");
        if !asked.contains("Authorization: Digest ") {
            answer(carrier, &asked, "401 Unauthorized", challenge);
            continue;
        }
        assert!(asked.contains("username=\"0033199001234\"") && asked.contains("realm=\"carrier\""), "{asked}");
        let contact = header(&asked, "Contact").to_owned();
        return answer(carrier, &asked, "200 OK", &format!("Contact: {contact};expires=600\r\n"));
    }
    panic!("nobody registers with a secret");
}

#[test]
fn a_line_registers_is_called_in_by_its_number_and_is_back_by_itself_after_a_kill() {
    let mut house = House::start();
    house.extensions(&["201"]);
    let token = house.token("admin");
    let mut carrier = Wire::udp(&house);
    let id = line(&house, &token, "Opérateur", carrier.local().port(), &json!({ "probe_s": 0 }));
    registers(&mut carrier);
    is_up(&house, &token, &id);
    house.post(&token, "/api/v1/numbers", &json!({ "number": "01 99 00 12 34", "label": "Accueil", "to": "201" }));
    let phone = Sipp::new(&house, "201");
    phone.register(60);
    let answering = phone.start("answer", "", &[]);
    let (local, to) = (carrier.local(), house.sip_udp);
    let sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40404 RTP/AVP 8\r\n";
    let invite = format!(
        "INVITE sip:0199001234@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKin1\r\nMax-Forwards: 70\r\n\
         From: <sip:anonymous@anonymous.invalid>;tag=i\r\nTo: <sip:0199001234@{to}>\r\nCall-ID: in-1\r\nCSeq: 1 INVITE\r\n\
         P-Asserted-Identity: <sip:0639981234@carrier.test>\r\nContact: <sip:{local}>\r\nContent-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{sdp}",
        sdp.len()
    );
    carrier.send(invite.as_bytes());
    let taken = carrier.until("200", |text| text.starts_with("SIP/2.0 200") && text.contains("INVITE"));
    let in_dialog = |method: &str, cseq: u8| {
        format!(
            "{method} sip:{to} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKin{cseq}{method}\r\nMax-Forwards: 70\r\nFrom: {}\r\n\
             To: {}\r\nCall-ID: in-1\r\nCSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n",
            header(&taken, "From"),
            header(&taken, "To")
        )
    };
    carrier.send(in_dialog("ACK", 1).as_bytes());
    carrier.send(in_dialog("BYE", 2).as_bytes());
    carrier.until("200 of BYE", |text| text.starts_with("SIP/2.0 200") && text.contains("BYE"));
    answering.succeeds();
    let record = house.record(&token, |record| record["outcome"] == "answered");
    // They hide their number, and the network tells the house alone.
    assert_eq!((&record["caller"], &record["callee"]), (&"+33639981234".into(), &"201".into()), "{record}");
    house.kill();
    house.open();
    // It has other ports now.
    if let Wire::Udp(_, to) = &mut carrier {
        *to = house.sip_udp;
    }
    registers(&mut carrier);
    is_up(&house, &token, &id);
}

#[test]
fn a_call_goes_out_by_the_next_line_when_the_first_is_dead() {
    let house = House::start();
    house.extensions(&["201"]);
    let token = house.token("admin");
    let (dead, alive) = (free_port(), Sipp::new(&house, "carrier"));
    let bare = json!({ "registers": false, "probe_s": 0, "called": "double_zero", "caller": "double_zero" });
    let with = |priority: u16| {
        let mut settings = bare.clone();
        settings["priority"] = priority.into();
        settings
    };
    let first = line(&house, &token, "Morte", dead, &with(1));
    let second = line(&house, &token, "Vivante", alive.port, &with(2));
    is_up(&house, &token, &first);
    is_up(&house, &token, &second);
    let answering = alive.start("answer", "", &[]);
    Sipp::new(&house, "201").start("call", "0639981234", &[]).succeeds();
    answering.sees("INVITE sip:0033639981234@");
    answering.sees("From: <sip:0033199001234@");
    answering.succeeds();
    let record = house.record(&token, |record| record["dialled"] == "0639981234");
    assert_eq!(record["outcome"], "answered", "{record}");
    let lines: Vec<&str> =
        record["trace"].as_array().expect("a trace").iter().filter_map(|step| step["params"]["line"].as_str()).collect();
    assert_eq!(lines, [first.as_str(), second.as_str()], "{record}");
}

#[test]
fn a_carrier_on_tls_must_prove_who_it_is() {
    let folder = TempDir::new().expect("a folder for certificates");
    make(folder.path(), "carrier");
    make(folder.path(), "impostor");
    let house = House::start_configured(&format!("[tls]\nauthorities = \"{}/carrier.pem\"\n", folder.path().display()));
    house.extensions(&["201"]);
    let token = house.token("admin");
    let carrier = Sipp::new(&house, "carrier").over(Over::Tcp);
    let (real, false_one) = (Secured::start(&folder, "carrier", carrier.port), Secured::start(&folder, "impostor", carrier.port));
    let by_tls = |probe_s: u16| json!({ "registers": false, "probe_s": probe_s, "transport": "tls" });
    let answering = carrier.start("answer", "", &[]);
    let id = line(&house, &token, "Opérateur", real.port, &by_tls(0));
    is_up(&house, &token, &id);
    Sipp::new(&house, "201").start("call", "0639981234", &[]).succeeds();
    answering.sees("Via: SIP/2.0/TLS ");
    answering.succeeds();
    let id = line(&house, &token, "Imposteur", false_one.port, &by_tls(15));
    let down = wait_until("the impostor is found out", || {
        let line = house.get(&token, &format!("/api/v1/trunks/{id}"))["line"].clone();
        (line["state"] == "down").then_some(line)
    });
    assert_eq!(down["failure"], "distrusted", "{down}");
}

/// A port of TLS before one of TCP.
struct Secured {
    child: Child,
    port: u16,
}

impl Secured {
    fn start(folder: &TempDir, name: &str, behind: u16) -> Secured {
        let port = free_port();
        let child = Command::new("socat")
            .current_dir(folder.path())
            .arg(format!("OPENSSL-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,cert={name}.pem,key={name}.key,verify=0"))
            .arg(format!("TCP:127.0.0.1:{behind}"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("socat starts (Debian package socat)");
        wait_until("socat listens", || listens(port).then_some(()));
        Secured { child, port }
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
