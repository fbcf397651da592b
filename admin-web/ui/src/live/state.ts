/** What the event stream has told: a snapshot, then changes with rising numbers. Pure; holds only what is there now. */
import type { Schemas } from '../api/client';

export type Device = Schemas['Device'];
export type Call = Schemas['Call'];
export type Ban = Schemas['Ban'];
export type Line = Schemas['LineStatus'];
export type Spending = Schemas['Spending'];
export type TurnedAway = Schemas['TurnedAway'];

/** Everything at one moment; its number stands in the event's id. */
export type Snapshot = {
  registrations: Schemas['Registration'][];
  calls: Call[];
  lines: Line[];
  bans: Ban[];
  spendings: Spending[];
  turned_away: TurnedAway[];
};

export type LiveState = {
  /** Which start of the switchboard numbers the changes; empty before the first snapshot. */
  start: string;
  /** Number of the last change folded in; -1 before the first snapshot. */
  sequence: number;
  /** Extensions with at least one phone. */
  registrations: ReadonlyMap<string, readonly Device[]>;
  calls: ReadonlyMap<string, Call>;
  /** Lines to the outside that are switched on. */
  lines: ReadonlyMap<string, Line>;
  /** Sources that are not listened to. */
  bans: ReadonlyMap<string, Ban>;
  /** Who has called outside within the last day: extensions, and the `house`. */
  spendings: ReadonlyMap<string, Spending>;
  /** Extensions of which a phone is turned away in spite of the right secret. */
  turnedAway: ReadonlyMap<string, TurnedAway>;
};

/** What an event's id says: which start of the switchboard, and which change of it. */
export type Place = { start: string; sequence: number };

export type LiveEvent = Place &
  (
    | { kind: 'snapshot'; snapshot: Snapshot }
    | { kind: 'registration'; registration: Schemas['Registration'] }
    | { kind: 'call'; call: Call }
    | { kind: 'call_ended'; id: string }
    | { kind: 'line'; line: Line }
    | { kind: 'line_gone'; id: string }
    | { kind: 'ban'; ban: Ban }
    | { kind: 'ban_ended'; id: string }
    | { kind: 'spending'; spending: Spending }
    | { kind: 'turned_away'; turned: TurnedAway }
  );

export const nothingHeard: LiveState = {
  start: '',
  sequence: -1,
  registrations: new Map(),
  calls: new Map(),
  lines: new Map(),
  bans: new Map(),
  spendings: new Map(),
  turnedAway: new Map(),
};

/**
 * Folds events into the state, in order. A change already known is passed over; `missed` tells that one is lacking, so that
 * only a new snapshot can be believed.
 */
export function fold(state: LiveState, events: readonly LiveEvent[]): { state: LiveState; missed: boolean } {
  let { start, sequence } = state;
  let registrations = new Map(state.registrations);
  let calls = new Map(state.calls);
  let lines = new Map(state.lines);
  let bans = new Map(state.bans);
  let spendings = new Map(state.spendings);
  let turnedAway = new Map(state.turnedAway);
  for (const event of events) {
    if (event.kind === 'snapshot') {
      start = event.start;
      sequence = event.sequence;
      registrations = new Map();
      for (const { extension, devices } of event.snapshot.registrations) {
        if (devices.length > 0) registrations.set(extension, devices);
      }
      calls = new Map(event.snapshot.calls.map((call) => [call.id, call]));
      lines = new Map(event.snapshot.lines.map((line) => [line.id, line]));
      bans = new Map(event.snapshot.bans.map((ban) => [ban.id, ban]));
      spendings = new Map(event.snapshot.spendings.map((spending) => [spending.id, spending]));
      turnedAway = new Map(event.snapshot.turned_away.map((turned) => [turned.extension, turned]));
      continue;
    }
    if (event.start === start && event.sequence <= sequence) continue;
    if (sequence < 0 || event.start !== start || event.sequence !== sequence + 1)
      return { state: { start, sequence, registrations, calls, lines, bans, spendings, turnedAway }, missed: true };
    sequence = event.sequence;
    switch (event.kind) {
      case 'registration':
        if (event.registration.devices.length > 0)
          registrations.set(event.registration.extension, event.registration.devices);
        else registrations.delete(event.registration.extension);
        break;
      case 'call':
        calls.set(event.call.id, event.call);
        break;
      case 'call_ended':
        calls.delete(event.id);
        break;
      case 'line':
        lines.set(event.line.id, event.line);
        break;
      case 'line_gone':
        lines.delete(event.id);
        break;
      case 'ban':
        bans.set(event.ban.id, event.ban);
        break;
      case 'ban_ended':
        bans.delete(event.id);
        break;
      case 'turned_away':
        if (event.turned.why) turnedAway.set(event.turned.extension, event.turned);
        else turnedAway.delete(event.turned.extension);
        break;
      case 'spending':
        if (isNothing(event.spending)) spendings.delete(event.spending.id);
        else spendings.set(event.spending.id, event.spending);
        break;
    }
  }
  return { state: { start, sequence, registrations, calls, lines, bans, spendings, turnedAway }, missed: false };
}

function isNothing({ minutes_of_day, cost_of_day, reached, allowed_until }: Spending): boolean {
  return minutes_of_day === 0 && cost_of_day === 0 && !reached && !allowed_until;
}

/** Extensions that take part in a call, ringing included. */
export function extensionsOnCall(calls: Iterable<Call>): Set<string> {
  const found = new Set<string>();
  for (const call of calls) {
    if (call.caller !== '') found.add(call.caller);
    if (call.callee !== '') found.add(call.callee);
  }
  return found;
}
