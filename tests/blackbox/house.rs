//! One switchboard of a test: the real `pbx`, an empty data directory, free ports.

use std::fs::File;
use std::io::Read;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Long enough for a busy machine of two cores, short enough to notice.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Polls until the closure gives something, or fails the test with `what`. The only place of the tests that waits.
pub fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Two neighbouring UDP and TCP ports that nobody holds at this moment.
pub fn free_port() -> u16 {
    for _ in 0..200 {
        let Ok(first) = UdpSocket::bind("127.0.0.1:0") else { continue };
        let port = first.local_addr().map(|address| address.port()).unwrap_or(0);
        let tcp = std::net::TcpListener::bind(("127.0.0.1", port));
        let next = UdpSocket::bind(("127.0.0.1", port.saturating_add(1)));
        let next_tcp = std::net::TcpListener::bind(("127.0.0.1", port.saturating_add(1)));
        if tcp.is_ok() && next.is_ok() && next_tcp.is_ok() {
            return port;
        }
    }
    panic!("no free port on loopback");
}

/// The configuration file of a house that has one.
const CONFIGURATION: &str = "house.toml";

/// A running (or stopped) switchboard; stopped when dropped.
pub struct House {
    directory: TempDir,
    child: Option<Child>,
    environment: Vec<(String, String)>,
    /// Where it listens, from `listening.json`.
    pub sip_udp: SocketAddr,
    pub sip_tcp: SocketAddr,
    pub sip_tls: SocketAddr,
    pub http: SocketAddr,
    pub https: SocketAddr,
}

impl House {
    /// An empty house, started.
    pub fn start() -> House {
        House::start_with(&[])
    }

    /// An empty house, started with more environment.
    pub fn start_with(environment: &[(&str, &str)]) -> House {
        let mut house = House::empty(environment);
        house.open();
        house
    }

    /// An empty house, started with a configuration file.
    pub fn start_configured(configuration: &str) -> House {
        let mut house = House::empty(&[]);
        std::fs::write(house.path(CONFIGURATION), configuration).expect("a configuration file");
        house.open();
        house
    }

    /// An empty data directory and nothing running.
    pub fn empty(environment: &[(&str, &str)]) -> House {
        House::empty_in(&std::env::temp_dir(), environment)
    }

    /// The same, on that disk.
    pub fn empty_in(disk: &Path, environment: &[(&str, &str)]) -> House {
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        House {
            directory: TempDir::new_in(disk).expect("a data directory"),
            child: None,
            environment: environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            sip_udp: nowhere,
            sip_tcp: nowhere,
            sip_tls: nowhere,
            http: nowhere,
            https: nowhere,
        }
    }

    /// Starts `pbx serve` and waits until it listens.
    pub fn open(&mut self) {
        self.start_as(self.command(&["serve"]));
    }

    /// The same, and the system kills it when it makes a file longer than that.
    pub fn open_until_written(&mut self, octets: u64) {
        let serve = self.command(&["serve"]);
        let mut limited = Command::new("prlimit");
        limited.args(["--core=0".to_owned(), format!("--fsize={octets}")]).arg(serve.get_program()).args(serve.get_args());
        limited.envs(serve.get_envs().filter_map(|(name, value)| Some((name, value?))));
        self.start_as(limited);
    }

    /// Waits until it has ended by itself.
    pub fn ends(&mut self) -> ExitStatus {
        let child = self.child.as_mut().expect("it was started");
        let status = wait_until("the switchboard ends", || child.try_wait().expect("a child"));
        self.kill();
        status
    }

