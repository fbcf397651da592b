//! Which phones an extension has, and until when: AoR to bindings, RFC 3261 10.3; several ways to one phone (RFC 5626), and by which proxies
//! (RFC 3327). Authentication is done before; nothing is sent here.

pub mod gruu;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use pbx_sip::clock::Wall;
use pbx_sip::flow::{ConnectionId, Flow, Transport};
use pbx_sip::message::{Contacts, HeaderName, Message, NameAddr, Uri, list_entries};
use serde::{Deserialize, Serialize};

use crate::directory::ExtensionNumber;

/// One phone of an extension.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The address of record: the extension.
    pub aor: ExtensionNumber,
    /// The URI of its Contact, as it came.
    pub contact: String,
    /// `+sip.instance` (RFC 5626): the same phone, whatever its address.
    pub instance: Option<String>,
    /// Which of several ways to that phone this is (RFC 5626 4.2).
    #[serde(default)]
    pub reg_id: Option<u32>,
    /// Proxies on the way to it, the nearest to us first (RFC 3327).
    #[serde(default)]
    pub path: Vec<String>,
    /// Preference in thousandths.
    pub q_thousandths: u16,
    /// The path its REGISTER came by; requests go back along it.
    pub flow: Flow,
    /// Of the REGISTER.
    pub call_id: String,
    /// Of the REGISTER.
    pub cseq: u32,
    /// When it lapses.
    pub expires: Wall,
    /// What the phone calls itself.
    pub user_agent: Option<String>,
}

impl Binding {
    /// What tells it from all others of its extension: its Contact, and where one phone has several ways to it, which one.
    pub fn key(&self) -> String {
        match (&self.instance, self.reg_id) {
            (Some(instance), Some(reg_id)) => format!("{} {instance};reg-id={reg_id}", self.contact),
            _ => self.contact.clone(),
        }
    }

    /// Is it another way to the same phone?
    pub fn is_same_phone_as(&self, other: &Binding) -> bool {
        self.aor == other.aor && self.instance.is_some() && self.instance == other.instance
    }
}

/// What the store is to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BindingChange {
    /// Keep this, in the place of one with the same AoR and key.
    Put(Binding),
    /// Forget it.
    Remove {
        /// The extension.
        aor: ExtensionNumber,
        /// Of the binding.
        key: String,
    },
}

impl BindingChange {
    /// Whose binding.
    pub fn aor(&self) -> &ExtensionNumber {
        match self {
            BindingChange::Put(binding) => &binding.aor,
            BindingChange::Remove { aor, .. } => aor,
        }
    }

    /// Which of them.
    pub fn key(&self) -> String {
        match self {
            BindingChange::Put(binding) => binding.key(),
            BindingChange::Remove { key, .. } => key.clone(),
        }
    }
}

/// How long a binding may last, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// Shorter ones are refused with 423.
    pub least_s: u32,
    /// Longer ones are cut.
    pub most_s: u32,
    /// If the phone says nothing.
    pub usual_s: u32,
}

impl Default for Expiry {
    fn default() -> Expiry {
        Expiry { least_s: 30, most_s: 7_200, usual_s: 3_600 }
    }
}

/// Contacts of one extension whose state could not be put on disk; beyond that one is forgotten, which at worst leaves a phone on disk
/// until its time is over.
const MAX_OWED: usize = 4 * MAX_CONTACTS;

/// Phones of one extension.
pub const MAX_CONTACTS: usize = 10;

/// Why a REGISTER is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterRefusal {
    /// Malformed contacts, `*` beside others or with another expiry than 0: 400.
    Malformed,
    /// A shorter time than is allowed: 423.
    TooBrief,
    /// More than [`MAX_CONTACTS`]: 403.
    TooMany,
    /// An older request that came late (10.3 step 7): 500.
    OutOfOrder,
    /// It came through a proxy that keeps no way to the phone, who counts on one (RFC 5626 6): 439.
    FirstHopLacksOutbound,
    /// It came through proxies that are to be on the way back, and the phone knows nothing of that (RFC 3327 5.3): 420.
    PathUnknown,
}

