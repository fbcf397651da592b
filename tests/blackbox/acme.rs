//! An authority of certificates (Pebble, Debian package pebble) gives the house one, and nobody is disconnected by it.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::house::{House, free_port, wait_until};
use crate::phone::listens;
use crate::tls::make;

/// An authority that finds every name at 127.0.0.1.
struct Authority {
    folder: TempDir,
    port: u16,
    children: Vec<Child>,
}

impl Authority {
    /// Which looks at these ports of a name.
    fn start(http: u16, https: u16) -> Authority {
        let folder = TempDir::new().expect("a folder for the authority");
        make(folder.path(), "authority");
        let (port, management, names) = (free_port(), free_port(), free_port());
        let configuration = format!(
            "{{\"pebble\": {{\"listenAddress\": \"127.0.0.1:{port}\", \"managementListenAddress\": \"127.0.0.1:{management}\", \
             \"certificate\": \"authority.pem\", \"privateKey\": \"authority.key\", \"httpPort\": {http}, \"tlsPort\": {https}, \
             \"ocspResponderURL\": \"\", \"externalAccountBindingRequired\": false}}}}"
        );
        std::fs::write(folder.path().join("pebble.json"), configuration).expect("a configuration");
        let dns = run(
            folder.path(),
            "pebble-challtestsrv",
            &[
                "-dns01",
                &format!("127.0.0.1:{names}"),
                "-management",
                &format!("127.0.0.1:{}", free_port()),
                "-http01",
                "",
                "-https01",
                "",
                "-tlsalpn01",
                "",
                "-defaultIPv6",
                "",
            ],
        );
        let pebble = run(folder.path(), "pebble", &["-config", "pebble.json", "-dnsserver", &format!("127.0.0.1:{names}")]);
        wait_until("the authority listens", || listens(port).then_some(()));
        Authority { folder, port, children: vec![dns, pebble] }
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> Child {
    Command::new(program)
        .current_dir(folder)
        .args(arguments)
        // It waits at random otherwise, and refuses some good answers to try its clients.
        .envs([("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_WFE_NONCEREJECT", "0")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} starts (Debian package pebble): {error}"))
}

fn obtains(challenge: &str) {
    let (http, https) = (free_port(), free_port());
    let authority = Authority::start(http, https);
    let mut house = House::empty(&[("PBX_HTTP", &format!("127.0.0.1:{http}")), ("PBX_HTTPS", &format!("127.0.0.1:{https}"))]);
    let configuration = format!(
        "[acme]\nnames = [\"pbx.test\"]\nagrees = true\nchallenge = \"{challenge}\"\ndirectory = \"https://127.0.0.1:{}/dir\"\n\
         root = \"{}/authority.pem\"\n",
        authority.port,
        authority.folder.path().display()
    );
    std::fs::write(house.path("house.toml"), configuration).expect("a configuration file");
    house.open();
    let token = house.token("read");
    let certificate = wait_until("the authority has given a certificate", || {
        let shown = house.get(&token, "/api/v1/certificate");
        (shown["is_own_making"] == false).then_some(shown)
    });
    assert_eq!((&certificate["origin"], &certificate["names"][0]), (&"acme".into(), &"pbx.test".into()), "{certificate}");
    assert!(certificate["trouble"].is_null(), "{certificate}");
    for port in [https, house.sip_tls.port()] {
        wait_until("whoever comes is shown it", || issuer_at(port).contains("Pebble").then_some(()));
    }
    let key = house.path("tls/acme/key.pem");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(key).expect("a key").permissions());
    assert_eq!(mode & 0o777, 0o600);
}

/// Who vouches for what is shown at a port, by OpenSSL.
fn issuer_at(port: u16) -> String {
    let shown = Command::new("openssl")
        .args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-servername", "pbx.test"])
        .stdin(Stdio::null())
        .output()
        .expect("openssl starts");
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    text.lines().find(|line| line.starts_with("issuer=")).unwrap_or_default().to_owned()
}

#[test]
fn a_certificate_is_obtained_by_what_is_found_at_the_door_of_https() {
    obtains("tls-alpn-01");
}

#[test]
fn a_certificate_is_obtained_by_what_is_found_at_the_door_of_http() {
    obtains("http-01");
}

#[test]
fn an_authority_that_does_not_reach_us_is_said_on_the_page() {
    let authority = Authority::start(free_port(), free_port());
    let house = House::start_configured(&format!(
        "[acme]\nnames = [\"pbx.test\"]\nagrees = true\nchallenge = \"http-01\"\ndirectory = \"https://127.0.0.1:{}/dir\"\n\
         root = \"{}/authority.pem\"\n",
        authority.port,
        authority.folder.path().display()
    ));
    let token = house.token("read");
    wait_until("the page says so", || (house.get(&token, "/api/v1/certificate")["trouble"] == "connection").then_some(()));
    assert_eq!(house.get(&token, "/api/v1/certificate")["is_own_making"], true, "phones are served all the same");
}
