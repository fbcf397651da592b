//! One party's side of a call: its dialog, its session, its media.

use bytes::Bytes;
use pbx_media_words::{Command, Direction, Figures, LegKey, Payload, PortPair, Remote};
use pbx_sip::clock::{Tick, Wall};
use pbx_sip::dialog::{Dialog, DialogId};
use pbx_sip::flow::Flow;
use pbx_sip::message::{Builder, HeaderName, Message, Method};
use pbx_sip::sdp::{self, Description, Format, Local};
use pbx_sip::stack::{ClientKey, ServerKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::call::ability::{ALLOW, Ability, SUPPORTED};
use crate::call::identity::{Identity, Side};
use crate::call::keying::Sound;
use crate::call::line::ByLine;
use crate::call::reliable::{Early, Reliable};
use crate::call::session_timer::SessionTimer;
use crate::call::update::Asking;
use crate::call::{LegRecord, Outside, Way, brand};

/// Octets of a tag that others are shown: none that a phone draws is longer, and nobody can take a call by one that is.
const MAX_TAG: usize = 256;

/// How far a leg has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LegState {
    /// Invited; nothing was heard yet.
    Offered,
    /// It rings.
    Ringing,
    /// It answered.
    Answered,
    /// It is over.
    Over,
}

/// One leg; plain data.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Leg {
    /// Its key, here and in media.
    pub key: LegKey,
    /// Extension or number.
    pub party: String,
    /// A phone of the house, not somebody outside.
    pub of_house: bool,
    /// The line by which it is reached, if it is outside.
    #[serde(default)]
    pub line: Option<ByLine>,
    /// Other ways to the same phone, if this one leads nowhere; the next one last.
    #[serde(default)]
    pub(crate) other_ways: Vec<Way>,
    /// It has sent a REFER (RFC 3515 2.4.6).
    pub(crate) referred: bool,
    /// Whose name is on it; empty if unknown.
    pub name: String,
    /// Who the other side is, as this one may know it.
    pub peer: Option<Identity>,
    /// What the phone calls itself.
    pub user_agent: Option<String>,
    /// The way to it.
    pub flow: Flow,
    /// Its dialog began with a request to a `sips:` URI, and so our Contact is one too (RFC 3261 8.1.1.8, 12.1.1).
    pub sips: bool,
    /// How far.
    pub state: LegState,
    /// Once there is one.
    pub dialog: Option<Dialog>,
    /// Those that reliable provisional responses to our INVITE began.
    pub(crate) early: Vec<Early>,
    /// What it was told reliably before its INVITE had a final response.
    pub(crate) reliable: Option<Reliable>,
    /// What it can do.
    pub ability: Ability,
    /// Until when its session is good.
    pub(crate) timer: Option<SessionTimer>,
    /// The shortest session that it or what stands before it bears, in seconds.
    pub(crate) min_se_s: u32,
    /// What we ask of it within its dialog.
    pub(crate) asking: Asking,
    /// Its INVITE that waits for our final response or its ACK.
    pub server: Option<ServerKey>,
    /// Its tag in the first word that it rings.
    #[serde(default)]
    pub(crate) rings_with: Option<String>,
    /// Its first INVITE was acknowledged.
    pub acknowledged: bool,
    /// Our INVITE to it.
    pub client: Option<ClientKey>,
    /// The octets of an INVITE that is not done with: theirs until its ACK, ours until its final response; else none.
    #[serde(with = "octets")]
    pub invite: Bytes,
    /// Whether its sound is protected.
    #[serde(default)]
    pub sound: Sound,
    /// Our side of its session.
    pub local: Option<Local>,
    /// Its ports of ours, until media has closed them.
    pub ports: Option<PortPair>,
    /// Its side of the session, as last said.
    pub remote: Option<Description>,
    /// Agreed, under this leg's numbers.
    pub formats: Vec<Format>,
    /// An offer of ours, in a 2xx, waits for its answer in the ACK.
    pub offer_open: bool,
    /// When it was invited.
    pub invited: Wall,
    /// When it answered.
    pub answered: Option<Wall>,
    /// When and how it was over.
    pub ended: Option<(Wall, String)>,
    /// OPTIONS that asks whether anybody is still there.
    pub probe: Option<ClientKey>,
    /// Counted so far.
    pub figures: Figures,
    /// When its figures last rose.
    pub heard: Tick,
}

