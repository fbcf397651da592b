//! A leg by a line to the outside: how we name who calls and who is called there, and what is believed of what it says. RFC 3325,
//! RFC 3323, RFC 5806, RFC 7044.

use std::time::Duration;

use pbx_sip::clock::Wall;
use pbx_sip::credentials::Challenge;
use pbx_sip::message::{Builder, HeaderName, Message, NameAddr, Uri};
use pbx_sip::stack::ClientKey;
use serde::{Deserialize, Serialize};

use crate::call::{Call, Identity, LegState, Outside, Refusal, Signal};
use crate::directory::{ExtensionNumber, IdentitySource, Money, Trunk, TrunkKey};
use crate::trunking::TrunkFailure;

/// The line that a leg goes by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByLine {
    /// Which.
    pub trunk: TrunkKey,
    /// The user of our Contact there.
    pub user: String,
    /// Its challenge was answered.
    pub challenged: bool,
    /// What it costs, if it goes out and is not free.
    #[serde(default)]
    pub charge: Option<Charge>,
}

/// What a leg to the outside costs, and whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The extension that has it begun.
    pub payer: ExtensionNumber,
    /// By the rates of that moment.
    pub per_minute: Money,
    /// Until when it was counted.
    pub counted: Option<Wall>,
}

/// How we call by a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The line.
    pub line: ByLine,
    /// The URI called.
    pub uri: String,
    /// To, and From without its tag.
    pub to: String,
    /// See `to`.
    pub from: String,
    /// What else says who calls.
    pub headers: Vec<(HeaderName, String)>,
}

impl Presented {
    /// A call of `caller` to `called` (E.164 or a short number) by a line, showing `own`, a number of ours. `visitor`: who calls is not
    /// of the house; the call came by a line and goes on by one.
    pub fn new(trunk: &Trunk, contact_user: &str, caller: &Identity, own: &str, visitor: bool, called: &str) -> Presented {
        let domain = trunk.domain();
        let called = trunk.called.write(called).replace('#', "%23");
        let ours = trunk.caller.write(own);
        // Only a number that is ours may be shown, unless the carrier lets another pass.
        let shown = match visitor && trunk.shows_caller && !caller.number.is_empty() {
            true => trunk.caller.write(&caller.number),
            false => ours.clone(),
        };
        let us = format!("<sip:{ours}@{domain}>");
        let mut headers = Vec::new();
        match trunk.says {
            IdentitySource::PAssertedIdentity => headers.push((HeaderName::PAssertedIdentity, us)),
            IdentitySource::RemotePartyId => {
                let privacy = if caller.hidden { "full" } else { "off" };
                headers.push((HeaderName::RemotePartyId, format!("{us};party=calling;screen=yes;privacy={privacy}")));
            }
            IdentitySource::From => {}
        }
        let from = if caller.hidden {
            headers.push((HeaderName::Privacy, "id".to_owned()));
            "\"Anonymous\" <sip:anonymous@anonymous.invalid>".to_owned()
        } else {
            format!("<sip:{shown}@{domain}>")
        };
        if visitor {
            let written = Identity {
                diverted: caller
                    .diverted
                    .iter()
                    .map(|by| crate::call::identity::Diverted {
                        number: trunk.caller.write(&by.number),
                        name: String::new(),
                        why: by.why,
                    })
                    .collect(),
                ..Identity::default()
            };
            headers.extend(written.diversions(&domain).into_iter().map(|value| (HeaderName::Diversion, value)));
            headers.extend(written.history(&domain, &called).into_iter().map(|value| (HeaderName::HistoryInfo, value)));
        }
        let to = format!("<sip:{called}@{domain}>");
        let uri = format!("sip:{called}@{domain}");
        let line = ByLine { trunk: trunk.key.clone(), user: contact_user.to_owned(), challenged: false, charge: None };
        Presented { line, uri, to, from, headers }
    }
}

/// Who a line says is calling, by the headers that it is believed in, in E.164 where it is a number of the world.
pub fn arrived(trunk: &Trunk, invite: &Message) -> Identity {
    let mut identity = Identity::asserted(invite, &trunk.believes);
    if let Some(number) = trunk.arriving.read(&identity.number) {
        identity.number = number;
    }
    for by in &mut identity.diverted {
        by.number = trunk.arriving.read(&by.number).unwrap_or_else(|| std::mem::take(&mut by.number));
    }
    identity
}

/// Which numbers a line may mean to call, the likeliest first: carriers name the number called in the URI, or the account there and the
/// number in To.
pub fn called(trunk: &Trunk, invite: &Message) -> Vec<String> {
    let user = |uri: &str| Uri::parse(uri).ok().and_then(|uri| uri.user_decoded().map(|user| user.into_owned()));
    let asserted = invite.headers(HeaderName::PCalledPartyId).find_map(|value| user(NameAddr::parse(value).ok()?.uri));
    let named = [user(invite.request_uri()), invite.to().ok().and_then(|to| user(to.uri)), asserted];
    let mut numbers: Vec<String> = Vec::new();
    for number in named.into_iter().flatten().filter_map(|user| trunk.arriving.read(&user)) {
        if !numbers.contains(&number) {
            numbers.push(number);
        }
    }
    numbers
}

