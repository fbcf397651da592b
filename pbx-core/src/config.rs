//! Configuration: one TOML file, every key with a default, checked once at start; variables of the environment come before it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use pbx_sip::flow::Transport;
use pbx_sip::target::Target;
use pbx_switch::directory::Network;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use thiserror::Error;

/// The whole of it; a room is given its own part.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Database, lock, control socket.
    pub data_dir: PathBuf,
    /// What the house remembers.
    pub database: Database,
    /// Signalling.
    pub sip: Sip,
    /// Who is turned away.
    pub door: Door,
    /// Who we are to those that come by TLS, and whom we believe.
    pub tls: Tls,
    /// A certificate that an authority gives us.
    pub acme: Acme,
    /// Sound.
    pub rtp: Rtp,
    /// The administration.
    pub http: Http,
    /// The end.
    pub stop: Stop,
}

/// What the house remembers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Database {
    /// Where.
    #[serde(deserialize_with = "database_url_of")]
    pub url: DatabaseUrl,
}

/// Where the database is. It can hold a password, and so never shows itself.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file in the data directory: `sqlite:`.
    #[default]
    Sqlite,
    /// A server: `postgres://user:password@host/database`.
    Postgres(String),
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DatabaseUrl::Sqlite => "sqlite:",
            DatabaseUrl::Postgres(_) => "postgres:...",
        })
    }
}

impl std::str::FromStr for DatabaseUrl {
    type Err = ();

    fn from_str(text: &str) -> Result<DatabaseUrl, ()> {
        match text {
            "sqlite:" => Ok(DatabaseUrl::Sqlite),
            _ if text.starts_with("postgres://") || text.starts_with("postgresql://") => Ok(DatabaseUrl::Postgres(text.to_owned())),
            _ => Err(()),
        }
    }
}

/// The usual port of STUN servers.
const STUN_PORT: u16 = 3478;

/// Signalling.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sip {
    /// Where datagrams are received.
    pub udp: SocketAddr,
    /// Where connections are accepted.
    pub tcp: SocketAddr,
    /// Where encrypted connections are accepted, if they are: `off`.
    #[serde(deserialize_with = "door_of")]
    pub tls: Option<SocketAddr>,
    /// SIP domain; empty for the machine's own address.
    #[serde(deserialize_with = "domain_of")]
    pub domain: String,
    /// Our address as those beyond the router know it; nothing where there is no router, or nobody beyond it.
    #[serde(deserialize_with = "address_of")]
    pub outer_address: Option<IpAddr>,
    /// Whom to ask for that address where it is not known: a STUN server; nobody if empty.
    #[serde(deserialize_with = "stun_server_of")]
    pub stun_server: Option<Target>,
    /// How often, in seconds.
    #[serde(deserialize_with = "positive")]
    pub stun_every_s: u64,
    /// Name servers for the names of carriers; those of the system if there are none.
    pub name_servers: Vec<SocketAddr>,
    /// Digest algorithms in the order in which they are offered.
    #[serde(deserialize_with = "algorithms_of")]
    pub algorithms: Vec<pbx_sip::auth::Algorithm>,
    /// Phones that are offered MD5 alone: part of their User-Agent.
    pub md5_only: Vec<String>,
    /// Shortest registration, in seconds.
    #[serde(deserialize_with = "positive")]
    pub expires_least_s: u32,
    /// Longest registration, in seconds.
    #[serde(deserialize_with = "positive")]
    pub expires_most_s: u32,
    /// How long a phone rings, in seconds.
    #[serde(deserialize_with = "positive")]
    pub ring_s: u64,
    /// From one address.
    #[serde(deserialize_with = "positive")]
    pub messages_per_second: u32,
    /// At once.
    #[serde(deserialize_with = "positive")]
    pub connections: usize,
    /// At once.
    #[serde(deserialize_with = "positive")]
    pub calls: usize,
    /// At once, begun by one extension.
    #[serde(deserialize_with = "positive")]
    pub calls_per_extension: usize,
    /// Silence of both sides after which a call is over, in seconds.
    #[serde(deserialize_with = "positive")]
    pub dead_s: u64,
}

