//! How somebody is: what the house sees by itself, and what they say of themselves (RFC 3903). PIDF, RFC 3863, with the activities of
//! RFC 4480. The door of `roxmltree`.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::subscription::{XML, escaped};

/// What somebody says of themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Said {
    /// They can be called.
    Available,
    /// They are not at their place.
    Away,
    /// They have something else to do.
    Busy,
    /// They do not wish to be called.
    DoNotDisturb,
    /// They are gone.
    Offline,
}

/// How somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// None of their phones is there.
    Unregistered,
    /// They are there, and say this of themselves.
    There(Said),
    /// They are in a call.
    OnThePhone,
}

impl Presence {
    /// Out of what is known. What they say against being called goes before what the house sees.
    pub fn of(registered: bool, on_the_phone: bool, said: Option<Said>) -> Presence {
        match said {
            Some(said @ (Said::DoNotDisturb | Said::Offline)) => Presence::There(said),
            _ if on_the_phone => Presence::OnThePhone,
            _ if !registered => Presence::Unregistered,
            said => Presence::There(said.unwrap_or(Said::Available)),
        }
    }

    /// The document.
    pub fn document(self, entity: &str, domain: &str) -> String {
        let (basic, activity, note) = match self {
            Presence::Unregistered | Presence::There(Said::Offline) => ("closed", "", ""),
            Presence::There(Said::Available) => ("open", "", ""),
            Presence::There(Said::Away) => ("open", "<rpid:away/>", "Away"),
            Presence::There(Said::Busy) => ("open", "<rpid:busy/>", "Busy"),
            Presence::There(Said::DoNotDisturb) => ("open", "<rpid:busy/>", "Do not disturb"),
            Presence::OnThePhone => ("open", "<rpid:on-the-phone/>", "On the phone"),
        };
        let uri = escaped(&format!("sip:{entity}@{domain}"));
        let person = if activity.is_empty() {
            String::new()
        } else {
            format!("<dm:person id=\"p\"><rpid:activities>{activity}</rpid:activities></dm:person>\r\n")
        };
        // Phones that know no activities show the note.
        let note = if note.is_empty() { String::new() } else { format!("<note>{note}</note>") };
        format!(
            "{XML}<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"{uri}\">\r\n<tuple id=\"t\"><status><basic>{basic}</basic></status><contact>{uri}</contact>{note}</tuple>\r\n{person}</presence>\r\n"
        )
    }
}

/// Octets of a published document, and elements in it.
const MAX_DOCUMENT: usize = 16_384;
const MAX_ELEMENTS: u32 = 500;

/// A document that does not say how somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no presence document")]
pub struct NoPresence;

/// Reads what a phone publishes.
pub fn read(document: &[u8]) -> Result<Said, NoPresence> {
    if document.len() > MAX_DOCUMENT {
        return Err(NoPresence);
    }
    let text = std::str::from_utf8(document).map_err(|_| NoPresence)?;
    let options = roxmltree::ParsingOptions { allow_dtd: false, nodes_limit: MAX_ELEMENTS, ..Default::default() };
    let tree = roxmltree::Document::parse_with_options(text, options).map_err(|_| NoPresence)?;
    if tree.root_element().tag_name().name() != "presence" {
        return Err(NoPresence);
    }
    let named = |name: &str| tree.descendants().any(|node| node.is_element() && node.tag_name().name() == name);
    let text_of = |name: &str, fits: &dyn Fn(&str) -> bool| {
        tree.descendants().any(|node| node.tag_name().name() == name && node.text().is_some_and(|text| fits(text.trim())))
    };
    let undisturbed = |note: &str| {
        let note = note.to_ascii_lowercase();
        note == "dnd" || note.contains("not disturb")
    };
    let open = text_of("basic", &|basic| basic.eq_ignore_ascii_case("open"));
    Ok(if text_of("note", &undisturbed) || named("dnd") || named("do-not-disturb") {
        Said::DoNotDisturb
    } else if !open {
        Said::Offline
    } else if named("busy") || named("meeting") || named("on-the-phone") {
        Said::Busy
    } else if named("away") || named("meal") || named("vacation") || named("permanent-absence") {
        Said::Away
    } else {
        Said::Available
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_we_write_we_read() {
        for said in [Said::Available, Said::Away, Said::Busy, Said::DoNotDisturb, Said::Offline] {
            let document = Presence::There(said).document("201", "pbx.test");
            assert_eq!(read(document.as_bytes()), Ok(said), "{document}");
        }
        assert_eq!(read(Presence::OnThePhone.document("201", "x").as_bytes()), Ok(Said::Busy));
    }

    #[test]
    fn what_they_say_against_being_called_goes_first() {
        assert_eq!(Presence::of(true, true, Some(Said::Away)), Presence::OnThePhone);
        assert_eq!(Presence::of(true, true, Some(Said::DoNotDisturb)), Presence::There(Said::DoNotDisturb));
        assert_eq!(Presence::of(false, false, Some(Said::Available)), Presence::Unregistered);
        assert_eq!(Presence::of(true, false, None), Presence::There(Said::Available));
    }

    #[test]
    fn what_is_no_presence_is_none() {
        for bad in ["", "<a/>", "<presence", "<!DOCTYPE presence [<!ENTITY a \"b\">]><presence>&a;</presence>"] {
            assert_eq!(read(bad.as_bytes()), Err(NoPresence), "{bad}");
        }
        assert_eq!(read(&b"x".repeat(MAX_DOCUMENT + 1)), Err(NoPresence));
        let deep = format!("<presence>{}{}</presence>", "<a>".repeat(1_000), "</a>".repeat(1_000));
        assert_eq!(read(deep.as_bytes()), Err(NoPresence));
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&octets);
        }

        #[test]
        fn anything_like_xml_is_read_or_refused(text in "(<[/!?]?[a-z:]{0,8}[ a-z=\"&;]{0,8}/?>|[a-z&;]{0,5}){0,40}") {
            let _ = read(format!("<presence>{text}</presence>").as_bytes());
        }
    }
}
