//! A line to the outside: a carrier's account or peers, how it writes numbers, whom it believes and what it shows. And the numbers of
//! the house, each with where it leads.

use std::fmt;

use pbx_sip::flow::Transport;
use pbx_sip::message::Uri;
use pbx_sip::target::Target;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::directory::{NumberShape, SiteKey, normalise};

/// A short name of a trunk: lower-case letters, digits, `_` and `-`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrunkKey(pub String);

impl fmt::Display for TrunkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A secret that never shows itself.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A header that may say who calls, for those who choose which to believe and which to send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentitySource {
    /// RFC 3325: the network says so.
    #[default]
    PAssertedIdentity,
    /// The same before there was an RFC of it.
    RemotePartyId,
    /// RFC 3261: the caller says so.
    From,
}

/// A line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trunk {
    /// Its key.
    pub key: TrunkKey,
    /// Shown.
    pub name: String,
    /// Whose line: the site whose emergency centre it leads to.
    pub site: SiteKey,
    /// One that is not carries no call.
    pub enabled: bool,
    /// From which profile it was made; shown, and nothing else.
    pub profile: String,
    /// We register there; otherwise the carrier knows us by our address.
    pub registers: bool,
    /// SIP host or URI of the carrier, which calls and registrations name: `sip.carrier.test`, `carrier.test:5070`.
    pub server: String,
    /// Others of its servers, asked when the first does not answer.
    pub more_servers: Vec<String>,
    /// Through which host everything goes, if not straight to the server.
    pub outbound_proxy: String,
    /// How, where the names do not say.
    pub transport: Option<Transport>,
    /// Its sound is protected (SRTP), both ways.
    pub protects_sound: bool,
    /// Seconds for which a registration is asked; 0 for as long as we choose.
    pub register_s: u32,
    /// The account.
    pub user: String,
    /// The user name of its secret, where that is another.
    pub auth_user: String,
    /// Its secret.
    pub secret: Secret,
    /// Our own number on this line, E.164: what callees see.
    pub number: String,
    /// How we write whom we call.
    pub called: NumberShape,
    /// How we write who calls.
    pub caller: NumberShape,
    /// How it writes numbers to us.
    pub arriving: NumberShape,
    /// What it says of who calls that is believed, first to last.
    pub believes: Vec<IdentitySource>,
    /// By which header we say who calls, beside From.
    pub says: IdentitySource,
    /// Of a call from outside that goes outside again the first caller's number is shown, not ours: only where the carrier lets it
    /// pass.
    pub shows_caller: bool,
    /// Calls at once.
    pub channels: u16,
    /// New calls in a second.
    pub calls_per_second: u16,
    /// Lines of one site are tried from the lowest to the highest.
    pub priority: u16,
    /// Seconds between two questions whether it is there; 0 for none.
    pub probe_s: u32,
}

/// Lines of a house, and servers of a line.
pub const MAX_TRUNKS: usize = 50;
const MAX_SERVERS: usize = 8;
const MAX_TEXT: usize = 200;

/// What is wrong with a line, and in which field. The catalogue has a sentence for each: `problem.<code>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{field}: {code}")]
pub struct TrunkError {
    /// Which field.
    pub field: &'static str,
    /// What.
    pub code: &'static str,
}

impl Trunk {
    /// A line as most carriers want it.
    pub fn usual() -> Trunk {
        Trunk {
            enabled: true,
            registers: true,
            believes: vec![IdentitySource::PAssertedIdentity, IdentitySource::From],
            channels: 2,
            calls_per_second: 1,
            priority: 10,
            probe_s: 60,
            ..Trunk::default()
        }
    }