/// What a REGISTER did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registered {
    /// For the store.
    pub changes: Vec<BindingChange>,
    /// Something is new or gone, so that it must be on disk before the phone is told; otherwise only times moved.
    pub essential: bool,
    /// It is one of several ways to the phone, as the phone wished.
    pub outbound: bool,
}

/// All bindings.
#[derive(Debug, Default)]
pub struct Registrar {
    bindings: BTreeMap<ExtensionNumber, Vec<Binding>>,
    lapses: BTreeSet<(Wall, ExtensionNumber, String)>,
    /// Contacts of which the disk may not know how they are: it is told along with the next REGISTER. Not what it was to be told, which
    /// by then may not be so any more.
    owed: BTreeMap<ExtensionNumber, BTreeSet<String>>,
    expiry: Expiry,
}

impl Registrar {
    /// With what the store kept.
    pub fn new(expiry: Expiry, kept: Vec<Binding>, now: Wall) -> Registrar {
        let mut registrar = Registrar { expiry, ..Registrar::default() };
        for mut binding in kept.into_iter().filter(|binding| binding.expires > now) {
            // Connections end with the process that had them; their numbers are others' now.
            if binding.flow.connection != ConnectionId::default() {
                binding.flow.connection = ConnectionId::default();
                binding.flow.remote = listening_at(&binding).unwrap_or(binding.flow.remote);
            }
            registrar.put(binding);
        }
        registrar
    }

    /// The live bindings of an extension, best first, the newest first among equals.
    pub fn bindings(&self, aor: &str) -> &[Binding] {
        self.bindings.get(aor).map_or(&[], Vec::as_slice)
    }

    /// Each extension that has phones.
    pub fn each(&self) -> impl Iterator<Item = (&ExtensionNumber, &[Binding])> {
        self.bindings.iter().map(|(aor, bindings)| (aor, bindings.as_slice()))
    }

    /// Each extension that has phones, or of which the disk may think so.
    pub fn known(&self) -> BTreeSet<&ExtensionNumber> {
        self.bindings.keys().chain(self.owed.keys()).collect()
    }

    /// Seconds in a Min-Expires.
    pub fn least_s(&self) -> u32 {
        self.expiry.least_s
    }

