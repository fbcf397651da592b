import { expect, test } from 'vitest';
import { EventStreamReader, liveEvent } from './event_stream';

test('events come whole, wherever the stream is cut', () => {
  const stream = ': hello\n\nevent: call_ended\nid: 12\ndata: {"id":\ndata: "7"}\n\ndata:x\r\n\r\nid\n\n';
  for (let cut = 0; cut <= stream.length; cut += 1) {
    const reader = new EventStreamReader();
    expect([...reader.push(stream.slice(0, cut)), ...reader.push(stream.slice(cut))]).toEqual([
      { type: 'call_ended', id: '12', data: '{"id":\n"7"}' },
      { type: 'message', id: '12', data: 'x' },
    ]);
    expect(reader.lastId).toBe('');
  }
});

test('heartbeats are no events, and an unending event is not swallowed', () => {
  const reader = new EventStreamReader();
  expect(reader.push(':\n\n:\n\n')).toEqual([]);
  expect(() => {
    for (let times = 0; times < 100; times += 1) reader.push(`data: ${'x'.repeat(100_000)}\n`);
  }).toThrow(RangeError);
});

test('kinds of a newer server are passed over', () => {
  expect(liveEvent({ type: 'call_ended', id: 'a1-3', data: '{"id":"9"}' })).toEqual({
    kind: 'call_ended',
    start: 'a1',
    sequence: 3,
    id: '9',
  });
  expect(liveEvent({ type: 'weather', id: 'a1-4', data: '{}' })).toBeNull();
});
