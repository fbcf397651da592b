//! The side that sent the INVITE, RFC 3261 12.1.2.

use crate::dialog::{Dialog, DialogId, contact_of, party};
use crate::message::{HeaderError, HeaderName, Message};

impl Dialog {
    /// The dialog that a response with a To tag begins, or confirms.
    pub fn uac(invite: &Message, response: &Message) -> Result<Dialog, HeaderError> {
        let remote_tag = response.to()?.tag().unwrap_or_default().to_owned();
        let mut route_set: Vec<String> = response.record_routes()?.iter().map(|route| format!("<{}>", route.uri)).collect();
        route_set.reverse();
        Ok(Dialog {
            id: DialogId {
                call_id: invite.call_id()?.to_owned(),
                local_tag: invite.from()?.tag().unwrap_or_default().to_owned(),
                remote_tag,
            },
            local: party(invite, HeaderName::From),
            remote: party(invite, HeaderName::To),
            local_cseq: invite.cseq()?.number,
            remote_cseq: None,
            remote_target: contact_of(response).unwrap_or_else(|| invite.request_uri().to_owned()),
            route_set,
            early: response.status().is_some_and(|status| status < 200),
        })
    }
}