    /// Carries out a REGISTER for an extension: all of it or nothing.
    pub fn register(
        &mut self,
        aor: &ExtensionNumber,
        request: &Message,
        flow: Flow,
        now: Wall,
    ) -> Result<Registered, RegisterRefusal> {
        let (call_id, cseq) = match (request.call_id(), request.cseq()) {
            (Ok(call_id), Ok(cseq)) => (call_id, cseq.number),
            _ => return Err(RegisterRefusal::Malformed),
        };
        let header_expires = request.expires().ok().flatten();
        let contacts = match request.contacts().map_err(|_| RegisterRefusal::Malformed)? {
            Contacts::Star if header_expires == Some(0) => {
                let done = self.remove_all(aor, call_id, cseq)?;
                return Ok(self.with_owed(aor, done));
            }
            Contacts::Star => return Err(RegisterRefusal::Malformed),
            Contacts::List(contacts) => contacts,
        };
        let user_agent =
            request.header(HeaderName::UserAgent).map(|value| String::from_utf8_lossy(value).chars().take(120).collect::<String>());
        let way = Way::of(request)?;
        let before = self.bindings(aor.as_str()).to_vec();
        let mut after = before.clone();
        let mut done = Registered::default();
        for contact in contacts {
            if contact.uri.len() > 512 || !contact.uri_view().is_ok_and(|uri| uri.is_sip()) {
                return Err(RegisterRefusal::Malformed);
            }
            let instance = contact.param("+sip.instance").flatten().map(|value| value.chars().take(200).collect::<String>());
            let reg_id = contact.param("reg-id").flatten().and_then(|value| value.parse().ok()).filter(|number| *number > 0);
            let reg_id: Option<u32> = reg_id.filter(|_| instance.is_some() && way.asks_for_outbound);
            if reg_id.is_some() && !way.gives_outbound {
                return Err(RegisterRefusal::FirstHopLacksOutbound);
            }
            done.outbound |= reg_id.is_some();
            let expires_s = contact.expires().or(header_expires).unwrap_or(self.expiry.usual_s);
            let known = after.iter().position(|binding| is_replaced(binding, contact.uri, instance.as_deref(), reg_id));
            if let Some(known) = known {
                let old = &after[known];
                // The same Call-ID counts up (10.3 step 7); another one is the phone after a restart.
                if old.call_id == call_id && cseq <= old.cseq {
                    return Err(RegisterRefusal::OutOfOrder);
                }
            }
            if expires_s == 0 {
                if let Some(known) = known {
                    let gone = after.remove(known);
                    done.changes.push(BindingChange::Remove { aor: aor.clone(), key: gone.key() });
                    done.essential = true;
                }
                continue;
            }
            if expires_s < self.expiry.least_s {
                return Err(RegisterRefusal::TooBrief);
            }
            let binding = Binding {
                aor: aor.clone(),
                contact: contact.uri.to_owned(),
                instance,
                reg_id,
                path: way.path.clone(),
                q_thousandths: contact.q().unwrap_or(1000),
                flow,
                call_id: call_id.to_owned(),
                cseq,
                expires: now + Duration::from_secs(u64::from(expires_s.min(self.expiry.most_s))),
                user_agent: user_agent.clone(),
            };
            match known {
                Some(known) => {
                    let old = &after[known];
                    done.essential |= old.contact != binding.contact
                        || old.flow != binding.flow
                        || old.path != binding.path
                        || old.q_thousandths != binding.q_thousandths;
                    if old.key() != binding.key() {
                        done.changes.push(BindingChange::Remove { aor: aor.clone(), key: old.key() });
                    }
                    after[known] = binding.clone();
                }
                None => {
                    done.essential = true;
                    after.insert(0, binding.clone());
                }
            }
            // A phone that has one way again has no others.
            let stale = |known: &Binding| {
                known.key() != binding.key() && is_replaced(known, &binding.contact, binding.instance.as_deref(), reg_id)
            };
            for gone in after.extract_if(.., |known| stale(known)) {
                done.changes.push(BindingChange::Remove { aor: aor.clone(), key: gone.key() });
                done.essential = true;
            }
            done.changes.push(BindingChange::Put(binding));
        }
        if after.len() > MAX_CONTACTS {
            return Err(RegisterRefusal::TooMany);
        }
        self.replace(aor, &before, after);
        Ok(self.with_owed(aor, done))
    }

    /// These changes could not be put on disk. Phones stay reachable meanwhile; the next REGISTER brings the changes again, and is told
    /// only when they are there.
    pub fn not_stored(&mut self, aor: &ExtensionNumber, changes: Vec<BindingChange>) {
        let owed = self.owed.entry(aor.clone()).or_default();
        owed.extend(changes.iter().map(BindingChange::key));
        while owed.len() > MAX_OWED {
            owed.pop_first();
        }
    }

    fn with_owed(&mut self, aor: &ExtensionNumber, done: Registered) -> Registered {
        let Some(owed) = self.owed.remove(aor) else { return done };
        let bindings = self.bindings(aor.as_str());
        let as_it_is = |key: String| match bindings.iter().find(|binding| binding.key() == key) {
            Some(binding) => BindingChange::Put(binding.clone()),
            None => BindingChange::Remove { aor: aor.clone(), key },
        };
        let told = |key: &String| done.changes.iter().any(|change| change.key() == *key);
        let mut changes: Vec<BindingChange> = owed.into_iter().filter(|key| !told(key)).map(as_it_is).collect();
        changes.extend(done.changes);
        Registered { changes, essential: true, outbound: done.outbound }
    }