/// Who is turned away.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Door {
    /// Never banned, whatever comes from there.
    pub own_networks: Vec<Network>,
}

/// Who we are to those that come by TLS.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// PEM, ours first; empty for one of our own making.
    pub certificate: PathBuf,
    /// PEM; empty together with the certificate.
    pub key: PathBuf,
    /// PEM: authorities whose carriers we believe beside those that the machine knows; empty for none.
    pub authorities: PathBuf,
}

/// A certificate that an authority gives us and renews (RFC 8555).
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Acme {
    /// For which names; none for no certificate.
    pub names: Vec<String>,
    /// The authority.
    pub directory: String,
    /// The administrator agrees to its terms.
    pub agrees: bool,
    /// Where it writes when something is wrong: an e-mail address; empty for nowhere.
    pub contact: String,
    /// How it looks whether the names are ours.
    pub challenge: AcmeChallenge,
    /// PEM: the authority's own authority, where the world does not know it; empty if it does.
    pub root: PathBuf,
}

/// How an authority looks whether a name is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum AcmeChallenge {
    /// At port 443 of the name (RFC 8737).
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
    /// At port 80 of the name (RFC 8555 8.3).
    #[serde(rename = "http-01")]
    Http01,
}

/// Sound.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rtp {
    /// Unspecified for every address of the machine.
    pub address: IpAddr,
    /// First and last.
    #[serde(deserialize_with = "ports_of")]
    pub ports: RangeInclusive<u16>,
}

/// The administration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Where browsers connect.
    pub listen: SocketAddr,
    /// The same, encrypted, if they may: `off`.
    #[serde(deserialize_with = "door_of")]
    pub secure: Option<SocketAddr>,
}

/// The end.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stop {
    /// How long running calls may go on, in seconds.
    pub drain_s: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            data_dir: "data".into(),
            database: Database::default(),
            sip: Sip::default(),
            door: Door::default(),
            tls: Tls::default(),
            acme: Acme::default(),
            rtp: Rtp::default(),
            http: Http::default(),
            stop: Stop::default(),
        }
    }
}

impl Default for Sip {
    fn default() -> Sip {
        let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5060));
        Sip {
            udp: everywhere,
            tcp: everywhere,
            tls: Some(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5061))),
            domain: String::new(),
            outer_address: None,
            stun_server: None,
            stun_every_s: 60,
            name_servers: Vec::new(),
            algorithms: vec![pbx_sip::auth::Algorithm::Md5, pbx_sip::auth::Algorithm::Sha256],
            md5_only: vec!["baresip".to_owned(), "JsSIP".to_owned()],
            expires_least_s: 30,
            expires_most_s: 7200,
            ring_s: 60,
            messages_per_second: 20_000,
            connections: 2000,
            calls: 2000,
            calls_per_extension: 10,
            dead_s: 120,
        }
    }
}

impl Default for Door {
    fn default() -> Door {
        // Nobody on the internet has an address of these.
        let private = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"];
        Door { own_networks: private.iter().filter_map(|network| network.parse().ok()).collect() }
    }
}

impl Default for Acme {
    fn default() -> Acme {
        Acme {
            names: Vec::new(),
            directory: "https://acme-v02.api.letsencrypt.org/directory".to_owned(),
            agrees: false,
            contact: String::new(),
            challenge: AcmeChallenge::TlsAlpn01,
            root: PathBuf::new(),
        }
    }
}

impl Default for Rtp {
    fn default() -> Rtp {
        Rtp { address: Ipv4Addr::UNSPECIFIED.into(), ports: 10_000..=29_999 }
    }
}

impl Default for Http {
    fn default() -> Http {
        let at = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        Http { listen: at(8080), secure: Some(at(8443)) }
    }
}

