//! Who is calling, who was reached, and by whom a call was sent on: read from a message, kept as data, written for a phone. Which
//! headers of a carrier are believed, and which of them it is sent, is for its trunk to say; the forms are the same and stand here.
//! RFC 3323 and RFC 3325; RFC 5806; RFC 7044; and Remote-Party-ID, which phones knew before them.

use pbx_sip::message::{Builder, HeaderName, Message, NameAddr, Scheme, Uri};
use serde::{Deserialize, Serialize};

pub use crate::directory::IdentitySource;

/// Somebody as the other side is to know them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Digits, perhaps with a `+` before them; empty if unknown.
    pub number: String,
    /// A person or a place; empty if unknown.
    pub name: String,
    /// They do not wish to be known to the other side.
    pub hidden: bool,
    /// Who has sent this call on before it came here, the first of them first.
    pub diverted: Vec<Diverted>,
}

/// Somebody who was called, and sent the call on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diverted {
    /// Whose number was called.
    pub number: String,
    /// Their name; empty if unknown.
    pub name: String,
    /// Why it went on.
    pub why: Diversion,
}

/// Why a call was sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Diversion {
    /// Every call is.
    Unconditional,
    /// They were busy.
    Busy,
    /// They did not answer.
    NoAnswer,
    /// They could not be reached.
    Unavailable,
    /// They sent this one on by hand.
    Deflection,
    /// It was not said.
    Unknown,
}

/// Who has sent a call on, remembered at most: a call that was sent on more often is a loop.
const MAX_DIVERTED: usize = 10;

/// Characters of a number and of a name.
const MAX_NUMBER: usize = 64;
const MAX_NAME: usize = 80;

/// Nobody in particular, RFC 3323 4.1.1.3.
const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

impl Identity {
    /// Somebody of that number and name.
    pub fn new(number: &str, name: &str) -> Identity {
        Identity { number: number.to_owned(), name: name.to_owned(), ..Identity::default() }
    }

    /// Who a message says is calling, from the first of the headers given that names a number; and by whom it was sent on. Whether they
    /// wish to be known is asked of every header.
    pub fn asserted(message: &Message, believed: &[IdentitySource]) -> Identity {
        let named = believed.iter().find_map(|source| {
            let name = match source {
                IdentitySource::PAssertedIdentity => HeaderName::PAssertedIdentity,
                IdentitySource::RemotePartyId => HeaderName::RemotePartyId,
                IdentitySource::From => HeaderName::From,
            };
            // A network may name a caller twice, by a SIP and by a tel URI; the one with a number is the one that can be called back.
            entries(message, name).find_map(|entry| {
                let number = number_of(entry.uri)?;
                Some((number, name_of(&entry)))
            })
        });
        let (number, name) = named.unwrap_or_default();
        Identity { number, name, hidden: wishes_privacy(message), diverted: diverted(message) }
    }

    /// May the other side know nothing of them?
    pub fn is_anonymous(&self) -> bool {
        self.hidden || self.number.is_empty()
    }

    /// From as the other side may see it, without a tag.
    pub fn shown(&self, domain: &str) -> String {
        if self.is_anonymous() { ANONYMOUS.to_owned() } else { self.address(domain) }
    }

    /// Who it is, hidden or not: for the house, and for a network that is trusted with it.
    pub fn address(&self, domain: &str) -> String {
        address(&self.number, &self.name, domain)
    }

    /// Puts on a message what a phone of the house may know of the other side: nothing at all if they are hidden.
    pub fn introduced(&self, message: Builder, domain: &str, side: Side, remote_party_id: bool) -> Builder {
        if self.hidden {
            return message.header(HeaderName::Privacy, "id");
        }
        if self.number.is_empty() {
            return message;
        }
        let mut message = message.header(HeaderName::PAssertedIdentity, self.address(domain));
        if remote_party_id {
            message = message.header(HeaderName::RemotePartyId, self.remote_party_id(domain, side));
        }
        message
    }

    /// Remote-Party-ID.
    pub fn remote_party_id(&self, domain: &str, side: Side) -> String {
        let privacy = if self.hidden { "full" } else { "off" };
        format!("{};party={};screen=yes;privacy={privacy}", self.address(domain), side.as_str())
    }

    /// The call was sent on once more.
    pub fn divert(&mut self, by: Diverted) {
        if self.diverted.len() < MAX_DIVERTED {
            self.diverted.push(by);
        }
    }

