//! Who wants to be told of what (RFC 6665): subscriptions as data, and the documents of their event packages. Sends nothing.

pub mod dialog_info;
pub mod message_summary;
pub mod presence;
pub mod reg_info;
pub mod table;

use std::collections::BTreeMap;

use pbx_media_words::LegKey;
use pbx_sip::clock::Wall;
use pbx_sip::dialog::Dialog;
use pbx_sip::flow::Flow;
use pbx_sip::message::{HeaderName, MediaType, Message};
use serde::{Deserialize, Serialize};

use crate::directory::ExtensionNumber;
use crate::subscription::dialog_info::DialogLine;
use crate::subscription::presence::Said;

/// What one may be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Package {
    /// The calls of an extension, RFC 4235: the lamps of a desk phone.
    Dialog,
    /// Whether messages wait, RFC 3842.
    MessageSummary,
    /// How somebody is, RFC 3856.
    Presence,
    /// The phones of one's own extension, RFC 3680.
    Reg,
}

/// Every package, for Allow-Events.
pub const ALLOW_EVENTS: &str = "dialog, message-summary, presence, reg";

/// Subscriptions of one extension's phones, and of the house.
pub const MAX_OF_WATCHER: usize = 100;
/// See [`MAX_OF_WATCHER`].
pub const MAX_OF_HOUSE: usize = 5_000;

/// Seconds for which one may subscribe, and if nothing is said.
pub const LEAST_S: u32 = 60;
/// See [`LEAST_S`].
pub const MOST_S: u32 = 7_200;
/// See [`LEAST_S`].
pub const USUAL_S: u32 = 3_600;

/// Characters of an event's id that are given back.
const MAX_ID: usize = 64;

impl Package {
    const ALL: [Package; 4] = [Package::Dialog, Package::MessageSummary, Package::Presence, Package::Reg];

    /// Its name in Event.
    pub fn as_str(self) -> &'static str {
        match self {
            Package::Dialog => "dialog",
            Package::MessageSummary => "message-summary",
            Package::Presence => "presence",
            Package::Reg => "reg",
        }
    }

    /// What its documents are.
    pub fn content_type(self) -> (&'static str, &'static str) {
        match self {
            Package::Dialog => ("application", "dialog-info+xml"),
            Package::MessageSummary => ("application", "simple-message-summary"),
            Package::Presence => ("application", "pidf+xml"),
            Package::Reg => ("application", "reginfo+xml"),
        }
    }

    /// Is it only for whom it speaks of?
    pub fn is_private(self) -> bool {
        match self {
            Package::Dialog | Package::Presence => false,
            Package::MessageSummary | Package::Reg => true,
        }
    }
}

/// What an Event header names (RFC 6665 8.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventName {
    /// One that we know.
    pub package: Package,
    /// Given back as it came.
    pub id: Option<String>,
}

impl EventName {
    /// Of a request; nothing for one that we do not know.
    pub fn of(message: &Message) -> Option<EventName> {
        let text = std::str::from_utf8(message.header(HeaderName::Event)?).ok()?;
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next()?;
        let package = Package::ALL.into_iter().find(|package| package.as_str() == name)?;
        let id = parts.find_map(|part| part.strip_prefix("id="));
        let plain = |id: &&str| id.len() <= MAX_ID && id.bytes().all(|byte| byte.is_ascii_graphic() && !b",\"".contains(&byte));
        Some(EventName { package, id: id.filter(plain).map(str::to_owned) })
    }
}

/// Would whoever asks read our document? Who says nothing does.
pub fn is_acceptable(message: &Message, package: Package) -> bool {
    let (kind, subtype) = package.content_type();
    let mut named = message.headers(HeaderName::Accept).flat_map(|value| value.split(|&byte| byte == b',')).peekable();
    named.peek().is_none() || named.any(|entry| MediaType::parse(entry.trim_ascii()).is_ok_and(|entry| entry.takes(kind, subtype)))
}

/// A subscription's name here and in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SubscriptionKey(pub u64);

/// One subscription; plain data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Which.
    pub key: SubscriptionKey,
    /// What of.
    pub package: Package,
    /// The `id` of its Event.
    pub id: Option<String>,
    /// Whose phone is told.
    pub watcher: ExtensionNumber,
    /// Of whom.
    pub watched: ExtensionNumber,
    /// As it was begun. Written down, its CSeq is one that was never used and is above all that were.
    pub dialog: Dialog,
    /// The way to the phone.
    pub flow: Flow,
    /// Until when, if the phone says nothing more.
    pub expires: Wall,
    /// What the phone was told and what is on its way.
    #[serde(skip)]
    pub told: Told,
}