    /// Is it a line that can be?
    pub fn check(&self) -> Result<(), TrunkError> {
        let fault = |field, code| Err(TrunkError { field, code });
        let key = self.key.0.as_str();
        if !(1..=30).contains(&key.len()) || !key.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-')) {
            return fault("key", "trunk_key");
        }
        if self.name.trim().is_empty() || self.name.chars().count() > 80 {
            return fault("name", "name_length");
        }
        if target_of(&self.server, self.transport).is_none() {
            return fault("server", "trunk_server");
        }
        if self.more_servers.len() >= MAX_SERVERS
            || self.more_servers.iter().any(|server| target_of(server, self.transport).is_none())
        {
            return fault("more_servers", "trunk_server");
        }
        if !self.outbound_proxy.is_empty() && target_of(&self.outbound_proxy, self.transport).is_none() {
            return fault("outbound_proxy", "trunk_server");
        }
        if self.registers && self.user.is_empty() {
            return fault("user", "trunk_user");
        }
        let plain = |text: &str| text.len() <= MAX_TEXT && text.chars().all(|character| !character.is_control());
        let named = |text: &str| plain(text) && !text.contains(|character: char| " <>\"@;:".contains(character));
        if !named(&self.user) {
            return fault("user", "trunk_user");
        }
        if !plain(&self.auth_user) {
            return fault("auth_user", "trunk_user");
        }
        if !plain(&self.secret.0) {
            return fault("secret", "trunk_secret");
        }
        if normalise(&self.number).is_none_or(|number| number != self.number) {
            return fault("number", "e164");
        }
        // Only browsers open those.
        if matches!(self.transport, Some(Transport::Ws | Transport::Wss)) {
            return fault("transport", "malformed");
        }
        if self.believes.is_empty() || self.believes.len() > 3 {
            return fault("believes", "trunk_believes");
        }
        if !(1..=1_000).contains(&self.channels) {
            return fault("channels", "trunk_channels");
        }
        if !(1..=1_000).contains(&self.calls_per_second) {
            return fault("calls_per_second", "trunk_channels");
        }
        if self.register_s != 0 && !(60..=86_400).contains(&self.register_s) {
            return fault("register_s", "trunk_register");
        }
        if self.probe_s != 0 && !(15..=3_600).contains(&self.probe_s) {
            return fault("probe_s", "trunk_probe");
        }
        Ok(())
    }

    /// Where its messages go, the first to be tried first.
    pub fn targets(&self) -> Vec<Target> {
        let hosts: Vec<&String> = if self.outbound_proxy.is_empty() {
            std::iter::once(&self.server).chain(&self.more_servers).collect()
        } else {
            vec![&self.outbound_proxy]
        };
        hosts.into_iter().filter_map(|host| target_of(host, self.transport)).collect()
    }

    /// The host that URIs of this line name, with its port if there is one.
    pub fn domain(&self) -> String {
        let text = uri_text(&self.server);
        let Ok(uri) = Uri::parse(&text) else { return self.server.clone() };
        match uri.port {
            Some(port) => format!("{}:{port}", uri.host),
            None => uri.host.to_owned(),
        }
    }

    /// Whose secret it is.
    pub fn auth_user(&self) -> &str {
        if self.auth_user.is_empty() { &self.user } else { &self.auth_user }
    }
}

fn uri_text(host: &str) -> String {
    if host.starts_with("sip:") || host.starts_with("sips:") { host.to_owned() } else { format!("sip:{host}") }
}

fn target_of(host: &str, usual: Option<Transport>) -> Option<Target> {
    if host.is_empty()
        || host.len() > MAX_TEXT
        || host.contains(|character: char| character.is_whitespace() || "<>\"".contains(character))
    {
        return None;
    }
    let text = uri_text(host);
    let uri = Uri::parse(&text).ok()?;
    if uri.user_decoded().is_some() || uri.has_headers() {
        return None;
    }
    let target = Target::of(&uri)?;
    // What the name says goes before what the line says.
    let said = uri.param("transport").is_some() || text.starts_with("sips:");
    Some(match (target, usual.filter(|_| !said)) {
        (Target::Address { mut address, transport: _ }, Some(transport)) => {
            if uri.port.is_none() {
                address.set_port(transport.usual_port());
            }
            Target::Address { address, transport }
        }
        (Target::Name { host, port, transport: None }, Some(transport)) => Target::Name { host, port, transport: Some(transport) },
        (target, _) => target,
    })
}