    /// Diversion, the last one first (RFC 5806 4).
    pub fn diversions(&self, domain: &str) -> Vec<String> {
        let value = |by: &Diverted| format!("{};reason={}", address(&by.number, &by.name, domain), by.why.as_str());
        self.diverted.iter().rev().map(value).collect()
    }

    /// History-Info of a call to `target` that was sent on: whom it was for, one after the other (RFC 7044 5). None if it was not.
    pub fn history(&self, domain: &str, target: &str) -> Vec<String> {
        if self.diverted.is_empty() {
            return Vec::new();
        }
        let (mut values, mut index) = (Vec::new(), String::from("1"));
        let mut cause = None;
        for by in &self.diverted {
            values.push(history_entry(&address(&by.number, &by.name, domain), cause, &index));
            cause = by.why.cause();
            index.push_str(".1");
        }
        values.push(history_entry(&address(target, "", domain), cause, &index));
        values
    }
}

/// Which side of a call a Remote-Party-ID speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who calls.
    Calling,
    /// Who was called.
    Called,
}

impl Side {
    fn as_str(self) -> &'static str {
        match self {
            Side::Calling => "calling",
            Side::Called => "called",
        }
    }
}

impl Diversion {
    /// As Diversion writes it (RFC 5806 4).
    pub fn as_str(self) -> &'static str {
        match self {
            Diversion::Unconditional => "unconditional",
            Diversion::Busy => "user-busy",
            Diversion::NoAnswer => "no-answer",
            Diversion::Unavailable => "unavailable",
            Diversion::Deflection => "deflection",
            Diversion::Unknown => "unknown",
        }
    }

    /// As History-Info writes it (RFC 4458 2, RFC 8119).
    fn cause(self) -> Option<u16> {
        match self {
            Diversion::Unconditional => Some(302),
            Diversion::Busy => Some(486),
            Diversion::NoAnswer => Some(408),
            Diversion::Unavailable => Some(503),
            Diversion::Deflection => Some(480),
            Diversion::Unknown => None,
        }
    }

    fn of(reason: &str) -> Diversion {
        match reason.to_ascii_lowercase().as_str() {
            "unconditional" | "follow-me" | "302" => Diversion::Unconditional,
            "user-busy" | "486" | "do-not-disturb" => Diversion::Busy,
            "no-answer" | "408" => Diversion::NoAnswer,
            "unavailable" | "out-of-service" | "503" | "404" => Diversion::Unavailable,
            "deflection" | "480" | "487" => Diversion::Deflection,
            _ => Diversion::Unknown,
        }
    }
}

/// Does who sent a message wish not to be known? By Privacy (RFC 3323 4.2, RFC 3325 9.3), by an anonymous From of a request (RFC 3323 4.1.1.3), or in the words
/// of Remote-Party-ID.
pub fn wishes_privacy(message: &Message) -> bool {
    let asked = message
        .headers(HeaderName::Privacy)
        .flat_map(|value| value.split(|&byte| matches!(byte, b';' | b',')))
        .any(|word| [&b"id"[..], b"user", b"header"].iter().any(|known| word.trim_ascii().eq_ignore_ascii_case(known)));
    let anonymous = message.is_request()
        && message.from().is_ok_and(|from| {
            let uri = Uri::parse(from.uri);
            let user = uri.as_ref().ok().and_then(Uri::user_decoded);
            uri.is_ok_and(|uri| uri.host_bare().eq_ignore_ascii_case("anonymous.invalid"))
                || user.is_some_and(|user| user.eq_ignore_ascii_case("anonymous"))
        });
    asked
        || anonymous
        || entries(message, HeaderName::RemotePartyId)
            .any(|entry| entry.params.value("privacy").is_some_and(|privacy| !privacy.eq_ignore_ascii_case("off")))
}