/// How far a phone has been told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The last document, as far as it is compared.
    pub body: String,
    /// The calls it knows of.
    pub calls: BTreeMap<LegKey, DialogLine>,
    /// It has had everything once, and what follows may be less.
    pub whole: bool,
    /// A NOTIFY waits for its answer.
    pub asked: bool,
    /// Meanwhile something has changed.
    pub late: bool,
    /// It is over, and its phone is told so once the NOTIFY on its way is answered.
    pub over: Option<&'static str>,
    /// The NOTIFY on its way is the last.
    pub last: bool,
    /// Its connection is gone; it is told everything when it is back.
    pub unreached: bool,
    /// The CSeq that the store knows, above all that were used.
    pub ceiling: u32,
}

/// What the store is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriptionChange {
    /// Keep this, in the place of one with the same key.
    Put(Box<Subscription>),
    /// Forget it.
    Remove(SubscriptionKey),
}

/// What one phone says of its owner (RFC 3903); plain data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// Its entity tag: names it in the next PUBLISH.
    pub tag: String,
    /// Of whom.
    pub owner: ExtensionNumber,
    /// What.
    pub said: Said,
    /// Until when.
    pub expires: Wall,
}

/// What the store is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicationChange {
    /// Keep this.
    Put(Publication),
    /// Forget what has this tag.
    Remove(String),
}

impl SubscriptionChange {
    /// Which.
    pub fn key(&self) -> SubscriptionKey {
        match self {
            SubscriptionChange::Put(subscription) => subscription.key,
            SubscriptionChange::Remove(key) => *key,
        }
    }
}

impl PublicationChange {
    /// Which.
    pub fn tag(&self) -> &str {
        match self {
            PublicationChange::Put(publication) => &publication.tag,
            PublicationChange::Remove(tag) => tag,
        }
    }
}

/// NOTIFYs between two words to the store: after a restart numbers go on above all that may have been used.
const CEILING: u32 = 200;

impl Subscription {
    /// As the store is to keep it: it goes on above whatever may be used until the next time it is kept.
    pub fn kept(&mut self) -> SubscriptionChange {
        self.told.ceiling = self.dialog.local_cseq + CEILING;
        let mut kept = Subscription { told: Told::default(), ..self.clone() };
        kept.dialog.local_cseq = self.told.ceiling;
        SubscriptionChange::Put(Box::new(kept))
    }

    /// Are half of the numbers used of which the store knows? It is told in time, for it is told behind.
    pub fn is_spent(&self) -> bool {
        self.dialog.local_cseq + CEILING / 2 >= self.told.ceiling
    }

    /// `dialog`, `dialog;id=7`
    pub fn event(&self) -> String {
        let name = self.package.as_str();
        self.id.as_ref().map_or_else(|| name.to_owned(), |id| format!("{name};id={id}"))
    }

    /// The version of the next document: they rise by one as the CSeq does (RFC 4235 3.7), and no number is used twice.
    pub fn version(&self) -> u32 {
        self.dialog.local_cseq
    }
}

/// Text as it stands in XML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            control if control.is_control() => {}
            other => escaped.push(other),
        }
    }
    escaped
}

const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn message(headers: &str) -> Message {
        Message::parse(format!("SUBSCRIBE sip:202@x SIP/2.0\r\n{headers}\r\n\r\n").into_bytes().into()).unwrap()
    }

    #[test]
    fn events_are_named() {
        let named = |package, id: Option<&str>| Some(EventName { package, id: id.map(str::to_owned) });
        assert_eq!(EventName::of(&message("Event: dialog")), named(Package::Dialog, None));
        assert_eq!(EventName::of(&message("o: message-summary ; id=7")), named(Package::MessageSummary, Some("7")));
        assert_eq!(EventName::of(&message("Event: reg;x=y;id=a\tb")), named(Package::Reg, None));
        assert_eq!(EventName::of(&message("Event: dialog.winfo")), None);
        assert_eq!(EventName::of(&message("X: y")), None);
        assert_eq!(ALLOW_EVENTS, Package::ALL.map(Package::as_str).join(", "));
    }

    #[test]
    fn documents_are_for_those_who_read_them() {
        assert!(is_acceptable(&message("X: y"), Package::Dialog));
        assert!(is_acceptable(&message("Accept: text/plain, application/dialog-info+xml"), Package::Dialog));
        assert!(is_acceptable(&message("Accept: */*"), Package::Presence));
        assert!(!is_acceptable(&message("Accept: application/pidf+xml"), Package::Dialog));
        assert!(!is_acceptable(&message("Accept: nothing"), Package::Dialog));
    }

    #[test]
    fn text_cannot_end_an_element() {
        assert_eq!(escaped("<a b=\"c\">&'\u{0}\n"), "&lt;a b=&quot;c&quot;&gt;&amp;&apos;");
    }
}