impl Default for Stop {
    fn default() -> Stop {
        Stop { drain_s: 300 }
    }
}

/// A configuration that cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{0}: {1}")]
    Read(PathBuf, std::io::Error),
    /// A key is unknown or its value is none.
    #[error("{file}, line {line}: {fault}")]
    Wrong {
        /// Which file.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// What was expected.
        fault: Fault,
    },
    /// A variable of the environment has a value that is none.
    #[error("{name}: {fault}")]
    Variable {
        /// Which.
        name: &'static str,
        /// What was expected.
        fault: Fault,
    },
}

/// What is wrong. The catalogue has a sentence for each: `config.<code>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which sentence.
    pub code: &'static str,
    /// What it speaks of: what was found, and what would do.
    pub params: Vec<(&'static str, String)>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)?;
        self.params.iter().try_for_each(|(_, value)| write!(f, " {value}"))
    }
}

impl Fault {
    fn new(code: &'static str, found: impl Into<String>) -> Fault {
        Fault { code, params: vec![("found", found.into())] }
    }

    /// What was found is not repeated: it may hold a password.
    fn database_url() -> Fault {
        Fault { code: DATABASE_URL, params: Vec::new() }
    }

    /// From what the reader of TOML says. Its own sentences are not for people who read another language.
    fn read(message: &str, written: &str) -> Fault {
        if message == DATABASE_URL {
            return Fault::database_url();
        }
        if let Some(code) = CODES.iter().find(|code| message == **code) {
            return Fault::new(code, written);
        }
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        match quoted.as_slice() {
            [key, known @ ..] if message.starts_with("unknown field") => {
                Fault { code: "unknown", params: vec![("key", (*key).to_owned()), ("known", known.join(", "))] }
            }
            [_, known @ ..] if message.starts_with("unknown variant") => {
                Fault { code: "choice", params: vec![("found", written.to_owned()), ("known", known.join(", "))] }
            }
            _ if message.contains("socket address") => Fault::new("address", written),
            _ if message.contains("IP address") => Fault::new("ip", written),
            _ if message.contains("expected a string") => Fault::new("text", written),
            _ if message.contains("expected a sequence") => Fault::new("list", written),
            _ if ["expected u", "expected i", "expected usize"].iter().any(|number| message.contains(number)) => {
                Fault::new("number", written)
            }
            _ => Fault { code: "toml", params: vec![("message", message.to_owned())] },
        }
    }
}

/// What the reader of the database's address says.
const DATABASE_URL: &str = "database_url";

/// What readers of single values say.
const CODES: [&str; 7] = ["positive", "ports", "domain", "algorithms", "address_or_off", "network", "stun_server"];

