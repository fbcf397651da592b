//! Phones that share none of our code: SIPp, baresip, Linphone, and bytes written by hand; TLS is theirs, or socat's (OpenSSL).

use std::fs;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::house::{House, PATIENCE, free_port, repository, secret, signal, wait_until};

/// How a phone speaks.
#[derive(Clone, Copy, PartialEq)]
pub enum Over {
    Udp,
    Tcp,
    Tls,
}

impl Over {
    /// As URIs name it.
    pub fn name(self) -> &'static str {
        match self {
            Over::Udp => "udp",
            Over::Tcp => "tcp",
            Over::Tls => "tls",
        }
    }

    /// Where a house hears it.
    pub fn at(self, house: &House) -> SocketAddr {
        match self {
            Over::Udp => house.sip_udp,
            Over::Tcp => house.sip_tcp,
            Over::Tls => house.sip_tls,
        }
    }
}

/// A port to which one speaks TCP, and the switchboard hears TLS.
pub struct Tunnel {
    child: Child,
    pub address: SocketAddr,
}

impl Tunnel {
    pub fn start(house: &House) -> Tunnel {
        let port = free_port();
        let child = Command::new("socat")
            .arg(format!("TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork"))
            .arg(format!("OPENSSL:{},cafile={}", house.sip_tls, house.path("tls/certificate.pem").display()))
            .stdin(Stdio::null())
            .stderr(fs::File::create(house.path("socat.log")).expect("a log"))
            .spawn()
            .expect("socat starts (Debian package socat)");
        wait_until("socat listens", || listens(port).then_some(()));
        Tunnel { child, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }
}

/// Does somebody listen for TCP at that port of 127.0.0.1?
pub fn listens(port: u16) -> bool {
    fs::read_to_string("/proc/net/tcp").is_ok_and(|ports| ports.contains(&format!("0100007F:{port:04X} 00000000:0000 0A")))
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A SIPp phone: an extension on one port.
pub struct Sipp<'a> {
    pub house: &'a House,
    pub number: String,
    pub port: u16,
    pub over: Over,
    /// By IPv6.
    pub six: bool,
}

/// A SIPp scenario under way.
pub struct Running {
    child: Child,
    _tunnel: Option<Tunnel>,
    folder: TempDir,
    name: String,
}

impl<'a> Sipp<'a> {
    pub fn new(house: &'a House, number: &str) -> Sipp<'a> {
        Sipp { house, number: number.to_owned(), port: free_port(), over: Over::Udp, six: false }
    }

    pub fn over(mut self, over: Over) -> Sipp<'a> {
        self.over = over;
        self
    }

    pub fn by_ipv6(self) -> Sipp<'a> {
        Sipp { six: true, ..self }
    }

    /// Registers for `expires` seconds.
    pub fn register(&self, expires: u32) {
        self.start("register", "", &["-key", "expires", &expires.to_string()]).succeeds();
    }

    /// Starts a scenario of tests/fixtures/sipp towards `service`.
    pub fn start(&self, scenario: &str, service: &str, more: &[&str]) -> Running {
        let folder = TempDir::new().expect("a folder for SIPp");
        let tunnel = (self.over == Over::Tls).then(|| Tunnel::start(self.house));
        let mut server = tunnel.as_ref().map_or_else(|| self.over.at(self.house), |tunnel| tunnel.address);
        let here: IpAddr = if self.six { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() };
        if server.ip().is_unspecified() {
            server.set_ip(here);
        }
        let here = here.to_string();
        let child = Command::new("sipp")
            .current_dir(folder.path())
            .arg(server.to_string())
            .arg("-sf")
            .arg(repository().join(format!("tests/fixtures/sipp/{scenario}.xml")))
            .args(["-i", &here, "-mi", &here, "-p", &self.port.to_string()])
            .args(["-t", if self.over == Over::Udp { "u1" } else { "t1" }])
            .args(["-m", "1", "-l", "1", "-nostdin", "-timeout", "25s", "-timeout_error", "-trace_err", "-trace_msg"])
            .args(["-d", "300", "-error_file", "errors.log", "-message_file", "messages.log"])
            .args(["-key", "caller", &self.number, "-au", &self.number, "-ap", &secret(&self.number)])
            .args(if service.is_empty() { vec!["-s", self.number.as_str()] } else { vec!["-s", service] })
            .args(more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sipp starts (Debian package sip-tester)");
        Running { child, _tunnel: tunnel, folder, name: format!("{scenario} ({})", self.number) }
    }
}

impl Running {
    /// Waits for the end of the scenario, which must be its success.
    pub fn succeeds(mut self) {
        let status = wait_until(&format!("SIPp's {} ends", self.name), || self.child.try_wait().expect("a child"));
        assert!(
            status.success(),
            "SIPp's {} failed ({status})\n{}\n{}",
            self.name,
            self.file("errors.log"),
            self.file("messages.log")
        );
    }

