//! An INVITE outside a dialog becomes a call.

use pbx_sip::dialog::Dialog;
use pbx_sip::flow::Flow;
use pbx_sip::message::{HeaderName, Message};
use pbx_sip::sdp::{Description, SdpError};
use pbx_sip::stack::ServerKey;

use crate::call::keying::{Sound, is_answerable};
use crate::call::line::ByLine;
use crate::call::session_timer::is_too_brief;
use crate::call::{Call, CallKey, Identity, Leg, Outside, brand, is_sips};
use crate::dialplan::{Caller, Trace};

/// What is known when a call begins.
pub struct Beginning<'a> {
    /// For the call.
    pub key: CallKey,
    /// Who calls, authenticated.
    pub caller: Caller,
    /// Who that is, as the other side may know it.
    pub identity: Identity,
    /// As dialled.
    pub dialled: String,
    /// Where it goes, and why.
    pub trace: Trace,
    /// The plan that decided.
    pub plan_revision: i64,
    /// The INVITE.
    pub invite: &'a Message,
    /// Its transaction.
    pub server: ServerKey,
    /// The way it came.
    pub flow: Flow,
    /// Whether their sound is protected.
    pub sound: Sound,
    /// The line by which it came, if it is from outside.
    pub line: Option<ByLine>,
}

impl Call {
    /// Leg A, offered. The status to refuse with, if its INVITE cannot be worked on.
    pub fn begin(beginning: Beginning<'_>, outside: &mut Outside<'_>) -> Result<Call, u16> {
        let Beginning { key, caller, identity, dialled, trace, plan_revision, invite, server, flow, sound, line } = beginning;
        if is_too_brief(invite) {
            return Err(422);
        }
        let tag = outside.entropy.token();
        let dialog = Dialog::uas(invite, &tag).map_err(|_| 400u16)?;
        let body = invite.body();
        let offer = if body.is_empty() { None } else { Some(Description::parse(&body).map_err(refused)?) };
        if offer.as_ref().is_some_and(|offer| !is_answerable(offer, sound)) {
            return Err(488);
        }
        let party = caller.as_str().to_owned();
        let mut a = Leg::new(&party, flow, outside);
        a.sips = is_sips(invite.request_uri());
        a.ability.learn(invite);
        a.of_house = matches!(caller, Caller::Extension(_));
        (a.line, a.sound) = (line, sound);
        a.user_agent = invite.header(HeaderName::UserAgent).map(|value| String::from_utf8_lossy(value).chars().take(120).collect());
        outside.index.dialogs.insert(dialog.id.clone(), (key, a.key));
        outside.index.servers.insert(server, (key, a.key));
        outside.index.legs.insert(a.key, key);
        a.dialog = Some(dialog);
        a.server = Some(server);
        a.remote = offer;
        a.invite = invite.bytes().clone();
        let max_forwards = invite.max_forwards().ok().flatten().unwrap_or(70);
        let payer = match caller {
            Caller::Extension(number) => Some(number),
            Caller::Outside(_) | Caller::Anonymous => None,
        };
        Ok(Call {
            payer,
            dialled,
            trace,
            plan_revision,
            max_forwards,
            // Nobody from outside opens a microphone in the house.
            answer_at_once: a.of_house && brand::asks_to_answer_by_itself(invite),
            ..Call::new(key, a, identity, outside.now.wall)
        })
    }
}

/// The status that answers an SDP no call can be built on.
pub(crate) fn refused(error: SdpError) -> u16 {
    match error {
        SdpError::Malformed => 400,
        SdpError::NoAudio | SdpError::Unusable | SdpError::NoFormat => 488,
    }
}