    /// Takes out what has lapsed.
    pub fn lapse(&mut self, now: Wall) -> Vec<BindingChange> {
        let mut gone = Vec::new();
        while let Some((when, aor, key)) = self.lapses.first().cloned() {
            if when > now {
                break;
            }
            self.lapses.pop_first();
            gone.extend(self.remove(&aor, &key));
        }
        gone
    }

    /// When the next one lapses.
    pub fn next_lapse(&self) -> Option<Wall> {
        self.lapses.first().map(|(when, _, _)| *when)
    }

    /// A connection is gone: phones behind it cannot be reached by it any more. They will come back by another.
    pub fn flow_closed(&mut self, flow: &Flow) -> Vec<BindingChange> {
        if !flow.transport.is_reliable() {
            return Vec::new();
        }
        let mut lost = Vec::new();
        for binding in self.bindings.values_mut().flatten().filter(|binding| binding.flow.same_connection(flow)) {
            match listening_at(binding) {
                Some(address) => {
                    binding.flow.connection = ConnectionId::default();
                    binding.flow.remote = address;
                }
                None => lost.push((binding.aor.clone(), binding.key())),
            }
        }
        lost.into_iter().filter_map(|(aor, key)| self.remove(&aor, &key)).collect()
    }

    /// Our address as phones see it may be another.
    pub fn seen_anew(&mut self, seen: impl Fn(Flow) -> Flow) {
        self.bindings.values_mut().flatten().for_each(|binding| binding.flow = seen(binding.flow));
    }

    /// Phones of which somebody says so are gone, here and on disk.
    pub fn remove_where(&mut self, is_gone: impl Fn(&Binding) -> bool) -> Vec<BindingChange> {
        let gone = self.bindings.values().flatten().filter(|binding| is_gone(binding));
        let gone: Vec<_> = gone.map(|binding| (binding.aor.clone(), binding.key())).collect();
        gone.into_iter().filter_map(|(aor, key)| self.remove(&aor, &key)).collect()
    }

    /// An extension that is gone or switched off has no phones, here or on disk.
    pub fn forget(&mut self, aor: &ExtensionNumber) -> Vec<BindingChange> {
        let before = self.bindings(aor.as_str()).to_vec();
        self.replace(aor, &before, Vec::new());
        let mut keys = self.owed.remove(aor).unwrap_or_default();
        keys.extend(before.iter().map(Binding::key));
        keys.into_iter().map(|key| BindingChange::Remove { aor: aor.clone(), key }).collect()
    }

    fn remove_all(&mut self, aor: &ExtensionNumber, call_id: &str, cseq: u32) -> Result<Registered, RegisterRefusal> {
        if self.bindings(aor.as_str()).iter().any(|binding| binding.call_id == call_id && cseq <= binding.cseq) {
            return Err(RegisterRefusal::OutOfOrder);
        }
        let changes = self.forget(aor);
        Ok(Registered { essential: !changes.is_empty(), changes, outbound: false })
    }

    fn remove(&mut self, aor: &ExtensionNumber, key: &str) -> Option<BindingChange> {
        let before = self.bindings(aor.as_str()).to_vec();
        let after: Vec<Binding> = before.iter().filter(|binding| binding.key() != key).cloned().collect();
        if after.len() == before.len() {
            return None;
        }
        self.replace(aor, &before, after);
        if let Some(owed) = self.owed.get_mut(aor) {
            owed.remove(key);
            if owed.is_empty() {
                self.owed.remove(aor);
            }
        }
        Some(BindingChange::Remove { aor: aor.clone(), key: key.to_owned() })
    }

    fn put(&mut self, binding: Binding) {
        let aor = binding.aor.clone();
        let before = self.bindings(aor.as_str()).to_vec();
        let mut after: Vec<Binding> = before.iter().filter(|old| old.key() != binding.key()).cloned().collect();
        after.push(binding);
        self.replace(&aor, &before, after);
    }