impl Config {
    /// Reads the file, if there is one, then the environment.
    pub fn load(file: Option<&Path>, variable: impl Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
        let mut config = match file {
            None => Config::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Read(path.to_owned(), error))?;
                Config::parse(&text, path)?
            }
        };
        config.override_with(variable)?;
        Ok(config)
    }

    fn parse(text: &str, file: &Path) -> Result<Config, ConfigError> {
        let wrong = |offset: usize, fault: Fault| {
            let line = text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1;
            ConfigError::Wrong { file: file.to_owned(), line, fault }
        };
        let config: Config = toml::from_str(text).map_err(|error| {
            let span = error.span().unwrap_or_default();
            wrong(span.start, Fault::read(error.message(), text.get(span).unwrap_or_default()))
        })?;
        let Sip { expires_least_s, expires_most_s, .. } = config.sip;
        if expires_least_s > expires_most_s {
            let offset = text.find("expires_most_s").or_else(|| text.find("expires_least_s")).unwrap_or(0);
            return Err(wrong(offset, Fault::new("expires", format!("{expires_least_s} > {expires_most_s}"))));
        }
        let Tls { certificate, key, .. } = &config.tls;
        if certificate.as_os_str().is_empty() != key.as_os_str().is_empty() {
            let offset = text.find("[tls]").unwrap_or(0);
            return Err(wrong(offset, Fault { code: "tls_pair", params: Vec::new() }));
        }
        let Acme { names, agrees, .. } = &config.acme;
        let code = match names.iter().find(|name| name.is_empty() || !is_domain(name) || name.parse::<IpAddr>().is_ok()) {
            Some(_) => Some("acme_name"),
            None if names.is_empty() => None,
            None if !certificate.as_os_str().is_empty() => Some("acme_or_files"),
            None => (!agrees).then_some("acme_terms"),
        };
        if let Some(code) = code {
            return Err(wrong(text.find("[acme]").unwrap_or(0), Fault { code, params: Vec::new() }));
        }
        Ok(config)
    }

    fn override_with(&mut self, variable: impl Fn(&str) -> Option<String>) -> Result<(), ConfigError> {
        fn parsed<T: std::str::FromStr>(name: &'static str, code: &'static str, text: &str) -> Result<T, ConfigError> {
            text.parse().map_err(|_| ConfigError::Variable { name, fault: Fault::new(code, text) })
        }
        // One that is empty is as one that is not set.
        let variable = |name: &str| variable(name).filter(|text| !text.is_empty());
        if let Some(text) = variable("PBX_DATA_DIR") {
            self.data_dir = text.into();
        }
        if let Some(text) = variable("PBX_DATABASE_URL") {
            let wrong = |()| ConfigError::Variable { name: "PBX_DATABASE_URL", fault: Fault::database_url() };
            self.database.url = text.parse().map_err(wrong)?;
        }
        if let Some(text) = variable("PBX_SIP_UDP") {
            self.sip.udp = parsed("PBX_SIP_UDP", "address", &text)?;
        }
        if let Some(text) = variable("PBX_SIP_TCP") {
            self.sip.tcp = parsed("PBX_SIP_TCP", "address", &text)?;
        }
        if let Some(text) = variable("PBX_SIP_TLS") {
            let fault = || ConfigError::Variable { name: "PBX_SIP_TLS", fault: Fault::new("address_or_off", &text) };
            self.sip.tls = door(&text).ok_or_else(fault)?;
        }
        if let Some(text) = variable("PBX_OUTER_ADDRESS") {
            self.sip.outer_address = Some(parsed("PBX_OUTER_ADDRESS", "ip", &text)?);
        }
        if let Some(text) = variable("PBX_HTTP") {
            self.http.listen = parsed("PBX_HTTP", "address", &text)?;
        }
        if let Some(text) = variable("PBX_HTTPS") {
            let fault = || ConfigError::Variable { name: "PBX_HTTPS", fault: Fault::new("address_or_off", &text) };
            self.http.secure = door(&text).ok_or_else(fault)?;
        }
        if let Some(text) = variable("PBX_RTP_ADDRESS") {
            self.rtp.address = parsed("PBX_RTP_ADDRESS", "ip", &text)?;
        }
        if let Some(text) = variable("PBX_RTP_PORTS") {
            let fault = || ConfigError::Variable { name: "PBX_RTP_PORTS", fault: Fault::new("ports", &text) };
            self.rtp.ports = ports(&text).ok_or_else(fault)?;
        }
        if let Some(text) = variable("PBX_DOMAIN") {
            if !is_domain(&text) {
                return Err(ConfigError::Variable { name: "PBX_DOMAIN", fault: Fault::new("domain", text) });
            }
            self.sip.domain = text;
        }
        Ok(())
    }
}

fn ports_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RangeInclusive<u16>, D::Error> {
    ports(&String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("ports"))
}

fn database_url_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DatabaseUrl, D::Error> {
    // Whatever is wrong with it, it is not repeated.
    String::deserialize(deserializer).ok().and_then(|text| text.parse().ok()).ok_or_else(|| D::Error::custom(DATABASE_URL))
}

fn door_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    door(&String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("address_or_off"))
}

fn address_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IpAddr>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| D::Error::custom("ip")),
    }
}