impl Call {
    /// A line asks who we are: the same INVITE again with the answer, once.
    pub(crate) fn ring_with_secret(&mut self, place: usize, message: &Message, outside: &mut Outside<'_>) -> Signal {
        let key = self.key;
        let leg = &mut self.b[place];
        let Some(line) = &mut leg.line else { return Signal::Nothing };
        let credentials = outside.credentials.get(&line.trunk).cloned();
        let (Some(mut challenge), Some(credentials), false) = (Challenge::of(message), credentials, line.challenged) else {
            return self.leg_refused(place, Refusal::LineRefused, outside);
        };
        line.challenged = true;
        let Some(before) = leg.client.take() else { return Signal::Nothing };
        outside.index.clients.remove(&before);
        if leg.state == LegState::Over {
            return Signal::Nothing;
        }
        let sent = outside.stack.sent(before).and_then(|sent| Some((sent.clone(), sent.cseq().ok()?.number)));
        let Some((invite, number)) = sent else { return self.leg_refused(place, Refusal::Unreachable, outside) };
        let (header, value) = challenge.answer(&credentials, "INVITE", invite.request_uri(), &outside.entropy.token());
        let again = Builder::again(&invite, &[HeaderName::Via, HeaderName::CSeq])
            .header(HeaderName::CSeq, format!("{} INVITE", number + 1))
            .header(header, value);
        let client = outside.stack.request(again, leg.flow, outside.now);
        leg.invite = outside.stack.sent(client).map(|invite| invite.bytes().clone()).unwrap_or_default();
        leg.client = Some(client);
        outside.index.clients.insert(client, (key, leg.key));
        Signal::Nothing
    }

    /// Gives up those that have said nothing at all yet, not even that they try.
    pub(crate) fn stop_silent(&mut self, outside: &mut Outside<'_>) -> Signal {
        let mut signal = Signal::Nothing;
        for place in 0..self.b.len() {
            let Some(client) = self.b[place].client.filter(|_| self.b[place].state == LegState::Offered) else { continue };
            if outside.stack.is_unheard(client) {
                outside.stack.cancel(client, None, outside.now);
                signal = self.leg_refused(place, Refusal::Unreachable, outside);
            }
        }
        signal
    }

    /// The line by which an INVITE of ours went that has no answer yet, and what its final answer says of that line.
    pub(crate) fn failure_of_line(&self, client: ClientKey, answer: &Message) -> Option<(TrunkKey, TrunkFailure, u16)> {
        let status = answer.status().filter(|status| *status >= 300)?;
        let leg = self.b.iter().find(|leg| leg.client == Some(client) && leg.state != LegState::Answered)?;
        let line = leg.line.as_ref()?;
        // The first challenge is a question and no refusal.
        if matches!(status, 401 | 407) && !line.challenged {
            return None;
        }
        Some((line.trunk.clone(), TrunkFailure::of_call(status)?, status))
    }

    /// What its legs to the outside have talked since they were counted last.
    pub(crate) fn talked(&mut self, now: Wall) -> Vec<(ExtensionNumber, Money, Duration)> {
        let mut talked = Vec::new();
        for leg in std::iter::once(&mut self.a).chain(&mut self.b).chain(&mut self.gone) {
            let Some(answered) = leg.answered else { continue };
            let until = leg.ended.as_ref().map_or(now, |(ended, _)| *ended);
            let Some(charge) = leg.line.as_mut().and_then(|line| line.charge.as_mut()) else { continue };
            let since = charge.counted.replace(until).unwrap_or(answered);
            if until > since {
                talked.push((charge.payer.clone(), charge.per_minute, until - since));
            }
        }
        talked
    }

    /// What its legs to the outside cost that are not over.
    pub(crate) fn charges(&self) -> impl Iterator<Item = &Charge> {
        let going_on = self.legs().filter(|leg| !self.is_over() && leg.state != LegState::Over);
        going_on.filter_map(|leg| leg.line.as_ref()?.charge.as_ref())
    }

