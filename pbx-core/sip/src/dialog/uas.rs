//! The side that was sent the INVITE, RFC 3261 12.1.1.

use crate::dialog::{Dialog, DialogId, contact_of, party};
use crate::message::{Flaw, HeaderError, HeaderName, Message};

impl Dialog {
    /// The dialog that our response with `local_tag` begins. A request without Contact cannot begin one.
    pub fn uas(invite: &Message, local_tag: &str) -> Result<Dialog, HeaderError> {
        let remote_target = contact_of(invite).ok_or(HeaderError::Malformed(HeaderName::Contact, Flaw::Empty))?;
        Ok(Dialog {
            id: DialogId {
                call_id: invite.call_id()?.to_owned(),
                local_tag: local_tag.to_owned(),
                remote_tag: invite.from()?.tag().unwrap_or_default().to_owned(),
            },
            local: party(invite, HeaderName::To),
            remote: party(invite, HeaderName::From),
            local_cseq: 0,
            remote_cseq: Some(invite.cseq()?.number),
            remote_target,
            route_set: invite.record_routes()?.iter().map(|route| format!("<{}>", route.uri)).collect(),
            early: true,
        })
    }
}