fn stun_server_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Target>, D::Error> {
    match String::deserialize(deserializer)?.as_str() {
        "" => Ok(None),
        text => Target::of_host(text, STUN_PORT, Transport::Udp).map(Some).ok_or_else(|| D::Error::custom("stun_server")),
    }
}

fn domain_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Some(String::deserialize(deserializer)?).filter(|text| is_domain(text)).ok_or_else(|| D::Error::custom("domain"))
}

fn algorithms_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<pbx_sip::auth::Algorithm>, D::Error> {
    let given = Vec::<pbx_sip::auth::Algorithm>::deserialize(deserializer)?;
    let good = !given.is_empty() && given.iter().enumerate().all(|(place, one)| !given[..place].contains(one));
    good.then_some(given).ok_or_else(|| D::Error::custom("algorithms"))
}

fn positive<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default + PartialEq>(deserializer: D) -> Result<T, D::Error> {
    Some(T::deserialize(deserializer)?).filter(|number| *number != T::default()).ok_or_else(|| D::Error::custom("positive"))
}

/// An address with its port, or `off` for a door that stays shut.
fn door(text: &str) -> Option<Option<SocketAddr>> {
    if text == "off" { Some(None) } else { text.parse().ok().map(Some) }
}

/// `10000-29999`, with room for at least one even port and the odd one after it.
fn ports(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-')?;
    let (first, last) = (first.trim().parse::<u16>().ok()?, last.trim().parse::<u16>().ok()?);
    (first >= 1024 && u32::from(first) + u32::from(first % 2) < u32::from(last)).then_some(first..=last)
}

