//! Configuration: one TOML file, every key with a default, checked once at start; variables of the environment come before it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};
use thiserror::Error;

/// The whole of it; a room is given its own part.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Database, lock, control socket.
    pub data_dir: PathBuf,
    /// Signalling.
    pub sip: Sip,
    /// Sound.
    pub rtp: Rtp,
    /// The administration.
    pub http: Http,
    /// The end.
    pub stop: Stop,
}

/// Signalling.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sip {
    /// Where datagrams are received.
    pub udp: SocketAddr,
    /// Where connections are accepted.
    pub tcp: SocketAddr,
    /// SIP domain; empty for the machine's own address.
    pub domain: String,
    /// Digest algorithms in the order in which they are offered.
    pub algorithms: Vec<pbx_sip::auth::Algorithm>,
    /// Phones that are offered MD5 alone: part of their User-Agent.
    pub md5_only: Vec<String>,
    /// Shortest registration, in seconds.
    pub expires_least_s: u32,
    /// Longest registration, in seconds.
    pub expires_most_s: u32,
    /// How long a phone rings, in seconds.
    pub ring_s: u64,
    /// From one address.
    pub messages_per_second: u32,
    /// At once.
    pub connections: usize,
    /// At once.
    pub calls: usize,
    /// Silence of both sides after which a call is over, in seconds.
    pub dead_s: u64,
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
        Config { data_dir: "data".into(), sip: Sip::default(), rtp: Rtp::default(), http: Http::default(), stop: Stop::default() }
    }
}

impl Default for Sip {
    fn default() -> Sip {
        let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 5060));
        Sip {
            udp: everywhere,
            tcp: everywhere,
            domain: String::new(),
            algorithms: vec![pbx_sip::auth::Algorithm::Md5, pbx_sip::auth::Algorithm::Sha256],
            md5_only: vec!["baresip".to_owned()],
            expires_least_s: 30,
            expires_most_s: 7200,
            ring_s: 60,
            messages_per_second: 500,
            connections: 2000,
            calls: 2000,
            dead_s: 120,
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
        Http { listen: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080)) }
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
    #[error("{file}, line {line}: {message}")]
    Wrong {
        /// Which file.
        file: PathBuf,
        /// From 1.
        line: usize,
        /// What was expected.
        message: String,
    },
    /// A variable of the environment has a value that is none.
    #[error("{name}: {message}")]
    Variable {
        /// Which.
        name: &'static str,
        /// What was expected.
        message: String,
    },
}

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
        toml::from_str(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start).min(text.len());
            let line = text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1;
            ConfigError::Wrong { file: file.to_owned(), line, message: error.message().to_owned() }
        })
    }

    fn override_with(&mut self, variable: impl Fn(&str) -> Option<String>) -> Result<(), ConfigError> {
        fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(name: &'static str, text: &str) -> Result<T, ConfigError> {
            text.parse().map_err(|error: T::Err| ConfigError::Variable { name, message: format!("{text}: {error}") })
        }
        if let Some(text) = variable("PBX_DATA_DIR") {
            self.data_dir = text.into();
        }
        if let Some(text) = variable("PBX_SIP_UDP") {
            self.sip.udp = parsed("PBX_SIP_UDP", &text)?;
        }
        if let Some(text) = variable("PBX_SIP_TCP") {
            self.sip.tcp = parsed("PBX_SIP_TCP", &text)?;
        }
        if let Some(text) = variable("PBX_HTTP") {
            self.http.listen = parsed("PBX_HTTP", &text)?;
        }
        if let Some(text) = variable("PBX_RTP_ADDRESS") {
            self.rtp.address = parsed("PBX_RTP_ADDRESS", &text)?;
        }
        if let Some(text) = variable("PBX_RTP_PORTS") {
            self.rtp.ports = ports(&text).ok_or_else(|| ConfigError::Variable { name: "PBX_RTP_PORTS", message: text.clone() })?;
        }
        if let Some(text) = variable("PBX_DOMAIN") {
            self.sip.domain = text;
        }
        Ok(())
    }
}

fn ports_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RangeInclusive<u16>, D::Error> {
    let text = String::deserialize(deserializer)?;
    ports(&text).ok_or_else(|| serde::de::Error::custom(format!("\"{text}\": first-last, such as \"10000-29999\"")))
}

/// `10000-29999`
fn ports(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-')?;
    let (first, last) = (first.trim().parse::<u16>().ok()?, last.trim().parse::<u16>().ok()?);
    (first >= 1024 && first < last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_names_every_key_with_its_default() {
        let example = Config::parse(include_str!("../pbx.example.toml"), Path::new("pbx.example.toml")).unwrap();
        assert_eq!(format!("{example:?}"), format!("{:?}", Config::default()));
        let keys = include_str!("../pbx.example.toml").lines().filter(|line| line.contains(" = ")).count();
        assert_eq!(keys, 17, "a new key belongs into the example");
    }

    #[test]
    fn mistakes_are_named_with_their_line() {
        let wrong = |text: &str| Config::parse(text, Path::new("pbx.toml")).unwrap_err().to_string();
        assert!(wrong("[sip]\nudp = \"127.0.0.1:0\"\nuppd = true\n").starts_with("pbx.toml, line 3: unknown field `uppd`"));
        assert!(wrong("[rtp]\nports = \"9-1\"\n").contains("line 2"));
    }

    #[test]
    fn the_environment_comes_first() {
        let set = |name: &str| (name == "PBX_RTP_PORTS").then(|| "2000-2100".to_owned());
        assert_eq!(Config::load(None, set).unwrap().rtp.ports, 2000..=2100);
        let wrong = |name: &str| (name == "PBX_HTTP").then(|| "nowhere".to_owned());
        assert!(Config::load(None, wrong).unwrap_err().to_string().starts_with("PBX_HTTP: nowhere"));
    }
}