impl Leg {
    /// A leg that begins now.
    pub fn new(party: &str, flow: Flow, outside: &mut Outside<'_>) -> Leg {
        *outside.next_leg += 1;
        Leg {
            key: LegKey(*outside.next_leg),
            party: party.to_owned(),
            of_house: false,
            line: None,
            other_ways: Vec::new(),
            referred: false,
            name: String::new(),
            peer: None,
            user_agent: None,
            flow,
            sips: false,
            state: LegState::Offered,
            dialog: None,
            early: Vec::new(),
            reliable: None,
            ability: Ability::default(),
            timer: None,
            min_se_s: 0,
            asking: Asking::default(),
            server: None,
            rings_with: None,
            acknowledged: false,
            client: None,
            invite: Bytes::new(),
            sound: Sound::default(),
            local: None,
            ports: None,
            remote: None,
            formats: Vec::new(),
            offer_open: false,
            invited: outside.now.wall,
            answered: None,
            ended: None,
            probe: None,
            figures: Figures::default(),
            heard: outside.now.tick,
        }
    }

    /// Takes a free port pair, if it has none yet; false if there is none.
    pub fn open(&mut self, outside: &mut Outside<'_>) -> bool {
        if self.ports.is_some() {
            return true;
        }
        let Some(ports) = outside.ports.pop_front() else { return false };
        // Bound to every address: the SDP names the one this phone reached us by.
        let address = if ports.address.is_unspecified() { self.flow.local.ip() } else { ports.address };
        self.local = Some(Local::new(address, ports.rtp, outside.entropy.u64() >> 2));
        self.prepare_keys(outside.entropy);
        self.agree_on_key(outside.entropy);
        self.ports = Some(ports);
        outside.media.push_back(Command::Open { leg: self.key, ports });
        true
    }

    /// Tells media what this leg's peer promised.
    pub fn expect(&self, outside: &mut Outside<'_>) {
        let Some(remote) = &self.remote else { return };
        let ours = remote.direction.mirrored();
        let direction = match (ours.sends(), ours.receives()) {
            (true, true) => Direction::SendRecv,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::RecvOnly,
            (false, false) => Direction::Inactive,
        };
        let payloads = self
            .formats
            .iter()
            .map(|format| Payload { number: format.number, encoding: format.encoding.clone(), clock_hz: format.clock_hz })
            .collect();
        let remote = Remote { rtp: remote.rtp, rtcp: remote.rtcp };
        outside.media.push_back(Command::Expect { leg: self.key, remote, direction, payloads, keys: self.keys() });
    }

    /// Accepts the INVITE that waits, with our side of the session: the answer to its offer, or an offer of ours where it made none.
    pub fn accept(&mut self, outside: &mut Outside<'_>) {
        let (Some(server), Ok(invite)) = (self.server, Message::parse(self.invite.clone())) else { return };
        if self.accept_later() {
            return;
        }
        let settled = self.reliable.take().is_some_and(|reliable| reliable.settled);
        let body = match (&mut self.local, &self.remote) {
            // Offered and answered before: another description would be another offer.
            _ if settled => Bytes::new(),
            (Some(local), Some(offer)) if !self.offer_open => local.answer(offer, &self.formats, offer.direction.mirrored()),
            // As many streams as before, in the same places (RFC 3264 8).
            (Some(local), Some(before)) => local.answer(before, &self.formats, sdp::Direction::SendRecv),
            (Some(local), None) => local.offer(&self.formats, sdp::Direction::SendRecv, None),
            (None, _) => Bytes::new(),
        };
        let tag = self.dialog.as_ref().map(|dialog| dialog.id.local_tag.as_str());
        let response = self.signed(Builder::response_to(&invite, 200, tag), outside).header(HeaderName::Allow, ALLOW);
        let response = self.introduced(response, Side::Called, outside);
        let response = response.header(HeaderName::Supported, SUPPORTED);
        let response = self.timed_answer(&invite, response, outside.now).body("application/sdp", body);
        outside.stack.respond(server, response.build(), outside.now);
    }

    /// The dialog that a request of theirs belongs to.
    pub(crate) fn dialog_of(&mut self, request: &Message) -> Option<&mut Dialog> {
        let id = DialogId::of_request(request)?;
        self.dialog.iter_mut().chain(self.early.iter_mut().map(|early| &mut early.dialog)).find(|dialog| dialog.id == id)
    }

