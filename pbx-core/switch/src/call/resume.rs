//! A call that was written down goes on in another process: INVITEs that wait are taken over, media is told anew.

use pbx_media_words::{Command, Figures};
use pbx_sip::flow::ConnectionId;
use pbx_sip::message::Message;

use crate::call::{Call, Leg, LegState, Outcome, Outside, Signal};

impl Call {
    /// What of it means something to another process.
    pub fn written(&self) -> Call {
        let mut call = self.clone();
        call.infos.clear();
        for leg in std::iter::once(&mut call.a).chain(&mut call.b).chain(&mut call.gone) {
            // Its connection ends with the process.
            leg.flow.connection = ConnectionId::default();
            leg.probe = None;
            leg.asking.asked = None;
            leg.client = leg.client.filter(|_| !leg.invite.is_empty());
            leg.ports = leg.ports.filter(|_| leg.is_open());
        }
        call
    }

    /// Takes up where the process before left off. What was said but not answered then is lost, but for INVITEs: those that ring go
    /// on ringing, an answer that was not acknowledged is sent again. An INFO on its way gets no answer any more.
    pub fn resume(&mut self, outside: &mut Outside<'_>) -> Signal {
        let key = self.key;
        for leg in std::iter::once(&mut self.a).chain(&mut self.b) {
            // One that went to another call is known there.
            if leg.ports.is_some() {
                outside.index.legs.insert(leg.key, key);
            }
            for dialog in leg.dialog.iter().chain(leg.early.iter().map(|early| &early.dialog)) {
                outside.index.dialogs.insert(dialog.id.clone(), (key, leg.key));
            }
            leg.take_over_media(outside);
            let invite = Message::parse(std::mem::take(&mut leg.invite)).ok();
            let (server, client) = (leg.server.take(), leg.client.take());
            if let (Some(server), Some(invite)) = (server, &invite) {
                outside.stack.take_over_server(server, invite, leg.flow, outside.now);
                outside.index.servers.insert(server, (key, leg.key));
                (leg.server, leg.invite) = (Some(server), invite.bytes().clone());
            } else if let (Some(client), Some(invite)) = (client, invite) {
                outside.stack.take_over_client(client, &invite, leg.flow, leg.state != LegState::Offered, outside.now);
                outside.index.clients.insert(client, (key, leg.key));
                (leg.client, leg.invite) = (Some(client), invite.bytes().clone());
            }
        }
        if self.is_over() {
            return Signal::Over;
        }
        let joined =
            self.b.iter().filter(|leg| leg.is_open()).find(|leg| leg.answered.is_some() || self.early && leg.remote.is_some());
        if let Some(b) = joined.filter(|_| self.a.is_open()) {
            outside.media.push_back(Command::Join { leg: self.a.key, with: b.key });
        }
        for leg in std::iter::once(&mut self.a).chain(&mut self.b) {
            match (leg.state, leg.client) {
                (LegState::Answered, _) => {
                    leg.accept(outside);
                    leg.wish_new_key(outside.entropy);
                }
                (LegState::Over, Some(client)) => outside.stack.cancel(client, None, outside.now),
                (LegState::Offered | LegState::Ringing | LegState::Over, _) => {}
            }
        }
        if let Some(reliable) = self.a.said_reliably() {
            self.say(reliable.said, Some(reliable), outside);
        }
        self.ask_what_is_wished(outside);
        // Without its INVITE nobody can be told that it was answered.
        if self.a.state == LegState::Offered && self.a.server.is_none() {
            self.hang_up(Outcome::Lost, outside)
        } else {
            Signal::Changed
        }
    }
}

impl Leg {
    fn is_open(&self) -> bool {
        self.ended.is_none()
    }

    fn take_over_media(&mut self, outside: &mut Outside<'_>) {
        let Some(ports) = self.ports else { return };
        outside.media.push_back(Command::Open { leg: self.key, ports });
        if !self.formats.is_empty() && !self.offer_open {
            self.expect(outside);
        }
        // Media counts anew, and silence from now.
        (self.figures, self.heard) = (Figures::default(), outside.now.tick);
    }
}
