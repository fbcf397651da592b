//! Encrypted signalling: phones that check who we are, certificates that change under them, and strangers at the door.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::house::{House, wait_until};
use crate::phone::{Linphone, Over, Sipp, Wire};

#[test]
fn linphone_registers_if_the_certificate_is_the_one_it_trusts() {
    let house = House::start();
    house.extensions(&["203"]);
    let token = house.token("read");
    let phone = Linphone::start(&house, "203", Over::Tls);
    wait_until("linphone has registered", || (house.registered(&token, "203") == 1).then_some(()));
    assert_eq!(house.get(&token, "/api/v1/extensions/203")["devices"][0]["transport"], "TLS");
    drop(phone);
    // It alone could open that connection, and so it cannot be reached any more.
    wait_until("the phone is gone with its connection", || (house.registered(&token, "203") == 0).then_some(()));
}

#[test]
fn a_phone_on_tls_calls_one_on_udp() {
    let house = House::start();
    house.extensions(&["201", "202"]);
    let token = house.token("read");
    let callee = Sipp::new(&house, "202");
    callee.register(600);
    let answering = callee.start("answer", "", &[]);
    Sipp::new(&house, "201").over(Over::Tls).start("call", "202", &[]).succeeds();
    answering.succeeds();
    house.record(&token, |record| record["dialled"] == "202" && record["outcome"] == "answered");
}

#[test]
fn strangers_at_the_door_cost_nobody_anything() {
    let house = House::start();
    house.extensions(&["201", "202"]);
    let token = house.token("read");
    // Who speaks plain text, who says half a word, and who shakes hands without end.
    let mut plain = Wire::plain_at_tls(&house);
    plain.send(b"REGISTER sip:127.0.0.1 SIP/2.0\r\n\r\n");
    assert!(!plain.next().starts_with("SIP"), "nothing is said in plain text there");
    let halves: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut half = TcpStream::connect(house.sip_tls).expect("a connection");
            std::io::Write::write_all(&mut half, &[22, 3, 1, 2, 0, 1, 0]).expect("half a word");
            half
        })
        .collect();
    let mut flood = Command::new("openssl")
        .args(["s_time", "-new", "-time", "8", "-connect", &house.sip_tls.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl starts");
    let callee = Sipp::new(&house, "202");
    callee.register(600);
    let answering = callee.start("answer", "", &[]);
    Sipp::new(&house, "201").over(Over::Tls).start("call", "202", &[]).succeeds();
    answering.succeeds();
    let _phone = Linphone::start(&house, "201", Over::Tls);
    wait_until("linphone has registered", || (house.registered(&token, "201") == 1).then_some(()));
    let _ = flood.kill();
    let _ = flood.wait();
    drop(halves);
    house.lives();
}

#[test]
fn a_changed_certificate_is_shown_and_no_connection_is_lost() {
    let folder = TempDir::new().expect("a folder for certificates");
    let (certificate, key) = (folder.path().join("house.pem"), folder.path().join("house.key"));
    make(folder.path(), "first");
    put(folder.path(), "first");
    let house =
        House::start_configured(&format!("[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n", certificate.display(), key.display()));
    assert_eq!(shown(&house), text(folder.path(), "first"));
    fs::create_dir_all(house.path("tls")).expect("a folder");
    fs::copy(&certificate, house.path("tls/certificate.pem")).expect("what the phone trusts");
    let mut phone = Wire::tls(&house);
    asks(&mut phone, 1);
    // What is no key is said, and changes nothing.
    fs::write(&key, "no key").expect("a file");
    wait_until("the log says that it is no good", || house.log().contains("cannot be used").then_some(()));
    assert_eq!(shown(&house), text(folder.path(), "first"));
    asks(&mut phone, 2);
    make(folder.path(), "second");
    put(folder.path(), "second");
    wait_until("the second one is shown", || (shown(&house) == text(folder.path(), "second")).then_some(()));
    asks(&mut phone, 3);
}

#[test]
fn a_certificate_that_is_none_is_said_at_the_start_and_the_door_can_stay_shut() {
    let folder = TempDir::new().expect("a folder for certificates");
    make(folder.path(), "first");
    make(folder.path(), "second");
    let house = House::empty(&[]);
    let file = folder.path().join("pbx.toml");
    let configuration =
        |key: &str| format!("[tls]\ncertificate = \"{0}/first.pem\"\nkey = \"{0}/{key}\"\n", folder.path().display());
    for (key, said) in [
        ("second.key", "second.key does not belong to the certificate"),
        ("first.pem", "first.pem holds no private key"),
        ("nowhere", "nowhere cannot be read"),
    ] {
        fs::write(&file, configuration(key)).expect("a configuration");
        let output = house.run(&["serve", "--config", file.to_str().expect("a plain path")]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(said), "{error}");
    }
    let house = House::start_with(&[("PBX_SIP_TLS", "off"), ("PBX_HTTPS", "off")]);
    assert_eq!(house.sip_tls.port(), 0);
    assert!(!house.path("tls").exists());
    house.lives();
}

/// Asks with OPTIONS whether anybody is there.
fn asks(phone: &mut Wire, cseq: u32) {
    let request = format!(
        "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bKask{cseq};rport\r\nFrom: <sip:x@x>;tag=1\r\nTo: <sip:y@x>\r\nCall-ID: ask\r\nCSeq: {cseq} OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    );
    phone.send(request.as_bytes());
    phone.until("the answer", |text| text.contains("SIP/2.0 200") && text.contains(&format!("CSeq: {cseq} OPTIONS")));
}

/// A certificate of that name and its key, by OpenSSL.
pub fn make(folder: &Path, name: &str) {
    let made = Command::new("openssl")
        .current_dir(folder)
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-extensions",
            "usr_cert",
            "-subj",
            &format!("/CN={name}"),
        ])
        .args(["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", &format!("{name}.key"), "-out", &format!("{name}.pem")])
        .output()
        .expect("openssl starts");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Makes it the house's.
fn put(folder: &Path, name: &str) {
    fs::copy(folder.join(format!("{name}.pem")), folder.join("house.pem")).expect("a certificate");
    fs::copy(folder.join(format!("{name}.key")), folder.join("house.key")).expect("a key");
}

fn text(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(format!("{name}.pem"))).expect("a certificate").trim().to_owned()
}

/// The certificate that who comes now is shown.
fn shown(house: &House) -> String {
    let output = Command::new("openssl")
        .args(["s_client", "-connect", &house.sip_tls.to_string(), "-showcerts"])
        .stdin(Stdio::null())
        .output()
        .expect("openssl starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let begins = text.find("-----BEGIN").unwrap_or_default();
    let ends = text.find("-----END CERTIFICATE-----").map_or(begins, |at| at + "-----END CERTIFICATE-----".len());
    text[begins..ends].to_owned()
}