    /// Its dialog ends here, with BYE or without a word, and what still comes for it is answered without it.
    pub(crate) fn part(&mut self, bye: bool, reason: Option<&str>, outside: &mut Outside<'_>) {
        self.forget_early(outside);
        if let Some(mut dialog) = self.dialog.take() {
            outside.index.dialogs.remove(&dialog.id);
            if bye {
                let mut bye = self.signed(dialog.request(&Method::Bye), outside);
                if let Some(reason) = reason {
                    bye = bye.header(HeaderName::Reason, reason);
                }
                match self.server {
                    // Whoever answered says no goodbye before its answer is acknowledged (RFC 3261 15).
                    Some(server) if !self.acknowledged => _ = outside.goodbyes.insert(server, (bye, self.flow)),
                    Some(_) | None => _ = outside.stack.request(bye, self.flow, outside.now),
                }
            }
        }
        let asked = self.asking.asked.take().map(|asked| asked.client);
        for client in [self.client.take(), self.probe.take(), asked].into_iter().flatten() {
            outside.index.clients.remove(&client);
        }
        if let Some(server) = self.server.take() {
            outside.index.servers.remove(&server);
        }
        self.invite = Bytes::new();
    }

    /// Is it a phone that rings, asked by an INVITE of this Call-ID with one of these tags of ours?
    pub(crate) fn rings_as(&self, call_id: &str, tags: [&str; 2]) -> bool {
        if self.state != LegState::Ringing || self.client.is_none() {
            return false;
        }
        Message::parse(self.invite.clone()).is_ok_and(|invite| {
            let tag = invite.from().ok().and_then(|from| from.tag());
            invite.call_id() == Ok(call_id) && tag.is_some_and(|tag| tags.contains(&tag))
        })
    }

    /// The dialog of a phone that rings: Call-ID, its tag and ours.
    pub(crate) fn named(&self) -> Option<(String, String, String)> {
        let invite = Message::parse(self.invite.clone()).ok()?;
        let ours = invite.from().ok()?.tag()?.to_owned();
        let theirs = self.rings_with.clone().filter(|tag| tag.len() <= MAX_TAG)?;
        Some((invite.call_id().ok()?.to_owned(), theirs, ours))
    }

    /// Gives its media back and says how it ended; once.
    pub fn end(&mut self, how: &str, outside: &mut Outside<'_>) {
        if self.ended.is_some() {
            return;
        }
        self.state = LegState::Over;
        self.ended = Some((outside.now.wall, how.to_owned()));
        if self.ports.is_some() {
            outside.media.push_back(Command::Close { leg: self.key });
        }
    }

    /// Our Contact on this leg.
    pub fn contact(&self) -> String {
        // A line wants to see its account.
        let user = self.line.as_ref().map_or("", |line| &line.user);
        let contact = self.flow.contact(user);
        // RFC 3261 26.2.2: of a `sips:` URI the scheme says what `transport=tls` would.
        if self.sips { contact.replacen("<sip:", "<sips:", 1).replacen(";transport=tls", "", 1) } else { contact }
    }

    /// Contact and what else each message of ours in this dialog has.
    pub fn signed(&self, message: Builder, outside: &Outside<'_>) -> Builder {
        message.header(HeaderName::Contact, self.contact()).header(HeaderName::UserAgent, outside.user_agent)
    }

    /// Tells a phone of the house who the other side is. Somebody outside learns no more than their line's rules say.
    pub fn introduced(&self, message: Builder, side: Side, outside: &Outside<'_>) -> Builder {
        let Some(peer) = self.peer.as_ref().filter(|_| self.of_house) else { return message };
        peer.introduced(message, outside.domain, side, brand::reads_remote_party_id(self.user_agent.as_deref()))
    }

    /// Has it said that it does not wish to hear us?
    pub fn holds(&self) -> bool {
        self.remote.as_ref().is_some_and(|remote| !remote.direction.receives())
    }

    /// The codec that was agreed first.
    pub fn codec(&self) -> Option<String> {
        self.formats.iter().find(|format| format.is_codec()).map(|format| format.encoding.clone())
    }

    /// For the call's record.
    pub fn record(&self, now: Wall) -> LegRecord {
        let (ended, end) = self.ended.clone().unwrap_or((now, "answered".to_owned()));
        LegRecord {
            party: self.party.clone(),
            user_agent: self.user_agent.clone(),
            invited: self.invited,
            answered: self.answered,
            ended,
            end,
            codec: self.answered.and(self.codec()),
            protected: self.answered.is_some() && self.is_protected(),
            figures: self.figures,
        }
    }
}

/// Octets as text, each the character of its number, so that a message can be read where it was written.
mod octets {
    use super::{Bytes, Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(octets: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&octets.iter().map(|&octet| char::from(octet)).collect::<String>())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        let octets: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
        octets.map(Bytes::from).map_err(|_| serde::de::Error::custom("a character that is no octet"))
    }
}
