//! The calls of an extension as RFC 4235 tells of them: everything once, and after that what has changed.

use std::collections::BTreeMap;

use pbx_media_words::LegKey;

use crate::call::{Call, Leg, LegState};
use crate::subscription::{XML, escaped};

/// How far one of its calls has come, RFC 4235 3.7.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialogState {
    /// It was begun, and nobody rings yet.
    Trying,
    /// It rings.
    Early,
    /// It was answered.
    Confirmed,
    /// It is over.
    Terminated,
}

/// One of its calls, from its phone's point of view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialogLine {
    /// How far.
    pub state: DialogState,
    /// It calls; otherwise it is called.
    pub initiator: bool,
    /// Its phone has put the other side on hold.
    pub holds: bool,
    /// Call-ID, its tag and ours, of a call that rings: who may see it may take it (RFC 3891).
    pub named: Option<(String, String, String)>,
    /// Number and name of the other side, as far as they may be known.
    pub remote: Option<(String, String)>,
}

impl DialogLine {
    /// A leg as those who watch its extension may see it. `discreet`: they are somebody else, and do not learn who calls from outside.
    pub fn of(call: &Call, leg: &Leg, discreet: bool) -> Option<DialogLine> {
        let initiator = leg.key == call.caller_leg().key;
        let state = match leg.state {
            LegState::Over => return None,
            LegState::Answered => DialogState::Confirmed,
            LegState::Ringing => DialogState::Early,
            LegState::Offered if initiator && call.rang => DialogState::Early,
            LegState::Offered => DialogState::Trying,
        };
        let peer = leg.peer.as_ref().filter(|peer| !peer.is_anonymous());
        let remote = if initiator {
            // Whom it has dialled is nobody else's business either, unless they are of the house.
            let callee = call.callee_leg();
            match callee {
                Some(callee) if callee.of_house || !discreet => Some((callee.party.clone(), callee.name.clone())),
                Some(_) | None => None,
            }
        } else {
            peer.filter(|_| call.caller_leg().of_house || !discreet).map(|peer| (peer.number.clone(), peer.name.clone()))
        };
        let named = if state == DialogState::Early && !initiator { leg.named() } else { None };
        Some(DialogLine { state, initiator, holds: leg.holds(), named, remote })
    }
}

impl DialogLine {
    /// Is its phone occupied by it? One that is only rung is not.
    pub fn occupies(&self) -> bool {
        self.initiator || self.state == DialogState::Confirmed
    }
}

/// A document: everything, or what is not as it was told. None if nothing has changed.
pub fn document(
    entity: &str,
    domain: &str,
    version: u32,
    told: Option<&BTreeMap<LegKey, DialogLine>>,
    now: &BTreeMap<LegKey, DialogLine>,
) -> Option<String> {
    let mut lines = String::new();
    match told {
        None => now.iter().for_each(|(leg, line)| lines.push_str(&line.written(*leg, entity, domain))),
        Some(told) => {
            for (leg, line) in now.iter().filter(|(leg, line)| told.get(leg) != Some(line)) {
                lines.push_str(&line.written(*leg, entity, domain));
            }
            for (leg, line) in told.iter().filter(|(leg, _)| !now.contains_key(leg)) {
                let over = DialogLine { state: DialogState::Terminated, named: None, remote: None, holds: false, ..line.clone() };
                lines.push_str(&over.written(*leg, entity, domain));
            }
            if lines.is_empty() {
                return None;
            }
        }
    }
    let state = if told.is_some() { "partial" } else { "full" };
    Some(format!(
        "{XML}<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" state=\"{state}\" entity=\"{}\">\r\n{lines}</dialog-info>\r\n",
        escaped(&format!("sip:{entity}@{domain}"))
    ))
}

impl DialogLine {
    fn written(&self, leg: LegKey, entity: &str, domain: &str) -> String {
        let mut attributes = format!("id=\"{}\"", leg.0);
        if let Some((call_id, local, remote)) = &self.named {
            for (name, value) in [("call-id", call_id), ("local-tag", local), ("remote-tag", remote)] {
                attributes.push_str(&format!(" {name}=\"{}\"", escaped(value)));
            }
        }
        let direction = if self.initiator { "initiator" } else { "recipient" };
        let state = match self.state {
            DialogState::Trying => "trying",
            DialogState::Early => "early",
            DialogState::Confirmed => "confirmed",
            DialogState::Terminated => "terminated",
        };
        let own = escaped(&format!("sip:{entity}@{domain}"));
        // RFC 4235 4.2: a phone that has put somebody on hold renders nothing.
        let rendering = match self.state {
            DialogState::Confirmed => {
                let heard = if self.holds { "no" } else { "yes" };
                format!(
                    "<local><identity>{own}</identity><target uri=\"{own}\"><param pname=\"+sip.rendering\" pval=\"{heard}\"/></target></local>\r\n"
                )
            }
            DialogState::Trying | DialogState::Early | DialogState::Terminated => String::new(),
        };
        let remote = self.remote.as_ref().map_or_else(String::new, |(number, name)| {
            let uri = escaped(&format!("sip:{number}@{domain}"));
            let display = if name.is_empty() { String::new() } else { format!(" display=\"{}\"", escaped(name)) };
            format!("<remote><identity{display}>{uri}</identity><target uri=\"{uri}\"/></remote>\r\n")
        });
        format!("<dialog {attributes} direction=\"{direction}\">\r\n<state>{state}</state>\r\n{rendering}{remote}</dialog>\r\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(state: DialogState) -> DialogLine {
        let named = Some(("c<1>".to_owned(), "theirs".to_owned(), "ours".to_owned()));
        DialogLine { state, initiator: false, holds: false, named, remote: Some(("203".into(), "Léa & Co".into())) }
    }

    #[test]
    fn everything_once_and_after_that_what_has_changed() {
        let both = BTreeMap::from([(LegKey(1), line(DialogState::Early)), (LegKey(2), line(DialogState::Confirmed))]);
        let whole = document("202", "pbx.test", 4, None, &both).unwrap();
        assert!(whole.contains("version=\"4\" state=\"full\" entity=\"sip:202@pbx.test\""), "{whole}");
        assert!(
            whole.contains(
                "<dialog id=\"1\" call-id=\"c&lt;1&gt;\" local-tag=\"theirs\" remote-tag=\"ours\" direction=\"recipient\">"
            )
        );
        assert!(whole.contains("<remote><identity display=\"Léa &amp; Co\">sip:203@pbx.test</identity>"));
        assert_eq!(document("202", "pbx.test", 5, Some(&both), &both), None);
        let later = BTreeMap::from([(LegKey(1), line(DialogState::Confirmed))]);
        let part = document("202", "pbx.test", 5, Some(&both), &later).unwrap();
        assert!(part.contains("state=\"partial\""));
        assert!(part.contains("<dialog id=\"1\"") && part.contains("<state>confirmed</state>"), "{part}");
        assert!(part.contains("<dialog id=\"2\" direction=\"recipient\">\r\n<state>terminated</state>"), "{part}");
        let empty = document("202", "pbx.test", 0, None, &BTreeMap::new()).unwrap();
        assert!(empty.contains("state=\"full\"") && !empty.contains("<dialog "), "{empty}");
    }

    #[test]
    fn who_has_put_somebody_on_hold_renders_nothing() {
        let held = DialogLine { holds: true, ..line(DialogState::Confirmed) };
        let document = document("202", "pbx.test", 1, None, &BTreeMap::from([(LegKey(1), held)])).unwrap();
        assert!(document.contains("pname=\"+sip.rendering\" pval=\"no\""), "{document}");
    }
}
