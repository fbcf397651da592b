import { describe, expect, test } from 'vitest';
import { type Call, type Device, extensionsOnCall, fold, type LiveEvent, nothingHeard, type Spending } from './state';

describe('folding', () => {
  test('a snapshot replaces whatever was known, even with a lower number after a restart', () => {
    const before = folded([snapshot(90, [phone('201')], [call('7')])]);
    const { state } = fold(before, [{ ...snapshot(0, [phone('202')], []), start: 'b' }]);
    expect([...state.registrations.keys()]).toEqual(['202']);
    expect(state.calls.size).toBe(0);
    expect(state).toMatchObject({ start: 'b', sequence: 0 });
  });

  test('a number of another start is another change, however well it fits', () => {
    const state = folded([snapshot(4, [], [call('1')])]);
    for (const sequence of [3, 4, 5])
      expect(fold(state, [{ start: 'b', kind: 'call_ended', sequence, id: '1' }])).toEqual({ state, missed: true });
  });

  test('changes follow one another', () => {
    const state = folded([
      snapshot(4, [], []),
      { start: 'a', kind: 'registration', sequence: 5, registration: phone('201') },
      { start: 'a', kind: 'call', sequence: 6, call: call('1', 'ringing') },
      { start: 'a', kind: 'call', sequence: 7, call: call('1', 'talking') },
    ]);
    expect(state.registrations.get('201')).toHaveLength(1);
    expect([...state.calls.values()].map(({ state }) => state)).toEqual(['talking']);
  });

  test('what is gone leaves nothing behind, however long the page stands', () => {
    let state = folded([snapshot(0, [], [])]);
    for (let sequence = 1; sequence < 40_000; sequence += 4) {
      const id = String(sequence);
      state = fold(state, [
        { start: 'a', kind: 'call', sequence, call: call(id) },
        { start: 'a', kind: 'registration', sequence: sequence + 1, registration: phone('201') },
        { start: 'a', kind: 'call_ended', sequence: sequence + 2, id },
        {
          start: 'a',
          kind: 'registration',
          sequence: sequence + 3,
          registration: { extension: '201', registered: false, devices: [] },
        },
      ]).state;
    }
    expect(state.calls.size + state.registrations.size).toBe(0);
  });

  test('a change heard twice counts once, a lacking one is noticed', () => {
    const state = folded([snapshot(4, [], [call('1')])]);
    expect(fold(state, [{ start: 'a', kind: 'call_ended', sequence: 4, id: '1' }])).toEqual({ state, missed: false });
    expect(fold(state, [{ start: 'a', kind: 'call_ended', sequence: 6, id: '1' }]).missed).toBe(true);
    expect(fold(nothingHeard, [{ start: 'a', kind: 'call_ended', sequence: 1, id: '1' }]).missed).toBe(true);
  });
});

test('who has spent something is there until that is a day ago', () => {
  const spending = (cost_of_day: number): Spending => ({
    id: 'house',
    minutes_of_hour: 0,
    minutes_of_day: 0,
    cost_of_hour: 0,
    cost_of_day,
    reached: null,
    allowed_until: null,
  });
  const known = fold(fold(nothingHeard, [snapshot(1, [], [])]).state, [
    { start: 'a', sequence: 2, kind: 'spending', spending: spending(0.5) },
  ]);
  expect([...known.state.spendings.keys()]).toEqual(['house']);
  const over = fold(known.state, [{ start: 'a', sequence: 3, kind: 'spending', spending: spending(0) }]);
  expect(over.state.spendings.size).toBe(0);
});

test('a phone that is turned away is there until it is not any more', () => {
  const turned = (why: string | null) => ({ extension: '201', address: '203.0.113.9:5060', why, at: null });
  const known = fold(fold(nothingHeard, [snapshot(1, [], [])]).state, [
    { start: 'a', sequence: 2, kind: 'turned_away', turned: turned('network') },
  ]);
  expect([...known.state.turnedAway.keys()]).toEqual(['201']);
  const over = fold(known.state, [{ start: 'a', sequence: 3, kind: 'turned_away', turned: turned(null) }]);
  expect(over.state.turnedAway.size).toBe(0);
});

test('bans come and go', () => {
  const ban = { id: '203.0.113.9', why: 'wrong_secret', times: 1, since: '', until: '' };
  const known = fold(folded([snapshot(1, [], [])]), [{ start: 'a', kind: 'ban', sequence: 2, ban }]);
  expect([...known.state.bans.keys()]).toEqual(['203.0.113.9']);
  const over = fold(known.state, [{ start: 'a', kind: 'ban_ended', sequence: 3, id: ban.id }]);
  expect([over.state.bans.size, over.missed]).toEqual([0, false]);
});

test('both sides of a call are on a call, a hidden caller is nobody', () => {
  expect(extensionsOnCall([call('1'), { ...call('2'), caller: '', callee: '210' }])).toEqual(
    new Set(['201', '202', '210']),
  );
});

function folded(events: LiveEvent[]) {
  const { state, missed } = fold(nothingHeard, events);
  expect(missed).toBe(false);
  return state;
}

function snapshot(sequence: number, registrations: ReturnType<typeof phone>[], calls: Call[]): LiveEvent {
  return {
    start: 'a',
    kind: 'snapshot',
    sequence,
    snapshot: { registrations, calls, lines: [], bans: [], spendings: [], turned_away: [] },
  };
}

function phone(extension: string) {
  const device: Device = {
    contact: `sip:${extension}@192.0.2.1`,
    address: '192.0.2.1:5060',
    transport: 'UDP',
    expires_at: '2026-11-26T20:30:00Z',
  };
  return { extension, registered: true, devices: [device] };
}

function call(id: string, state = 'ringing'): Call {
  return {
    id,
    caller: '201',
    caller_name: '',
    dialled: '202',
    callee: '202',
    state,
    started_at: '2026-11-26T19:30:00Z',
    legs: [],
  };
}