/// By whom a call was sent on, the first of them first: what Diversion says, else what History-Info does.
fn diverted(message: &Message) -> Vec<Diverted> {
    let mut diversions: Vec<Diverted> = entries(message, HeaderName::Diversion)
        .filter_map(|entry| {
            let why = entry.params.value("reason").map_or(Diversion::Unknown, Diversion::of);
            Some(Diverted { number: number_of(entry.uri)?, name: name_of(&entry), why })
        })
        .take(MAX_DIVERTED)
        .collect();
    if !diversions.is_empty() {
        diversions.reverse();
        return diversions;
    }
    let mut found: Vec<(Vec<u32>, Diverted)> = entries(message, HeaderName::HistoryInfo)
        .filter_map(|entry| {
            let index = entry.params.value("index").unwrap_or_default();
            let index = index.split('.').map(|part| part.parse().unwrap_or(0)).collect();
            // Why the call came *to* this entry; it is the one before it that sent it on.
            let cause = Uri::parse(entry.uri).ok().and_then(|uri| uri.param("cause").flatten().map(Diversion::of));
            let why = cause.unwrap_or(Diversion::Unknown);
            Some((index, Diverted { number: number_of(entry.uri)?, name: name_of(&entry), why }))
        })
        .take(MAX_DIVERTED + 1)
        .collect();
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    let next: Vec<Diversion> = found.iter().skip(1).map(|(_, entry)| entry.why).collect();
    // The last entry is whom it is for now.
    found.into_iter().zip(next).map(|((_, entry), why)| Diverted { why, ..entry }).collect()
}

/// Each readable entry of a header.
fn entries(message: &Message, name: HeaderName) -> impl Iterator<Item = NameAddr<'_>> {
    message.headers(name).flat_map(NameAddr::parse_list).filter_map(Result::ok)
}

/// The number a URI names, without what separates its digits; none if it names somebody by another word.
fn number_of(uri: &str) -> Option<String> {
    let uri = Uri::parse(uri).ok()?;
    if let Scheme::Other(_) = uri.scheme {
        return None;
    }
    let user = uri.user_decoded()?;
    let number: String = user.split(';').next().unwrap_or_default().chars().filter(|digit| !"-.() ".contains(*digit)).collect();
    let digits = number.strip_prefix('+').unwrap_or(&number);
    let plain = digits.chars().all(|digit| digit.is_ascii_digit() || matches!(digit, '*' | '#'));
    (!digits.is_empty() && number.len() <= MAX_NUMBER && plain).then_some(number)
}

fn name_of(entry: &NameAddr<'_>) -> String {
    entry.display_text().unwrap_or_default().chars().filter(|character| !character.is_control()).take(MAX_NAME).collect()
}

fn address(number: &str, name: &str, domain: &str) -> String {
    let number = number.replace('#', "%23");
    match name.replace(['"', '\\'], "") {
        name if name.is_empty() => format!("<sip:{number}@{domain}>"),
        name => format!("\"{name}\" <sip:{number}@{domain}>"),
    }
}