/// A host name or an address, as in a SIP URI, without a port; empty for none.
fn is_domain(text: &str) -> bool {
    let name = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
    let six = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    text.len() <= 253 && (name || six.is_some_and(|six| six.parse::<std::net::Ipv6Addr>().is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_names_every_key_with_its_default() {
        let example = Config::parse(include_str!("../pbx.example.toml"), Path::new("pbx.example.toml")).unwrap();
        assert_eq!(format!("{example:?}"), format!("{:?}", Config::default()));
        let keys = include_str!("../pbx.example.toml").lines().filter(|line| line.contains(" = ")).count();
        assert_eq!(keys, 34, "a new key belongs into the example");
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let wrong = |text: &str| match Config::parse(text, Path::new("pbx.toml")) {
            Err(ConfigError::Wrong { line, fault, .. }) => (line, fault.code, fault.params),
            other => panic!("{text} gives {other:?}"),
        };
        let (line, code, params) = wrong("[sip]\nudp = \"127.0.0.1:0\"\nuppd = true\n");
        assert_eq!((line, code, &params[0]), (3, "unknown", &("key", "uppd".to_owned())));
        assert!(params[1].1.starts_with("udp, tcp, tls, domain"), "{params:?}");
        for (text, line, code, found) in [
            ("[rtp]\nports = \"9-1\"\n", 2, "ports", "\"9-1\""),
            ("[rtp]\n\naddress = \"here\"\n", 3, "ip", "\"here\""),
            ("[http]\nlisten = \"8080\"\n", 2, "address", "\"8080\""),
            ("[http]\nlisten = 8080\n", 2, "address", "8080"),
            ("[sip]\ndomain = \"a b\"\n", 2, "domain", "\"a b\""),
            ("[sip]\ntls = \"5061\"\n", 2, "address_or_off", "\"5061\""),
            ("[sip]\nstun_server = \"a b\"\n", 2, "stun_server", "\"a b\""),
            ("[sip]\ndomain = 7\n", 2, "text", "7"),
            ("[sip]\nring_s = 0\n", 2, "positive", "0"),
            ("[sip]\nring_s = -1\n", 2, "number", "-1"),
            ("[sip]\nring_s = \"long\"\n", 2, "number", "\"long\""),
            ("[sip]\nalgorithms = []\n", 2, "algorithms", "[]"),
            ("[sip]\nalgorithms = [\"MD5\", \"MD5\"]\n", 2, "algorithms", "[\"MD5\", \"MD5\"]"),
            ("[sip]\nalgorithms = [\"SHA\"]\n", 2, "choice", "\"SHA\""),
            ("[sip]\nalgorithms = \"MD5\"\n", 2, "list", "\"MD5\""),
            ("[sip]\nexpires_least_s = 60\nexpires_most_s = 30\n", 3, "expires", "60 > 30"),
        ] {
            assert_eq!(wrong(text), (line, code, wrong(text).2), "{text}");
            assert_eq!(wrong(text).2[0].1, found, "{text}");
        }
        assert_eq!(wrong("[http]\n[tls]\nkey = \"key.pem\"\n"), (2, "tls_pair", Vec::new()));
        let named = "[acme]\nnames = [\"pbx.example.org\"]\n";
        assert_eq!(wrong(named), (1, "acme_terms", Vec::new()));
        let both = "agrees = true\n[tls]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n";
        assert_eq!(wrong(&format!("{named}{both}")), (1, "acme_or_files", Vec::new()));
        assert_eq!(wrong("[acme]\nnames = [\"a b\"]\nagrees = true\n").1, "acme_name");
        assert_eq!(wrong("[sip\n").1, "toml");
        assert_eq!(wrong("[sipp]\n").2[0].1, "sipp");
    }

    #[test]
    fn an_address_of_the_database_is_never_shown() {
        let url = "postgres://pbx:a-password@192.0.2.5/pbx";
        let config = Config::parse(&format!("[database]\nurl = \"{url}\"\n"), Path::new("pbx.toml")).unwrap();
        assert_eq!(config.database.url, DatabaseUrl::Postgres(url.to_owned()));
        assert!(!format!("{config:?}").contains("password"), "{config:?}");
        let variable = |value: &'static str| Config::load(None, move |name| (name == "PBX_DATABASE_URL").then(|| value.to_owned()));
        assert_eq!(variable("sqlite:").unwrap().database.url, DatabaseUrl::Sqlite);
        let mut wrong = vec![variable("mysql://pbx:a-password@192.0.2.5/pbx").unwrap_err()];
        for text in ["url = \"pbx:a-password@192.0.2.5\"", "url = [\"a-password\"]", "url = \"sqlite:a-password.db\""] {
            wrong.push(Config::parse(&format!("[database]\n{text}\n"), Path::new("pbx.toml")).unwrap_err());
        }
        for error in wrong {
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(DATABASE_URL) && !shown.contains("a-password"), "{shown}");
        }
    }

    #[test]
    fn the_environment_comes_first() {
        let only = |name: &'static str, value: &'static str| move |asked: &str| (asked == name).then(|| value.to_owned());
        assert_eq!(Config::load(None, only("PBX_RTP_PORTS", "2000-2100")).unwrap().rtp.ports, 2000..=2100);
        assert_eq!(Config::load(None, only("PBX_HTTP", "")).unwrap().http.listen, Http::default().listen);
        assert_eq!(Config::load(None, only("PBX_SIP_TLS", "off")).unwrap().sip.tls, None);
        for (name, value, code) in [
            ("PBX_HTTP", "nowhere", "address"),
            ("PBX_SIP_UDP", "5060", "address"),
            ("PBX_SIP_TLS", "no", "address_or_off"),
            ("PBX_HTTPS", "8443", "address_or_off"),
            ("PBX_RTP_ADDRESS", "0.0.0.0:1", "ip"),
            ("PBX_OUTER_ADDRESS", "router", "ip"),
            ("PBX_RTP_PORTS", "2001-2002", "ports"),
            ("PBX_DOMAIN", "a@b", "domain"),
        ] {
            match Config::load(None, only(name, value)) {
                Err(ConfigError::Variable { name: named, fault }) => assert_eq!((named, fault), (name, Fault::new(code, value))),
                other => panic!("{name}={value} gives {other:?}"),
            }
        }
    }
}