    fn replace(&mut self, aor: &ExtensionNumber, before: &[Binding], mut after: Vec<Binding>) {
        for old in before {
            self.lapses.remove(&(old.expires, aor.clone(), old.key()));
        }
        for new in &after {
            self.lapses.insert((new.expires, aor.clone(), new.key()));
        }
        after.sort_by_key(|binding| std::cmp::Reverse(binding.q_thousandths));
        if after.is_empty() {
            self.bindings.remove(aor);
        } else {
            self.bindings.insert(aor.clone(), after);
        }
    }
}

/// The way that a REGISTER took.
struct Way {
    path: Vec<String>,
    /// The phone keeps several ways open (RFC 5626).
    asks_for_outbound: bool,
    /// And whoever stands next to it does too: we, or a proxy that says so.
    gives_outbound: bool,
}

impl Way {
    fn of(request: &Message) -> Result<Way, RegisterRefusal> {
        let knows = |tag: &str| {
            let tags = |name| request.option_tags(name).into_iter().any(|known| known.eq_ignore_ascii_case(tag));
            tags(HeaderName::Supported) || tags(HeaderName::Require)
        };
        let mut path = Vec::new();
        for value in request.headers(HeaderName::Path) {
            for entry in list_entries(value) {
                let entry = entry.ok().and_then(|entry| std::str::from_utf8(entry).ok()).map(|entry| entry.trim().to_owned());
                path.push(entry.ok_or(RegisterRefusal::Malformed)?);
            }
        }
        let each = || path.iter().map(|entry| NameAddr::parse(entry.as_bytes()));
        let whole = each().all(|entry| entry.is_ok_and(|entry| entry.uri_view().is_ok_and(|uri| uri.is_sip())));
        if path.len() > MAX_PATH || path.iter().map(String::len).sum::<usize>() > MAX_PATH_OCTETS || !whole {
            return Err(RegisterRefusal::Malformed);
        }
        if !path.is_empty() && !knows("path") {
            return Err(RegisterRefusal::PathUnknown);
        }
        let keeps = |entry: NameAddr<'_>| entry.uri_view().is_ok_and(|uri| uri.param("ob").is_some());
        let straight = request.headers(HeaderName::Via).count() < 2;
        let gives_outbound = straight || each().flatten().any(keeps);
        Ok(Way { asks_for_outbound: knows("outbound"), gives_outbound, path })
    }
}

/// Proxies on the way to one phone, and their octets.
const MAX_PATH: usize = 8;
const MAX_PATH_OCTETS: usize = 2_000;

/// Does what is new stand in its place? By instance where both have one, each way to it for itself; else by URI (RFC 3261 19.1.4).
fn is_replaced(binding: &Binding, contact: &str, instance: Option<&str>, reg_id: Option<u32>) -> bool {
    if let (Some(known), Some(new)) = (&binding.instance, instance) {
        return known == new && (binding.reg_id.is_none() || reg_id.is_none() || binding.reg_id == reg_id);
    }
    match (Uri::parse(&binding.contact), Uri::parse(contact)) {
        (Ok(a), Ok(b)) => a.same_as(&b),
        _ => binding.contact == contact,
    }
}

