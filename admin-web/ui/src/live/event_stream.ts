/** Server-sent events (WHATWG HTML 9.2) out of a byte stream. `EventSource` hides comments and refusals; both matter here. */
import type { LiveEvent } from './state';

export type ServerEvent = { type: string; id: string; data: string };

/** An event larger than this is not ours, and the connection is given up. */
const LONGEST_EVENT = 8 * 1024 * 1024;

export class EventStreamReader {
  #rest = '';
  #type = '';
  #data: string[] = [];
  #size = 0;
  /** The last event's id, to resume from. */
  lastId = '';

  /** Takes text as it comes and gives the events that are whole. Comments, such as heartbeats, give none. */
  push(text: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (this.#data.length > 0)
          events.push({ type: this.#type || 'message', id: this.lastId, data: this.#data.join('\n') });
        this.#type = '';
        this.#data = [];
        this.#size = 0;
        continue;
      }
      if (line.startsWith(':')) continue;
      const colon = line.indexOf(':');
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
      if (field === 'event') this.#type = value;
      else if (field === 'id') this.lastId = value;
      else if (field === 'data') {
        this.#data.push(value);
        this.#size += value.length;
      }
    }
    if (this.#rest.length + this.#size > LONGEST_EVENT) throw new RangeError('event too large');
    return events;
  }
}

/** What a server event says, or null for a kind this page does not know. */
export function liveEvent({ type, id, data }: ServerEvent): LiveEvent | null {
  switch (type) {
    case 'snapshot':
      return { kind: 'snapshot', sequence: Number(id), snapshot: JSON.parse(data) };
    case 'registration':
      return { kind: 'registration', sequence: Number(id), registration: JSON.parse(data) };
    case 'call':
      return { kind: 'call', sequence: Number(id), call: JSON.parse(data) };
    case 'call_ended':
      return { kind: 'call_ended', sequence: Number(id), id: JSON.parse(data).id };
    default:
      return null;
  }
}
