//! REFER and Replaces: which calls and legs are meant, who may, and what comes of it. A leg moves from call to call; the plan decides
//! where a call is handed over to, with who asked for it as its caller.

use pbx_media_words::LegKey;
use pbx_sip::clock::Now;
use pbx_sip::dialog::DialogId;
use pbx_sip::flow::Flow;
use pbx_sip::message::{Message, Uri};
use pbx_sip::stack::ServerKey;

use crate::call::transfer::{Handed, Referral, Replaced, common};
use crate::call::{Beginning, Call, CallKey, Identity, LegState, Outcome, Refusal, Signal};
use crate::dialplan::{CallFacts, Caller, Step, Trace, decide};
use crate::directory::ExtensionNumber;
use crate::feature::{Feature, Told};
use crate::switch::{Ongoing, Switch};

impl Switch {
    /// REFER within a call: one side of it sends the other elsewhere.
    pub(super) fn refer(&mut self, call: CallKey, by: LegKey, (key, flow): (ServerKey, Flow), message: &Message, now: Now) {
        let referral = match Referral::read(message) {
            Ok(referral) => referral,
            Err(status) => return self.refuse(key, message, status, now),
        };
        let Some(ongoing) = self.calls.get(&call) else { return self.refuse(key, message, 481, now) };
        let other = match ongoing.call.may_refer(by) {
            Ok(other) => other,
            Err(status) => return self.refuse(key, message, status, now),
        };
        // Only a phone of the house has rights here; a line is never told where its calls go. And since a call is placed at somebody's
        // expense, it is not enough to know the tags of a dialog.
        let leg = ongoing.call.legs().find(|leg| leg.key == by && leg.of_house);
        let Some(party) = leg.map(|leg| leg.party.clone()) else { return self.refuse(key, message, 403, now) };
        let Some(extension) = self.authenticated(key, flow, message, now) else { return };
        if extension.as_str() != party {
            return self.refuse(key, message, 403, now);
        }
        self.with_call(call, now, |call, outside| {
            call.refer_accepted(by, key, message, outside);
            Signal::Nothing
        });
        let done = match referral.replaces {
            None => {
                let (number, only_for) = Uri::parse(&referral.uri).map(|uri| self.meant(&uri)).unwrap_or_default();
                let dialled = if only_for.is_some() { number } else { referral.number };
                self.hand_over(call, other, extension, (dialled, only_for), now)
            }
            Some(replaced) => self.take_place(call, other, &extension, &replaced, now),
        };
        if let Err(status) = done {
            self.with_call(call, now, |call, outside| {
                call.tell_transferor(status, outside);
                Signal::Nothing
            });
        }
    }

    /// Without a question: the other side is connected to whomever the number is for.
    fn hand_over(
        &mut self,
        call: CallKey,
        party: LegKey,
        by: ExtensionNumber,
        (dialled, only_for): (String, Option<String>),
        now: Now,
    ) -> Result<(), u16> {
        let Some(before) = self.calls.get(&call).map(|ongoing| &ongoing.call) else { return Err(481) };
        let max_forwards = before.max_forwards.saturating_sub(1);
        let identity = before.identity_of(party);
        if max_forwards == 0 {
            return Err(483);
        }
        let facts = CallFacts { caller: Caller::Extension(by.clone()), dialled: dialled.clone(), at: now.wall };
        let decision = decide(&self.dialplan, &self.directory, &facts);
        if let Some(refusal) = self.no_room_for(&facts.caller, &decision.destination) {
            return Err(refusal.status());
        }
        self.next_call += 1;
        let key = CallKey(self.next_call);
        let mut moved = None;
        self.with_call(call, now, |call, outside| {
            moved = call.leave(party, outside);
            call.trace.steps.push(Step::Transferred { at: now.wall, by: by.to_string(), to: dialled.clone() });
            if let Some(transfer) = &mut call.transfer {
                transfer.to = Some(key);
            }
            Signal::Changed
        });
        let Some(leg) = moved else { return Err(481) };
        let mut steps = vec![Step::Transferred { at: now.wall, by: by.to_string(), to: dialled.clone() }];
        steps.extend(decision.trace.steps);
        self.index.move_leg(leg.key, key);
        let handed = Handed { from: call };
        let call = Call {
            dialled,
            trace: Trace { steps },
            plan_revision: self.plan_revision,
            max_forwards,
            handed: Some(handed),
            payer: Some(by),
            only_for,
            ..Call::of_leg(key, leg, identity, now.wall)
        };
        let mut feature = Feature::of(&decision.destination, self.config.ring_for);
        let words = feature.handle(Told::Begun);
        self.calls.insert(key, Ongoing { call, feature, wake: None, due: None, closing: Vec::new() });
        self.publish_call(key);
        self.carry_out(key, words, now);
        Ok(())
    }