    fn start_as(&mut self, mut command: Command) {
        let log = File::options().create(true).append(true).open(self.path("serve.log")).expect("a log file");
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the same log file"))
            .stderr(log)
            .spawn()
            .expect("pbx starts");
        self.child = Some(child);
        let file = self.path("listening.json");
        let listening = wait_until("the switchboard listens", || {
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten()) {
                panic!("pbx serve ended with {status}:\n{}", self.log());
            }
            serde_json::from_str::<serde_json::Value>(&std::fs::read_to_string(&file).ok()?).ok()
        });
        let address = |key: &str| -> SocketAddr {
            listening[key]
                .as_str()
                .and_then(|text| text.parse().ok())
                .unwrap_or_else(|| panic!("listening.json has no {key}: {listening}"))
        };
        (self.sip_udp, self.sip_tcp, self.http) = (address("sip_udp"), address("sip_tcp"), address("http"));
        let perhaps = |key: &str| if listening[key].is_null() { SocketAddr::from(([127, 0, 0, 1], 0)) } else { address(key) };
        (self.sip_tls, self.https) = (perhaps("sip_tls"), perhaps("https"));
    }

    /// `pbx` with this house's environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pbx"));
        if self.path(CONFIGURATION).exists() {
            command.arg("--config").arg(self.path(CONFIGURATION));
        }
        command
            .args(arguments)
            .env("PBX_DATA_DIR", self.path("."))
            .env("PBX_SIP_UDP", "127.0.0.1:0")
            .env("PBX_SIP_TCP", "127.0.0.1:0")
            .env("PBX_SIP_TLS", "127.0.0.1:0")
            .env("PBX_HTTP", "127.0.0.1:0")
            .env("PBX_HTTPS", "127.0.0.1:0")
            .env("PBX_RTP_ADDRESS", "127.0.0.1")
            .env("PBX_RTP_PORTS", rtp_ports())
            .env("LC_ALL", "en_US.UTF-8")
            .envs(self.environment.iter().map(|(key, value)| (key, value)));
        command
    }

    /// Runs a `pbx` command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().expect("pbx runs")
    }

    /// Runs a `pbx` command that must succeed, and gives what it printed.
    pub fn pbx(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "pbx {arguments:?} ended with {}\n{out}\n{error}", output.status);
        out.into_owned()
    }

    /// Creates extensions with the secret `pw` + number.
    pub fn extensions(&self, numbers: &[&str]) {
        let mut csv = String::from("number,name,secret,email\n");
        for number in numbers {
            csv.push_str(&format!("{number},Poste {number},{},\n", secret(number)));
        }
        let file = self.path("extensions.csv");
        std::fs::write(&file, csv).expect("a CSV file");
        self.pbx(&["extensions", "import", file.to_str().expect("a plain path")]);
    }

    /// A bearer token of the role.
    pub fn token(&self, role: &str) -> String {
        self.pbx(&["token", "create", "--role", role]).trim().to_owned()
    }

    /// GET of an API path with a token, as JSON.
    pub fn get(&self, token: &str, path: &str) -> serde_json::Value {
        let url = format!("http://{}{path}", self.http);
        let mut response = ureq::get(&url)
            .header("authorization", format!("Bearer {token}"))
            .call()
            .unwrap_or_else(|error| panic!("GET {path}: {error}"));
        response.body_mut().read_json().unwrap_or_else(|error| panic!("GET {path}: no JSON: {error}"))
    }

    /// POST of JSON to an API path with a token; what was made.
    pub fn post(&self, token: &str, path: &str, body: &serde_json::Value) -> serde_json::Value {
        let url = format!("http://{}{path}", self.http);
        let answer = ureq::post(&url).header("authorization", format!("Bearer {token}")).send_json(body);
        let mut answer = answer.unwrap_or_else(|error| panic!("POST {path}: {error}"));
        answer.body_mut().read_json().unwrap_or_else(|error| panic!("POST {path}: no JSON: {error}"))
    }

    /// PUT of JSON to an API path with a token.
    pub fn put(&self, token: &str, path: &str, body: &serde_json::Value) {
        let url = format!("http://{}{path}", self.http);
        let answer = ureq::put(&url).header("authorization", format!("Bearer {token}")).send_json(body);
        answer.unwrap_or_else(|error| panic!("PUT {path}: {error}"));
    }

    /// PATCH of JSON to an API path with a token.
    pub fn patch(&self, token: &str, path: &str, body: &serde_json::Value) {
        let url = format!("http://{}{path}", self.http);
        let answer = ureq::patch(&url).header("authorization", format!("Bearer {token}")).send_json(body);
        answer.unwrap_or_else(|error| panic!("PATCH {path}: {error}"));
    }

    /// POST of nothing to an API path with a token, which answers nothing.
    pub fn order(&self, token: &str, path: &str) {
        let url = format!("http://{}{path}", self.http);
        let answer = ureq::post(&url).header("authorization", format!("Bearer {token}")).send_empty();
        answer.unwrap_or_else(|error| panic!("POST {path}: {error}"));
    }

    /// DELETE of an API path with a token.
    pub fn delete(&self, token: &str, path: &str) {
        let url = format!("http://{}{path}", self.http);
        let answer = ureq::delete(&url).header("authorization", format!("Bearer {token}")).call();
        answer.unwrap_or_else(|error| panic!("DELETE {path}: {error}"));
    }

    /// The same where it may fail.
    pub fn try_get(&self, token: &str, path: &str) -> Option<serde_json::Value> {
        let url = format!("http://{}{path}", self.http);
        let mut response = ureq::get(&url).header("authorization", format!("Bearer {token}")).call().ok()?;
        response.body_mut().read_json().ok()
    }

    /// Contacts registered for an extension, as the API tells it.
    pub fn registered(&self, token: &str, number: &str) -> usize {
        self.get(token, &format!("/api/v1/extensions/{number}"))["devices"].as_array().map_or(0, Vec::len)
    }

    /// The newest call record, once there is one that fits.
    pub fn record(&self, token: &str, fits: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        wait_until("the call record is written", || {
            let page = self.get(token, "/api/v1/call_records?limit=20");
            let id = page["items"].as_array()?.iter().find(|record| fits(record))?["id"].clone();
            let id = id.as_str().map(str::to_owned).unwrap_or_else(|| id.to_string());
            Some(self.get(token, &format!("/api/v1/call_records/{id}")))
        })
    }

    /// Still there, and still answering OPTIONS.
    pub fn lives(&self) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout");
        let port = socket.local_addr().expect("an address").port();
        let call = format!("alive{port}{:?}", Instant::now()).replace([' ', '{', '}', ':', ','], "");
        let request = format!(
            "OPTIONS sip:{0} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{call};rport\r\nFrom: <sip:alive@127.0.0.1>;tag={call}\r\nTo: <sip:{0}>\r\nCall-ID: {call}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            self.sip_udp
        );
        let mut buffer = [0; 4096];
        wait_until("the switchboard answers OPTIONS", || {
            socket.send_to(request.as_bytes(), self.sip_udp).ok()?;
            let (length, _) = socket.recv_from(&mut buffer).ok()?;
            buffer[..length].starts_with(b"SIP/2.0 ").then_some(())
        });
    }

    /// SIGTERM, then the end; the exit status.
    pub fn stop(&mut self) -> Option<i32> {
        let child = self.child.as_mut()?;
        signal(child.id(), "TERM");
        let status = wait_until("the switchboard ends after SIGTERM", || child.try_wait().expect("a child"));
        self.child = None;
        status.code()
    }

    /// SIGKILL: as if the power had gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_file(self.path("listening.json"));
    }

    /// A path in the data directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What it printed.
    pub fn log(&self) -> String {
        let mut text = String::new();
        if let Ok(mut file) = File::open(self.path("serve.log")) {
            let _ = file.read_to_string(&mut text);
        }
        text
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- what the switchboard printed ---\n{}", self.log());
        }
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The SIP secret that tests give an extension.
pub fn secret(number: &str) -> String {
    format!("pw{number}")
}

/// Sends a signal by name to a process.
pub fn signal(process: u32, name: &str) {
    let _ = Command::new("kill").args([&format!("-{name}"), &process.to_string()]).status();
}

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Each test is a process of its own (nextest) and must not meet the RTP ports of another.
fn rtp_ports() -> String {
    let slot = std::process::id() % 200;
    let first = 20_000 + slot * 60;
    format!("{first}-{}", first + 59)
}
