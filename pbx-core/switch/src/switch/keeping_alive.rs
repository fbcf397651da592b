//! Telephones behind a router are reached as long as it remembers that they spoke: over UDP they are sent two ends of line now and then
//! (RFC 5626 4.4.1 has phones do it; those that do not are called in vain). Connections are kept by their phones.

use std::time::Duration;

use bytes::Bytes;
use pbx_sip::clock::{Now, Tick};
use pbx_sip::flow::{Flow, Transport};
use pbx_sip::message::Uri;

use crate::action::Action;
use crate::registrar::Binding;
use crate::switch::Switch;

/// How often each is sent one: many routers forget after thirty seconds.
const TURNS: u16 = 25;
const TURN: Duration = Duration::from_secs(1);

const WORD: Bytes = Bytes::from_static(b"\r\n\r\n");

/// Whose turn it is.
#[derive(Default)]
pub(super) struct KeptAlive {
    next: Option<Tick>,
    turn: u16,
    /// Phones behind routers that were met since the first turn.
    met: usize,
}

impl KeptAlive {
    /// When to come back; never while no phone is behind a router.
    pub(super) fn next(&self) -> Option<Tick> {
        self.next
    }
}

impl Switch {
    /// A phone has registered.
    pub(super) fn may_need_keeping(&mut self, aor: &str, now: Now) {
        if self.kept_alive.next.is_none() && self.registrar.bindings(aor).iter().any(is_behind_a_router) {
            self.kept_alive = KeptAlive { next: Some(now.tick + TURN), ..KeptAlive::default() };
        }
    }

    /// The phones whose turn it is; once round without one, nobody has to be kept any more.
    pub(super) fn keep_alive(&mut self, now: Now) {
        if self.kept_alive.next.is_none_or(|next| next > now.tick) {
            return;
        }
        let turn = self.kept_alive.turn;
        let phones: Vec<Flow> = self
            .registrar
            .each()
            .flat_map(|(_, bindings)| bindings)
            .filter(|binding| binding.flow.remote.port() % TURNS == turn && is_behind_a_router(binding))
            .map(|binding| binding.flow)
            .collect();
        self.kept_alive.met += phones.len();
        self.actions.extend(phones.into_iter().map(|flow| Action::Send { flow, octets: WORD }));
        self.kept_alive.turn = (turn + 1) % TURNS;
        let over = self.kept_alive.turn == 0 && std::mem::take(&mut self.kept_alive.met) == 0;
        self.kept_alive.next = (!over).then_some(now.tick + TURN);
    }
}

/// What it calls itself is not where it was heard from.
pub(super) fn is_behind_a_router(binding: &Binding) -> bool {
    let remote = binding.flow.remote;
    binding.flow.transport == Transport::Udp
        && Uri::parse(&binding.contact).is_ok_and(|uri| {
            uri.host_bare().parse() != Ok(remote.ip()) || uri.port.unwrap_or(Transport::Udp.usual_port()) != remote.port()
        })
}
