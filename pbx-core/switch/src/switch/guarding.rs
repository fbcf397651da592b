//! What strangers do is told to the door, and what the door says is carried out.

use std::net::IpAddr;

use bytes::Bytes;
use pbx_sip::clock::Now;
use pbx_sip::flow::{Flow, Transport, source_of};
use pbx_sip::stun;

use crate::action::Action;
use crate::call::Sound;
use crate::directory::{ExtensionNumber, Network};
use crate::door::{Ban, BanChange, Offence};
use crate::registrar::Binding;
use crate::status::{Change, TurnedAway};
use crate::switch::Switch;

impl Switch {
    /// Networks that are never banned, beside this machine, and the bans that the store remembers; before anything is received.
    pub fn open_door(&mut self, own: Vec<Network>, bans: Vec<Ban>, now: Now) {
        let changes = self.door.open(own, bans, now.wall);
        self.bans_changed(changes);
        self.access_changed();
    }

    pub(super) fn received(&mut self, flow: Flow, octets: Bytes, now: Now) {
        let (mut is_message, keeps_alive) = (true, keeps_alive(&octets));
        if let Some(id) = stun::requested(&octets).filter(|_| flow.transport == Transport::Udp) {
            // What phones keep their way open by, and learn by that they are seen at another address (RFC 5626 3.5.2).
            self.actions.push_back(Action::Send { flow, octets: stun::response(id, flow.remote) });
        }
        self.guarded(now, |switch| is_message = switch.stack.receive(flow, octets, now));
        if !is_message && !keeps_alive {
            self.offended(&flow, Offence::Malformed, now);
        }
    }

    pub(super) fn offended(&mut self, flow: &Flow, offence: Offence, now: Now) {
        let source = source_of(flow.remote.ip());
        let (registrar, lines) = (&self.registrar, &self.lines);
        let is_known = || lines.is_at(source) || registrar.each().any(|(_, bindings)| are_there(bindings, source));
        let changes = self.door.offended(source, offence, is_known, now.tick, now.wall);
        self.bans_changed(changes);
    }

    /// The secret is right: is its bearer let in? Who has guessed too often has to wait, unless a phone of that very account is there.
    pub(super) fn let_in(&mut self, flow: &Flow, account: &str, now: Now) -> bool {
        let source = source_of(flow.remote.ip());
        if self.door.must_wait(source, account, now.tick) && !are_there(self.registrar.bindings(account), source) {
            return false;
        }
        self.door.proved(source, account);
        true
    }

    /// The secret is right: may its extension's phones come by this way? Who looks after the house sees it if not.
    pub(super) fn may_come(&mut self, flow: &Flow, account: &str, now: Now) -> bool {
        let Some(extension) = self.directory.extension(account) else { return false };
        let (number, barred) = (extension.number.clone(), extension.access.bars(flow, |ip| self.door.is_own(ip)));
        match barred {
            Some(why) => {
                let known = self.turned_away.insert(number.clone(), (*flow, why));
                if known.is_none_or(|(before, reason)| before.remote.ip() != flow.remote.ip() || reason != why) {
                    self.publish(Change::TurnedAway(TurnedAway { extension: number, last: Some((now.wall, flow.remote, why)) }));
                }
            }
            // It has come another way meanwhile.
            None if self.turned_away.get(&number).is_some_and(|(before, _)| before.remote.ip() == flow.remote.ip()) => {
                self.turned_away.remove(&number);
                self.publish(Change::TurnedAway(TurnedAway { extension: number, last: None }));
            }
            None => {}
        }
        barred.is_none()
    }

    /// How we speak of the sound of an extension's phone that is there.
    pub(super) fn sound_with(&self, account: &str, flow: &Flow) -> Sound {
        let extension = self.directory.extension(account);
        if extension.is_some_and(|extension| extension.access.protects_sound(flow, |ip| self.door.is_own(ip))) {
            Sound::MustBeProtected
        } else if flow.transport.is_secured() {
            Sound::MayBeProtected
        } else {
            Sound::Plain
        }
    }

    /// From where phones may come has changed: those that may not any more are gone, and nobody is said to be turned away who is not.
    pub(super) fn access_changed(&mut self) {
        let (directory, door) = (&self.directory, &self.door);
        let bars = |number: &ExtensionNumber, flow: &Flow| {
            let extension = directory.extension(number.as_str());
            extension.is_some_and(|extension| extension.access.bars(flow, |ip| door.is_own(ip)).is_some())
        };
        let over: Vec<ExtensionNumber> =
            self.turned_away.iter().filter(|(number, (flow, _))| !bars(number, flow)).map(|(number, _)| number.clone()).collect();
        let gone = self.registrar.remove_where(|binding| bars(&binding.aor, &binding.flow));
        self.bindings_gone(gone);
        for extension in over {
            self.turned_away.remove(&extension);
            self.publish(Change::TurnedAway(TurnedAway { extension, last: None }));
        }
    }

    /// A wrong secret, or one that came too soon.
    pub(super) fn guessed(&mut self, flow: &Flow, account: &str, now: Now) {
        let source = source_of(flow.remote.ip());
        if !self.door.must_wait(source, account, now.tick) {
            self.door.guessed(source, account, now.tick);
        }
        self.offended(flow, Offence::WrongSecret, now);
    }

    pub(super) fn lift_ban(&mut self, source: IpAddr, now: Now) {
        let changes = self.door.lift(source, now.wall);
        self.bans_changed(changes);
    }

    pub(super) fn bans_lapse(&mut self, now: Now) {
        let changes = self.door.lapse(now.wall);
        self.bans_changed(changes);
    }

    fn bans_changed(&mut self, changes: Vec<BanChange>) {
        for change in changes {
            match &change {
                BanChange::Begun(ban) => self.publish(Change::Ban(ban.clone())),
                BanChange::Ended(source) => self.publish(Change::BanEnded(*source)),
                BanChange::Forgotten(_) => {}
            }
            self.actions.push_back(Action::Ban(change));
        }
    }
}

/// Is one of these phones behind that source?
fn are_there(bindings: &[Binding], source: IpAddr) -> bool {
    bindings.iter().any(|known| source_of(known.flow.remote.ip()) == source)
}

/// What phones send to keep their way through a firewall open: blank lines, nothing but a few octets, or STUN (RFC 5626 3.5.1, 4.4).
fn keeps_alive(octets: &[u8]) -> bool {
    let stun = octets.get(4..8) == Some(&[0x21, 0x12, 0xa4, 0x42]) && octets.first().is_some_and(|first| *first < 4);
    stun || octets.len() <= 4 || octets.iter().all(|octet| b"\r\n\0".contains(octet))
}
