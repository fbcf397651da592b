//! A carrier asks who we are in the middle of a call: the same request again with the answer, once (RFC 3261 22.2, 22.3).

use pbx_sip::clock::Now;
use pbx_sip::credentials::Challenge;
use pbx_sip::flow::Flow;
use pbx_sip::message::{Builder, HeaderName, Message, Method};
use pbx_sip::stack::ClientKey;

use crate::switch::Switch;

impl Switch {
    /// True if the response was a challenge of a line within a dialog, and was answered.
    pub(super) fn answered_who_we_are(&mut self, client: ClientKey, flow: &Flow, response: &Message, now: Now) -> bool {
        if !matches!(response.status(), Some(401 | 407)) {
            return false;
        }
        let Some(sent) = self.stack.sent(client).cloned() else { return false };
        let in_dialog = sent.to().is_ok_and(|to| to.tag().is_some());
        let said = sent.header(HeaderName::Authorization).or(sent.header(HeaderName::ProxyAuthorization)).is_some();
        // A BYE outlives its call: then whoever is at that address.
        let of = self.index.clients.get(&client).copied();
        let of_leg = of.and_then(|(call, leg)| self.calls.get(&call)?.call.legs().find(|each| each.key == leg)?.line.clone());
        let line = of_leg.map(|line| line.trunk).or_else(|| self.line_of(flow).map(|trunk| trunk.key.clone()));
        let credentials = line.and_then(|line| self.lines.credentials.get(&line)).cloned();
        let (true, false, Some(credentials), Some(mut challenge)) = (in_dialog, said, credentials, Challenge::of(response)) else {
            return false;
        };
        let Ok(number) = sent.cseq().map(|cseq| cseq.number + 1) else { return false };
        let method = sent.method();
        let (header, value) = challenge.answer(&credentials, method.as_str(), sent.request_uri(), &self.entropy.token());
        let again = Builder::again(&sent, &[HeaderName::Via, HeaderName::CSeq])
            .header(HeaderName::CSeq, format!("{number} {}", method.as_str()))
            .header(header, value);
        let client_again = if *method == Method::Invite {
            self.index.clients.remove(&client);
            let again = self.stack.request(again, *flow, now);
            of.map(|of| self.index.clients.insert(again, of));
            again
        } else {
            self.stack.ask_again(client, again, now);
            client
        };
        if let Some((call, leg)) = of
            && let Some(leg) = self.calls.get_mut(&call).and_then(|ongoing| ongoing.call.leg(leg))
        {
            leg.asked_again(client, client_again, number);
        }
        true
    }
}