    /// After a question: the other side takes the place of who asks in another call of theirs.
    fn take_place(
        &mut self,
        call: CallKey,
        party: LegKey,
        extension: &ExtensionNumber,
        replaced: &Replaced,
        now: Now,
    ) -> Result<(), u16> {
        let (other, of) = self.dialog_named(replaced).filter(|(other, _)| *other != call).ok_or(481u16)?;
        let (Some(here), Some(there)) = (self.calls.get(&call), self.calls.get(&other)) else { return Err(481) };
        let (here, there) = (&here.call, &there.call);
        let leg = there.legs().find(|leg| leg.key == of).ok_or(481u16)?;
        if !leg.of_house || leg.party != extension.as_str() {
            return Err(403);
        }
        let identity = here.identity_of(party);
        let answered = there.answered.is_some();
        if answered {
            if replaced.early_only {
                return Err(486);
            }
            let third = there.may_refer(of).map_err(|_| 481u16)?;
            let moving = here.legs().find(|leg| leg.key == party);
            let third = there.legs().find(|leg| leg.key == third);
            let fits = matches!((moving, third), (Some(moving), Some(third)) if !common(moving, third).is_empty());
            if !fits {
                return Err(488);
            }
        } else if there.caller_leg().key != of || there.is_over() || there.handed.is_some() || leg.state == LegState::Answered {
            return Err(481);
        }
        let mut moved = None;
        let number = there.callee_leg().map(|leg| leg.party.clone()).unwrap_or_default();
        self.with_call(call, now, |call, outside| {
            moved = call.leave(party, outside);
            call.trace.steps.push(Step::Transferred { at: now.wall, by: extension.to_string(), to: number });
            if let Some(transfer) = &mut call.transfer {
                transfer.to = Some(other);
            }
            Signal::Changed
        });
        let Some(leg) = moved else { return Err(481) };
        self.index.move_leg(leg.key, other);
        self.with_call(other, now, |there, outside| {
            there.handed = Some(Handed { from: call });
            there.take_place(of, leg, identity, outside)
        });
        Ok(())
    }

    /// How far a call that was handed over has come, for who handed it over. Once it is answered or over, they are done.
    pub(super) fn tell_of_transfer(&mut self, key: CallKey, now: Now) {
        let Some(ongoing) = self.calls.get_mut(&key) else { return };
        let Some(handed) = ongoing.call.handed.clone() else { return };
        let status = ongoing.call.handed_status();
        if status >= 200 {
            ongoing.call.handed = None;
        }
        let from = handed.from;
        let waits = |ongoing: &Ongoing| ongoing.call.transfer.as_ref().is_some_and(|transfer| transfer.to == Some(key));
        if !self.calls.get(&from).is_some_and(waits) {
            return;
        }
        self.with_call(from, now, |call, outside| {
            call.tell_transferor(status, outside);
            // Nobody is there any more to talk to.
            if status >= 200 { call.hang_up(Outcome::Answered, outside) } else { Signal::Nothing }
        });
    }