    /// Waits until a message with this text has gone by.
    pub fn sees(&self, text: &str) {
        wait_until(&format!("{} sees {text:?}", self.name), || self.file("messages.log").contains(text).then_some(()));
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// What a baresip is given beside what every one has: lines of its configuration, parameters of its account, contacts.
#[derive(Default)]
struct More<'a> {
    modules: &'a str,
    account: &'a str,
    contacts: &'a str,
}

/// A headless baresip that plays a file to the far side and records what it hears.
pub struct Baresip {
    child: Child,
    folder: TempDir,
}

impl Baresip {
    /// Registers `number` with the house; `answers` says whether it picks up by itself.
    pub fn start(house: &House, number: &str, plays: &Path, answers: bool, over: Over) -> Baresip {
        Baresip::begin(house, number, plays, answers, over, &More::default())
    }

    /// The same with sound as `mediaenc` names it: `srtp`, which asks for protection, or `srtp-mand`, which insists on it.
    pub fn protected(house: &House, number: &str, plays: &Path, answers: bool, over: Over, mediaenc: &str) -> Baresip {
        let account = format!(";mediaenc={mediaenc}");
        Baresip::begin(house, number, plays, answers, over, &More { modules: "module srtp.so\n", account: &account, contacts: "" })
    }

    /// Registers, asks whether messages wait, and how `watched` is.
    pub fn watching(house: &House, number: &str, watched: &str) -> Baresip {
        let contact = format!("\"{watched}\" <sip:{watched}@{}>;presence=p2p\n", Over::Udp.at(house));
        let modules = "module_app contact.so\nmodule_app mwi.so\nmodule_app presence.so\n";
        let more = More { modules, contacts: &contact, account: "" };
        Baresip::begin(house, number, Path::new("silence.wav"), false, Over::Udp, &more)
    }

    fn begin(house: &House, number: &str, plays: &Path, answers: bool, over: Over, more: &More<'_>) -> Baresip {
        let folder = TempDir::new().expect("a folder for baresip");
        let port = free_port();
        let (server, transport) = (over.at(house), over.name());
        let modules =
            ["/usr/lib/baresip/modules", "/usr/lib/x86_64-linux-gnu/baresip/modules", "/usr/lib/aarch64-linux-gnu/baresip/modules"]
                .into_iter()
                .find(|path| Path::new(path).is_dir())
                .expect("baresip's modules (Debian package baresip-core)");
        let config = format!(
            "sip_listen 127.0.0.1:{port}\nmodule_path {modules}\nmodule stdio.so\nmodule g711.so\nmodule aufile.so\nmodule sndfile.so\n{more_modules}module account.so\nmodule_app menu.so\n\
             audio_source aufile,{play}\naudio_player aufile,{folder}/unused.wav\naudio_alert aufile,{folder}/alert.wav\nsnd_path {folder}\naudio_srate 8000\naudio_channels 1\nrtp_ports {rtp}-{rtp_last}\nnet_interface 127.0.0.1\nsip_cafile {trusted}\nsip_verify_server yes\n",
            more_modules = more.modules,
            trusted = house.path("tls/certificate.pem").display(),
            play = plays.display(),
            folder = folder.path().display(),
            rtp = 10_000 + u32::from(port % 200) * 40,
            rtp_last = 10_000 + u32::from(port % 200) * 40 + 39,
        );
        fs::write(folder.path().join("config"), config).expect("baresip's config");
        let account = format!(
            "<sip:{number}@{server};transport={transport}>;auth_user={number};auth_pass={};regint=60;audio_codecs=PCMA;answermode={}{}\n",
            secret(number),
            if answers { "auto" } else { "manual" },
            more.account
        );
        fs::write(folder.path().join("accounts"), account).expect("baresip's accounts");
        fs::write(folder.path().join("contacts"), more.contacts).expect("baresip's contacts");
        let log = fs::File::create(folder.path().join("log")).expect("baresip's log");
        let child = Command::new("baresip")
            .arg("-f")
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("the same log"))
            .stderr(log)
            .spawn()
            .expect("baresip starts (Debian package baresip-core)");
        Baresip { child, folder }
    }