fn history_entry(address: &str, cause: Option<u16>, index: &str) -> String {
    let address = match (address.strip_suffix('>'), cause) {
        (Some(open), Some(cause)) => format!("{open};cause={cause}>"),
        _ => address.to_owned(),
    };
    format!("{address};index={index}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(headers: &str) -> Message {
        let from = if headers.contains("From:") { "" } else { "From: \"Régie\" <sip:201@house>;tag=a\n" };
        let text = format!("INVITE sip:202@house SIP/2.0\n{from}{headers}\n\n");
        Message::parse(text.replace('\n', "\r\n").into_bytes().into()).unwrap()
    }

    use IdentitySource::{From as TheirWord, PAssertedIdentity, RemotePartyId};

    #[test]
    fn the_first_header_that_is_believed_and_names_a_number_says_who_calls() {
        let said = "From: \"Nobody\" <sip:anonymous@anonymous.invalid>;tag=a\nP-Asserted-Identity: \"Salle\" <sip:salle@carrier.test>, <tel:+33-1-99-00-12-34>\nRemote-Party-ID: \"R\" <sip:0199001235@c>;party=calling";
        let believed = [PAssertedIdentity, TheirWord];
        let identity = Identity::asserted(&message(said), &believed);
        assert_eq!((identity.number.as_str(), identity.name.as_str(), identity.hidden), ("+33199001234", "", true));
        assert_eq!(Identity::asserted(&message(said), &[RemotePartyId]).number, "0199001235");
        assert_eq!(Identity::asserted(&message(said), &[TheirWord]).number, "", "an anonymous From names nobody");
        let plain = Identity::asserted(&message(""), &[PAssertedIdentity, TheirWord]);
        assert_eq!((plain.number.as_str(), plain.name.as_str(), plain.hidden), ("201", "Régie", false));
    }

    #[test]
    fn each_way_to_ask_not_to_be_known() {
        for asks in [
            "Privacy: id",
            "Privacy: user; ID;critical",
            "Privacy: header",
            "From: <sip:anonymous@anonymous.invalid>;tag=a",
            "From: <sip:x@anonymous.invalid>;tag=a",
            "From: \"Anonymous\" <sip:Anonymous@house>;tag=a",
            "Remote-Party-ID: <sip:201@house>;privacy=full",
        ] {
            assert!(wishes_privacy(&message(asks)), "{asks}");
        }
        for plain in ["", "Privacy: none", "Privacy: session", "Remote-Party-ID: <sip:201@house>;privacy=off"] {
            assert!(!wishes_privacy(&message(plain)), "{plain}");
        }
    }

    #[test]
    fn nothing_is_shown_of_somebody_hidden() {
        let mut caller = Identity::new("201", "Régie \"du\" haut");
        let built = |caller: &Identity| {
            let request = Builder::response(180, "Ringing").header(HeaderName::From, caller.shown("house"));
            String::from_utf8_lossy(caller.introduced(request, "house", Side::Calling, true).build().bytes()).into_owned()
        };
        assert_eq!(caller.shown("house"), "\"Régie du haut\" <sip:201@house>");
        let text = built(&caller);
        assert!(text.contains("P-Asserted-Identity: \"Régie du haut\" <sip:201@house>\r\n"), "{text}");
        assert!(
            text.contains("Remote-Party-ID: \"Régie du haut\" <sip:201@house>;party=calling;screen=yes;privacy=off\r\n"),
            "{text}"
        );
        caller.hidden = true;
        let text = built(&caller);
        assert!(!text.contains("201") && !text.contains("gie") && text.contains("Privacy: id\r\n"), "{text}");
        assert!(text.contains(ANONYMOUS), "{text}");
        assert_eq!(Identity::default().shown("house"), ANONYMOUS);
    }

    #[test]
    fn who_sent_a_call_on_is_read_and_written_in_both_forms() {
        let diversion = "Diversion: <sip:203@house>;reason=no-answer;counter=1, \"Bar\" <sip:202@house>;reason=user-busy";
        let history = "History-Info: <sip:202@house>;index=1, <sip:204@house;cause=408>;index=1.1.1\nHistory-Info: <sip:203@house;cause=486>;index=1.1";
        let by_diversion = Identity::asserted(&message(diversion), &[TheirWord]);
        let by_history = Identity::asserted(&message(history), &[TheirWord]);
        let whys = |identity: &Identity| -> Vec<(String, Diversion)> {
            identity.diverted.iter().map(|by| (by.number.clone(), by.why)).collect()
        };
        let wanted = vec![("202".to_owned(), Diversion::Busy), ("203".to_owned(), Diversion::NoAnswer)];
        assert_eq!((whys(&by_diversion), whys(&by_history)), (wanted.clone(), wanted));
        assert_eq!(
            by_diversion.diversions("house"),
            ["<sip:203@house>;reason=no-answer", "\"Bar\" <sip:202@house>;reason=user-busy"]
        );
        let written = by_diversion.history("house", "204");
        assert_eq!(
            written,
            ["\"Bar\" <sip:202@house>;index=1", "<sip:203@house;cause=486>;index=1.1", "<sip:204@house;cause=408>;index=1.1.1"]
        );
        let again = message(&format!("History-Info: {}", written.join(", ")));
        assert_eq!(whys(&Identity::asserted(&again, &[TheirWord])), whys(&by_diversion));
        assert!(Identity::new("201", "").history("house", "204").is_empty());
    }

    #[test]
    fn what_a_stranger_writes_cannot_become_a_header_of_ours() {
        for hostile in ["sip:2%0D%0AX%3A1@h", "sip:a%22%3E@h", "sip:%00@h", "mailto:a@b", "sip:h", "tel:", "sip:salle@h"] {
            assert_eq!(number_of(hostile), None, "{hostile}");
        }
        assert_eq!(number_of(&format!("sip:{}@h", "1".repeat(65))), None);
        assert_eq!(number_of("sip:+33%20199001234;phone-context=x@h").as_deref(), Some("+33199001234"));
        let many = vec!["<sip:1@h>;reason=unknown"; 60].join(",");
        assert_eq!(Identity::asserted(&message(&format!("Diversion: {many}")), &[TheirWord]).diverted.len(), MAX_DIVERTED);
    }
}