    /// A call that was handed over is turned away: if who handed it over is still there, they have their caller back. False if not.
    pub(super) fn hand_back(&mut self, key: CallKey, why: Refusal, now: Now) -> bool {
        let Some(handed) = self.calls.get(&key).and_then(|ongoing| ongoing.call.handed.clone()) else { return false };
        let from = handed.from;
        let waits = |ongoing: &Ongoing| ongoing.call.transfer.as_ref().is_some_and(|transfer| transfer.to == Some(key));
        if !self.calls.get(&from).is_some_and(waits) {
            return false;
        }
        let mut moved = None;
        self.with_call(key, now, |call, outside| {
            call.handed = None;
            moved = call.hand_back(outside);
            Signal::Nothing
        });
        let Some(leg) = moved else { return false };
        self.index.move_leg(leg.key, from);
        self.with_call(from, now, |call, outside| {
            call.come_back(leg, outside);
            call.turned(why.code(), now.wall);
            call.tell_transferor(why.status(), outside);
            Signal::Changed
        });
        self.with_call(key, now, |call, outside| call.refuse(why, outside));
        true
    }

    /// An INVITE that is to take the place of a dialog (RFC 3891): somebody goes on with their call on another phone, or picks up one
    /// that rings elsewhere.
    pub(super) fn invite_in_place(
        &mut self,
        key: ServerKey,
        flow: Flow,
        message: &Message,
        extension: ExtensionNumber,
        replaced: &Replaced,
        now: Now,
    ) {
        let Some((other, of)) = self.dialog_named(replaced) else { return self.refuse(key, message, 481, now) };
        let Some(there) = self.calls.get(&other).map(|ongoing| &ongoing.call) else { return self.refuse(key, message, 481, now) };
        let Some(leg) = there.legs().find(|leg| leg.key == of) else { return self.refuse(key, message, 481, now) };
        let status = if there.answered.is_some() {
            if replaced.early_only {
                Err(486)
            } else if !leg.of_house || leg.party != extension.as_str() {
                Err(403)
            } else {
                there.may_refer(of).map(|_| ()).map_err(|_| 481)
            }
        } else if leg.of_house && leg.state == LegState::Ringing && there.caller_leg().key != of {
            // Who knows both tags was shown them; they are drawn at random.
            Ok(())
        } else {
            Err(481)
        };
        if let Err(status) = status {
            return self.refuse(key, message, status, now);
        }
        let name = self.name_of(extension.as_str()).to_owned();
        let sound = self.sound_with(extension.as_str(), &flow);
        let caller = Caller::Extension(extension);
        let begun = {
            let identity = Identity::new(caller.as_str(), &name);
            let (trace, plan_revision) = (Trace::default(), self.plan_revision);
            let dialled = String::new();
            let beginning = Beginning {
                key: other,
                caller,
                identity,
                dialled,
                trace,
                plan_revision,
                invite: message,
                server: key,
                flow,
                sound,
                line: None,
            };
            Call::begin(beginning, &mut self.outside(now))
        };
        let leg = match begun {
            Ok(call) => call.a,
            Err(status) => return self.refuse(key, message, status, now),
        };
        let id = leg.dialog.as_ref().map(|dialog| dialog.id.clone());
        let leg_key = leg.key;
        let mut done = Ok(Signal::Nothing);
        self.with_call(other, now, |call, outside| {
            done = call.take_over(of, leg, &name, outside);
            done.unwrap_or(Signal::Nothing)
        });
        if let Err(status) = done {
            id.map(|id| self.index.dialogs.remove(&id));
            self.index.servers.remove(&key);
            self.index.legs.remove(&leg_key);
            self.refuse(key, message, status, now);
        }
    }

    /// The leg whose dialog has these tags, from its phone's point of view or from ours; also one that rings, by our tag alone.
    fn dialog_named(&self, replaced: &Replaced) -> Option<(CallKey, LegKey)> {
        let Replaced { call_id, to_tag, from_tag, .. } = replaced;
        let id = |local: &String, remote: &String| DialogId {
            call_id: call_id.clone(),
            local_tag: local.clone(),
            remote_tag: remote.clone(),
        };
        let known = self.index.dialogs.get(&id(to_tag, from_tag)).or_else(|| self.index.dialogs.get(&id(from_tag, to_tag)));
        known.copied().or_else(|| {
            let rings = |ongoing: &Ongoing| {
                ongoing.call.legs().find(|leg| leg.rings_as(call_id, [to_tag, from_tag])).map(|leg| (ongoing.call.key, leg.key))
            };
            self.calls.values().find_map(rings)
        })
    }
}