    /// Does it take a channel of this line?
    pub(crate) fn legs_on(&self, trunk: &TrunkKey) -> usize {
        if self.is_over() {
            return 0;
        }
        self.legs().filter(|leg| leg.state != LegState::Over && leg.line.as_ref().is_some_and(|line| line.trunk == *trunk)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::identity::{Diversion, Diverted};
    use crate::directory::NumberShape;

    fn trunk() -> Trunk {
        Trunk { key: TrunkKey("carrier".into()), server: "carrier.test".into(), number: "+33199001234".into(), ..Trunk::usual() }
    }

    fn invite(uri: &str, headers: &str) -> Message {
        let text = format!("INVITE {uri} SIP/2.0\nCall-ID: a\nCSeq: 1 INVITE\n{headers}\n\n");
        Message::parse(text.replace('\n', "\r\n").into_bytes().into()).unwrap()
    }

    fn value(presented: &Presented, name: HeaderName) -> Vec<&str> {
        presented.headers.iter().filter(|(header, _)| *header == name).map(|(_, value)| value.as_str()).collect()
    }

    #[test]
    fn a_phone_of_the_house_shows_a_number_of_ours_in_the_shape_of_the_line() {
        let trunk = Trunk { called: NumberShape::DoubleZero, caller: NumberShape::Bare, ..trunk() };
        let caller = Identity::new("201", "Régie");
        let presented = Presented::new(&trunk, "acc", &caller, "+33199001299", false, "+33536490001");
        assert_eq!(presented.uri, "sip:0033536490001@carrier.test");
        assert_eq!(presented.from, "<sip:33199001299@carrier.test>", "neither 201 nor its name leaves the house");
        assert_eq!(value(&presented, HeaderName::PAssertedIdentity), ["<sip:33199001299@carrier.test>"]);
        assert!(value(&presented, HeaderName::Privacy).is_empty());
    }

    #[test]
    fn who_hides_is_known_to_the_network_alone() {
        let caller = Identity { hidden: true, ..Identity::new("201", "Régie") };
        for (says, wanted) in [
            (IdentitySource::PAssertedIdentity, "P-Asserted-Identity <sip:+33199001234@carrier.test>"),
            (
                IdentitySource::RemotePartyId,
                "Remote-Party-ID <sip:+33199001234@carrier.test>;party=calling;screen=yes;privacy=full",
            ),
        ] {
            let trunk = Trunk { says, ..trunk() };
            let presented = Presented::new(&trunk, "acc", &caller, "+33199001234", false, "112");
            assert_eq!(presented.from, "\"Anonymous\" <sip:anonymous@anonymous.invalid>");
            assert_eq!(value(&presented, HeaderName::Privacy), ["id"]);
            let said: Vec<String> = presented.headers.iter().map(|(name, value)| format!("{} {value}", name.as_str())).collect();
            assert!(said.iter().any(|header| header == wanted), "{said:?}");
            assert_eq!(presented.uri, "sip:112@carrier.test", "a short number stays as it is");
        }
    }

    #[test]
    fn a_visitor_is_shown_by_our_number_and_who_sent_them_on_unless_the_line_lets_theirs_pass() {
        let mut caller = Identity::new("+33639981234", "");
        caller.divert(Diverted { number: "+33199001234".into(), name: String::new(), why: Diversion::NoAnswer });
        let presented = Presented::new(&trunk(), "acc", &caller, "+33199001234", true, "+33639980002");
        assert_eq!(presented.from, "<sip:+33199001234@carrier.test>");
        assert_eq!(value(&presented, HeaderName::Diversion), ["<sip:+33199001234@carrier.test>;reason=no-answer"]);
        assert_eq!(value(&presented, HeaderName::HistoryInfo).len(), 2);
        let passes = Trunk { shows_caller: true, ..trunk() };
        let presented = Presented::new(&passes, "acc", &caller, "+33199001234", true, "+33639980002");
        assert_eq!(presented.from, "<sip:+33639981234@carrier.test>");
        assert_eq!(value(&presented, HeaderName::PAssertedIdentity), ["<sip:+33199001234@carrier.test>"]);
    }

    #[test]
    fn the_number_called_stands_in_the_uri_or_in_to_and_who_calls_where_it_is_believed() {
        let from = "From: \"X\" <sip:0639981234@c>;tag=a";
        let by_uri = invite("sip:0199001234@192.0.2.1", &format!("{from}\nTo: <sip:acc@c>"));
        assert_eq!(called(&trunk(), &by_uri), ["+33199001234"]);
        let by_to =
            invite("sip:acc@192.0.2.1", &format!("{from}\nTo: <sip:+33199001234@c>\nP-Asserted-Identity: <sip:+33639980001@c>"));
        assert_eq!(called(&trunk(), &by_to), ["+33199001234"]);
        assert_eq!(arrived(&trunk(), &by_to).number, "+33639980001");
        assert_eq!(arrived(&Trunk { believes: vec![IdentitySource::From], ..trunk() }, &by_to).number, "+33639981234");
        let masked = invite("sip:acc@192.0.2.1", "From: <sip:anonymous@anonymous.invalid>;tag=a\nTo: <sip:acc@c>");
        assert!(called(&trunk(), &masked).is_empty());
        assert!(arrived(&trunk(), &masked).is_anonymous());
    }
}