/// A phone that listens at its own Contact is found there by a new connection; not by TLS, where it is the phone that comes, for it has
/// no certificate to be known by.
fn listening_at(binding: &Binding) -> Option<SocketAddr> {
    // Nobody listens for TLS at a telephone, nor for a WebSocket in a browser.
    if !matches!(binding.flow.transport, Transport::Udp | Transport::Tcp) {
        return None;
    }
    let uri = Uri::parse(&binding.contact).ok()?;
    let address = SocketAddr::new(uri.host_bare().parse().ok()?, uri.port.unwrap_or(5060));
    (address.ip() == binding.flow.remote.ip()).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Wall = Wall(1_000_000_000_000_000);

    fn aor() -> ExtensionNumber {
        ExtensionNumber::new("201").unwrap()
    }

    fn flow(port: u16) -> Flow {
        Flow {
            transport: Transport::Udp,
            local: "192.0.2.9:5060".parse().unwrap(),
            remote: std::net::SocketAddr::new("192.0.2.1".parse().unwrap(), port),
            connection: ConnectionId::default(),
        }
    }

    fn register(registrar: &mut Registrar, cseq: u32, lines: &str) -> Result<Registered, RegisterRefusal> {
        let text = format!("REGISTER sip:house SIP/2.0\r\nCall-ID: c\r\nCSeq: {cseq} REGISTER\r\n{lines}\r\n\r\n");
        let request = Message::parse(text.into_bytes().into()).unwrap();
        registrar.register(&aor(), &request, flow(5062), NOW)
    }

    fn contacts(registrar: &Registrar) -> Vec<&str> {
        registrar.bindings("201").iter().map(|binding| binding.contact.as_str()).collect()
    }

    #[test]
    fn phones_come_refresh_and_go() {
        let mut registrar = Registrar::default();
        assert!(register(&mut registrar, 1, "Contact: <sip:201@192.0.2.1:5062>;expires=60").unwrap().essential);
        assert!(!register(&mut registrar, 2, "Contact: <sip:201@192.0.2.1:5062>;expires=60").unwrap().essential, "a mere refresh");
        assert_eq!(register(&mut registrar, 2, "Contact: <sip:201@192.0.2.1:5062>"), Err(RegisterRefusal::OutOfOrder));
        register(&mut registrar, 3, "Contact: <sip:201@192.0.2.2>;q=0.5, <sip:201@192.0.2.3>;q=0.9").unwrap();
        assert_eq!(contacts(&registrar), ["sip:201@192.0.2.1:5062", "sip:201@192.0.2.3", "sip:201@192.0.2.2"]);
        register(&mut registrar, 4, "Contact: <sip:201@192.0.2.3>;expires=0").unwrap();
        assert_eq!(contacts(&registrar).len(), 2);
        let gone = register(&mut registrar, 5, "Contact: *\r\nExpires: 0").unwrap();
        assert_eq!((gone.changes.len(), contacts(&registrar).len()), (2, 0));
    }

    #[test]
    fn times_are_bounded_and_lapse() {
        let mut registrar = Registrar::default();
        assert_eq!(register(&mut registrar, 1, "Contact: <sip:201@192.0.2.1>;expires=5"), Err(RegisterRefusal::TooBrief));
        register(&mut registrar, 2, "Contact: <sip:201@192.0.2.1>;expires=99999999999").unwrap();
        let lapse = NOW + Duration::from_secs(7200);
        assert_eq!(registrar.next_lapse(), Some(lapse));
        assert!(registrar.lapse(NOW).is_empty());
        assert_eq!(registrar.lapse(lapse).len(), 1);
        assert!(contacts(&registrar).is_empty());
    }

    #[test]
    fn an_instance_is_one_phone_whatever_its_address() {
        let mut registrar = Registrar::default();
        register(&mut registrar, 1, "Contact: <sip:201@192.0.2.1:5062>;+sip.instance=\"<urn:uuid:1>\"").unwrap();
        let moved = register(&mut registrar, 2, "Contact: <sip:201@192.0.2.1:6062>;+sip.instance=\"<urn:uuid:1>\"").unwrap();
        assert_eq!((moved.changes.len(), contacts(&registrar)), (2, vec!["sip:201@192.0.2.1:6062"]));
    }

    #[test]
    fn star_beside_others_too_many_and_strange_contacts_are_refused() {
        let mut registrar = Registrar::default();
        for lines in [
            "Contact: *",
            "Contact: *\r\nContact: <sip:201@192.0.2.1>\r\nExpires: 0",
            "Contact: <http://x>",
            "Contact: sip:201@x?Route=y",
        ] {
            assert_eq!(register(&mut registrar, 1, lines), Err(RegisterRefusal::Malformed), "{lines}");
        }
        let many: Vec<String> = (0..11).map(|port| format!("<sip:201@192.0.2.1:{}>", 6000 + port)).collect();
        assert_eq!(register(&mut registrar, 1, &format!("Contact: {}", many.join(","))), Err(RegisterRefusal::TooMany));
        assert!(contacts(&registrar).is_empty(), "all or nothing");
    }

    #[test]
    fn what_the_disk_is_told_later_is_how_things_are_by_then() {
        let mut registrar = Registrar::default();
        let first = "Contact: <sip:201@192.0.2.1:5062>;expires=60, <sip:201@192.0.2.2>;expires=60";
        let refused = register(&mut registrar, 1, first).unwrap();
        registrar.not_stored(&aor(), refused.changes);
        // One has moved on meanwhile, the other is gone; that neither was written is known once more.
        let refused = register(&mut registrar, 2, "Contact: <sip:201@192.0.2.1:5062>;expires=600").unwrap();
        assert!(refused.essential);
        registrar.not_stored(&aor(), refused.changes);
        let refused = register(&mut registrar, 3, "Contact: <sip:201@192.0.2.2>;expires=0").unwrap();
        registrar.not_stored(&aor(), refused.changes);
        let told = register(&mut registrar, 4, "Contact: <sip:201@192.0.2.3>;expires=60").unwrap();
        let moved = registrar.bindings("201").iter().find(|binding| binding.contact == "sip:201@192.0.2.1:5062").unwrap();
        assert_eq!(moved.expires, NOW + Duration::from_secs(600));
        let gone = BindingChange::Remove { aor: aor(), key: "sip:201@192.0.2.2".to_owned() };
        assert_eq!(told.changes[..2], [BindingChange::Put(moved.clone()), gone]);
        assert_eq!((told.changes.len(), told.essential), (3, true));
    }

    #[test]
    fn a_phone_that_is_gone_is_not_brought_back_onto_the_disk() {
        let left: [fn(&mut Registrar) -> Vec<BindingChange>; 3] = [
            |registrar| registrar.lapse(NOW + Duration::from_secs(60)),
            |registrar| registrar.flow_closed(&Flow { transport: Transport::Tcp, connection: ConnectionId(1), ..flow(5062) }),
            |registrar| registrar.forget(&aor()),
        ];
        for leave in left {
            let mut registrar = Registrar::default();
            let text =
                "REGISTER sip:house SIP/2.0\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\nContact: <sip:201@192.0.2.7>;expires=60\r\n\r\n";
            let request = Message::parse(text.as_bytes().to_vec().into()).unwrap();
            let by = Flow { transport: Transport::Tcp, connection: ConnectionId(1), ..flow(5062) };
            let refused = registrar.register(&aor(), &request, by, NOW).unwrap();
            registrar.not_stored(&aor(), refused.changes);
            let gone = BindingChange::Remove { aor: aor(), key: "sip:201@192.0.2.7".to_owned() };
            assert_eq!(leave(&mut registrar), [gone]);
            assert!(registrar.known().is_empty(), "nothing is kept of it");
            let told = register(&mut registrar, 2, "Contact: <sip:201@192.0.2.3>;expires=60").unwrap();
            assert_eq!(told.changes.iter().map(BindingChange::key).collect::<Vec<_>>(), ["sip:201@192.0.2.3"]);
        }
    }

    #[test]
    fn of_an_extension_that_is_gone_the_disk_forgets_also_what_it_was_not_told() {
        let mut registrar = Registrar::default();
        register(&mut registrar, 1, "Contact: <sip:201@192.0.2.1>;expires=60").unwrap();
        let refused = register(&mut registrar, 2, "Contact: *\r\nExpires: 0").unwrap();
        registrar.not_stored(&aor(), refused.changes.clone());
        assert_eq!(registrar.known(), BTreeSet::from([&aor()]));
        assert_eq!(registrar.forget(&aor()), refused.changes);
        assert!(registrar.known().is_empty());
    }

    #[test]
    fn two_contacts_that_differ_by_an_escaped_nul_stay_two() {
        let mut registrar = Registrar::default();
        register(&mut registrar, 1, "Contact: <sip:%00@host5.example.com>, <sip:%00%00@host5.example.com>").unwrap();
        assert_eq!(contacts(&registrar).len(), 2);
    }
}
