//! SIP for browsers (RFC 7118): JsSIP in Chromium over WSS, and what strangers may do at that door.

use std::net::TcpStream;
use std::process::Command;

use tungstenite::client::IntoClientRequest;
use tungstenite::http::HeaderValue;
use tungstenite::{Message, WebSocket};

use crate::chromium::Chromium;
use crate::house::{House, PATIENCE, secret, wait_until};
use crate::phone::Sipp;

#[test]
fn a_browser_registers_and_speaks_with_desk_phones() {
    let house = House::start();
    house.extensions(&["201", "202"]);
    let token = house.token("read");
    let (domain, secure) = (house.sip_udp.ip().to_string(), house.https.to_string());
    let environment = [("HOUSE", secure.as_str()), ("DOMAIN", &domain), ("USER_OF_PHONE", "201"), ("SECRET", &secret("201"))];
    let mut browser = Chromium::start("websocket.mjs", &environment);
    browser.says("registered");
    let device = house.get(&token, "/api/v1/extensions/201")["devices"][0].clone();
    assert_eq!(device["transport"], "WSS", "{device}");
    let desk = Sipp::new(&house, "202");
    desk.register(600);
    // A desk phone calls the browser, which is busy.
    desk.start("call_busy", "201", &[]).succeeds();
    browser.says("called by 202");
    house.record(&token, |record| record["dialled"] == "201" && record["outcome"] == "busy");
    let reading = desk.start("take_text", "", &[]);
    browser.hears(&format!("text sip:202@{}", house.sip_udp.ip()));
    reading.sees("Doors open at eight");
    reading.succeeds();
    browser.says("text taken");
    // Its sound (DTLS-SRTP) is not spoken here yet, and it is told so instead of being left in silence.
    browser.hears(&format!("call sip:202@{}", house.sip_udp.ip()));
    browser.says("call failed: Incompatible SDP");
    browser.hears("leave");
    browser.says("unregistered");
    wait_until("the browser is gone", || (house.registered(&token, "201") == 0).then_some(()));
    browser.ends();
}

#[test]
fn strangers_with_websockets_cost_nobody_anything() {
    let house = House::start();
    house.extensions(&["201"]);
    let token = house.token("read");
    assert!(connect(&house, None).is_err(), "who speaks no SIP is sent away");
    assert!(connect(&house, Some("mqtt")).is_err());
    let mut large = connect(&house, Some("sip")).expect("a connection");
    let _ = large.send(Message::text("x".repeat(100_000)));
    wait_until("it is closed", || large.read().is_err().then_some(()));
    let mut phone = connect(&house, Some("sip")).expect("a connection");
    for junk in ["", "\r\n\r\n", "nothing", "INVITE sip:201@x SIP/2.0\r\n\r\n"] {
        phone.send(Message::text(junk)).expect("it is sent");
    }
    phone.send(Message::binary(vec![0xff; 500])).expect("it is sent");
    let options = "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bKo\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
    phone.send(Message::text(options)).expect("it is sent");
    let answer = wait_until("the answer comes", || match phone.read() {
        Ok(Message::Text(text)) if text.starts_with("SIP/2.0 200") => Some(text),
        Ok(_) => None,
        Err(error) => panic!("the connection has ended: {error}"),
    });
    assert!(answer.contains("Via: SIP/2.0/WS x.invalid;branch=z9hG4bKo;received=127.0.0.1"), "{answer}");
    assert_eq!(house.registered(&token, "201"), 0);
    house.lives();
}

#[test]
fn pages_are_served_encrypted_and_their_cookies_stay_there() {
    let house = House::start();
    let log = house.log();
    let token = log.split("/setup#token=").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a set-up link");
    let first = serde_json::json!({ "token": token, "name": "camille", "password": "une phrase de passe bien longue" });
    let output = Command::new("curl")
        .args(["-s", "-i", "--cacert"])
        .arg(house.path("tls/certificate.pem"))
        .args(["-H", "content-type: application/json", "-d", &first.to_string()])
        .arg(format!("https://{}/api/v1/setup", house.https))
        .output()
        .expect("curl starts");
    let answer = String::from_utf8_lossy(&output.stdout).to_lowercase();
    assert!(answer.starts_with("http/1.1 200"), "{answer}");
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
    assert!(cookie.trim().ends_with("; secure"), "{cookie}");
}

fn connect(house: &House, protocol: Option<&str>) -> Result<WebSocket<TcpStream>, String> {
    let mut request = format!("ws://{}/sip", house.http).into_client_request().map_err(|error| error.to_string())?;
    if let Some(protocol) = protocol {
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_str(protocol).expect("a word"));
    }
    let stream = TcpStream::connect(house.http).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time");
    tungstenite::client(request, stream).map(|(socket, _)| socket).map_err(|error| error.to_string())
}