    /// Types a command line, such as `/dial 202`.
    pub fn types(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("baresip's input");
        writeln!(input, "{line}").and_then(|()| input.flush()).expect("baresip reads");
    }

    /// Waits until its screen shows that.
    pub fn shows(&self, text: &str) {
        wait_until(&format!("baresip shows {text:?}"), || self.screen().contains(text).then_some(()));
    }

    /// What it shows.
    pub fn screen(&self) -> String {
        fs::read(self.folder.path().join("log")).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// What it decoded from the far side, once it is at least `seconds` long.
    pub fn heard(&self, seconds: u32) -> PathBuf {
        wait_until("baresip has recorded the far side", || {
            fs::read_dir(self.folder.path()).ok()?.flatten().map(|entry| entry.path()).find(|path| {
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                let long = fs::metadata(path).is_ok_and(|about| about.len() > u64::from(seconds) * 16_000);
                name.starts_with("dump-") && name.ends_with("-dec.wav") && long
            })
        })
    }

    /// Ends it; recordings are complete afterwards.
    pub fn stop(&mut self) {
        signal(self.child.id(), "TERM");
        wait_until("baresip ends", || self.child.try_wait().expect("a child"));
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- what baresip showed ---\n{}", self.screen());
        }
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A headless Linphone that registers, and does what it is told.
pub struct Linphone {
    child: Child,
    folder: TempDir,
}

impl Linphone {
    /// Registers `number` with the house; over TLS only if its certificate can be trusted and names the address.
    pub fn start(house: &House, number: &str, over: Over) -> Linphone {
        Linphone::begin(house, number, over, Command::new("linphonec"))
    }

    /// The same within a network namespace.
    pub fn start_within(house: &House, number: &str, over: Over, network: &str) -> Linphone {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", network, "linphonec"]);
        Linphone::begin(house, number, over, command)
    }

    fn begin(house: &House, number: &str, over: Over, mut linphonec: Command) -> Linphone {
        let folder = TempDir::new().expect("a folder for linphone");
        let port = free_port();
        let config = format!(
            "[sip]\nsip_port={port}\nsip_tls_port=-1\nroot_ca={2}\nverify_server_certs=1\nverify_server_cn=1\ndefault_proxy=0\nregister_only_when_network_is_up=0\nregister_only_when_upnp_is_ok=0\nipv6_migration_done=1\nuse_ipv6=0\n\
             {4}[net]\nfirewall_policy=none\n[app]\nauto_download_linkto=\n[sound]\nplayback_dev_id=\n[video]\ncapture=0\ndisplay=0\n\
             [auth_info_0]\nusername={number}\npasswd={}\nrealm=*\n[proxy_0]\nreg_proxy=<sip:{1};transport={3}>\nreg_identity=sip:{number}@{1}\nreg_expires=600\nreg_sendregister=1\npublish=0\n",
            secret(number),
            over.at(house),
            house.path("tls/certificate.pem").display(),
            over.name(),
            // Where nobody else reads its keys it insists on using them.
            if over == Over::Tls { "media_encryption=srtp\nmedia_encryption_mandatory=1\n" } else { "" },
        );
        fs::create_dir_all(folder.path().join(".local/share/linphone")).expect("linphone's folder");
        let config_file = folder.path().join("linphonerc");
        fs::write(&config_file, config).expect("linphone's config");
        let child = linphonec
            .arg("-c")
            .arg(&config_file)
            .env("HOME", folder.path())
            .stdin(Stdio::piped())
            .stdout(fs::File::create(folder.path().join("log")).expect("linphone's log"))
            .stderr(Stdio::null())
            .spawn()
            .expect("linphonec starts (Debian package linphone-cli)");
        Linphone { child, folder }
    }

    /// Waits until it has shown this.
    pub fn shows(&self, text: &str) {
        wait_until(&format!("linphone shows {text:?}"), || self.screen().contains(text).then_some(()));
    }

    fn screen(&self) -> String {
        fs::read(self.folder.path().join("log")).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Types a command line, such as `call sip:202@house`.
    pub fn types(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("linphone's input");
        writeln!(input, "{line}").and_then(|()| input.flush()).expect("linphone reads");
    }
}

impl Drop for Linphone {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- what linphone showed ---\n{}", self.screen());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A phone made of bytes: writes what it is told and shows what comes back.
pub enum Wire {
    Udp(UdpSocket, SocketAddr),
    Tcp(TcpStream),
    Tls(TcpStream, #[expect(dead_code, reason = "speaks TLS for it, as long as it is held")] Tunnel),
}

impl Wire {
    pub fn udp(house: &House) -> Wire {
        Wire::udp_at(house, "127.0.0.1", 0)
    }

    /// From this address of loopback and this port.
    pub fn udp_at(house: &House, address: &str, port: u16) -> Wire {
        let socket = UdpSocket::bind((address, port)).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");
        Wire::Udp(socket, house.sip_udp)
    }

    pub fn tcp(house: &House) -> Wire {
        Wire::Tcp(stream_to(house.sip_tcp))
    }

    /// TLS is spoken on the way.
    pub fn tls(house: &House) -> Wire {
        let tunnel = Tunnel::start(house);
        Wire::Tls(stream_to(tunnel.address), tunnel)
    }

    /// Bare octets to the port of TLS.
    pub fn plain_at_tls(house: &House) -> Wire {
        Wire::Tcp(stream_to(house.sip_tls))
    }

    /// Our own address.
    pub fn local(&self) -> SocketAddr {
        match self {
            Wire::Udp(socket, _) => socket.local_addr(),
            Wire::Tcp(stream) | Wire::Tls(stream, _) => stream.local_addr(),
        }
        .expect("an address")
    }

    pub fn send(&mut self, bytes: &[u8]) {
        // A connection that the switchboard has closed is one of the things under test.
        let _ = match self {
            Wire::Udp(socket, to) => socket.send_to(bytes, *to).map(|_| ()),
            Wire::Tcp(stream) | Wire::Tls(stream, _) => stream.write_all(bytes),
        };
    }

    /// What comes next, within half a second; empty if nothing does.
    pub fn next(&mut self) -> String {
        let mut buffer = vec![0; 65_536];
        let length = match self {
            Wire::Udp(socket, _) => socket.recv(&mut buffer),
            Wire::Tcp(stream) | Wire::Tls(stream, _) => stream.read(&mut buffer),
        }
        .unwrap_or(0);
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    /// The status of the first final response; nothing if none comes.
    pub fn final_status(&mut self) -> Option<u16> {
        loop {
            let next = self.next();
            // Several messages may lie in one segment of a stream.
            let mut statuses = next.lines().filter_map(|line| line.strip_prefix("SIP/2.0 ")?.split(' ').next()?.parse().ok());
            if next.is_empty() {
                return None;
            }
            if let Some(status) = statuses.find(|status: &u16| *status >= 200) {
                return Some(status);
            }
        }
    }

    /// Reads until something fits.
    pub fn until(&mut self, what: &str, fits: impl Fn(&str) -> bool) -> String {
        let mut seen = String::new();
        let start = std::time::Instant::now();
        while start.elapsed() < PATIENCE {
            let next = self.next();
            if fits(&next) {
                return next;
            }
            seen.push_str(&next);
        }
        panic!("{what} never came; this did:\n{seen}");
    }
}

fn stream_to(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");
    stream
}