/// A number of the house, as the world dials it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DidNumber {
    /// E.164.
    pub number: String,
    /// What it is for.
    pub label: String,
    /// What is dialled within the house when it is called: an extension, or whatever the plan has a rule for.
    pub to: String,
}

impl DidNumber {
    /// Is it a number that can be?
    pub fn check(&self) -> Result<(), TrunkError> {
        let fault = |field, code| Err(TrunkError { field, code });
        if normalise(&self.number).is_none_or(|number| number != self.number) {
            return fault("number", "e164");
        }
        if self.label.chars().count() > 80 || self.label.chars().any(char::is_control) {
            return fault("label", "name_length");
        }
        let plain = |digit: u8| digit.is_ascii_digit() || matches!(digit, b'*' | b'#');
        if !(1..=20).contains(&self.to.len()) || !self.to.bytes().all(plain) {
            return fault("to", "leads_to");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Trunk {
        Trunk {
            key: TrunkKey("carrier".into()),
            name: "Opérateur".into(),
            server: "sip.carrier.test".into(),
            user: "0033199001234".into(),
            number: "+33199001234".into(),
            ..Trunk::usual()
        }
    }

    #[test]
    fn what_cannot_be_is_told_by_its_field() {
        assert_eq!(line().check(), Ok(()));
        type Broken = (&'static str, fn(&mut Trunk));
        let broken: [Broken; 14] = [
            ("transport", |line| line.transport = Some(Transport::Wss)),
            ("key", |line| line.key.0 = "Opérateur".into()),
            ("name", |line| line.name = " ".into()),
            ("server", |line| line.server = String::new()),
            ("server", |line| line.server = "a b".into()),
            ("server", |line| line.server = "user@carrier.test".into()),
            ("more_servers", |line| line.more_servers = vec!["<x>".into()]),
            ("outbound_proxy", |line| line.outbound_proxy = "user@carrier.test".into()),
            ("user", |line| line.user = String::new()),
            ("user", |line| line.user = "a@b".into()),
            ("number", |line| line.number = "0199001234".into()),
            ("channels", |line| line.channels = 0),
            ("probe_s", |line| line.probe_s = 1),
            ("register_s", |line| line.register_s = 59),
        ];
        for (field, breaks) in broken {
            let mut broken = line();
            breaks(&mut broken);
            assert_eq!(broken.check().map_err(|error| error.field), Err(field), "{broken:?}");
        }
    }

    #[test]
    fn messages_go_to_the_servers_or_through_the_proxy() {
        let mut line = Trunk { more_servers: vec!["192.0.2.8:5070".into()], ..line() };
        let name = |host: &str, transport| Target::Name { host: host.to_owned(), port: None, transport };
        let address = |text: &str, transport| Target::Address { address: text.parse().unwrap(), transport };
        assert_eq!(line.targets(), [name("sip.carrier.test", None), address("192.0.2.8:5070", Transport::Udp)]);
        line.transport = Some(Transport::Tls);
        assert_eq!(line.targets(), [name("sip.carrier.test", Some(Transport::Tls)), address("192.0.2.8:5070", Transport::Tls)]);
        line.outbound_proxy = "192.0.2.9;transport=tcp".into();
        assert_eq!(line.targets(), [address("192.0.2.9:5060", Transport::Tcp)]);
        line.server = "sip:carrier.test:5080;transport=udp".into();
        assert_eq!(line.domain(), "carrier.test:5080");
    }

    #[test]
    fn secrets_do_not_show() {
        let line = Trunk { secret: Secret("hidden-from-logs".into()), ..line() };
        assert!(!format!("{line:?}").contains("hidden"));
    }

    #[test]
    fn numbers_lead_to_digits() {
        let number = |number: &str, to: &str| DidNumber { number: number.into(), label: "Accueil".into(), to: to.into() };
        assert_eq!(number("+33199001234", "201").check(), Ok(()));
        assert_eq!(number("0199001234", "201").check().map_err(|error| error.field), Err("number"));
        assert_eq!(number("+33199001234", "sip:x").check().map_err(|error| error.field), Err("to"));
    }
}
