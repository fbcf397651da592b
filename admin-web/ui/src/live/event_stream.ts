/** Server-sent events (WHATWG HTML 9.2) out of a byte stream. `EventSource` hides comments and refusals; both matter here. */
import type { LiveEvent, Place } from './state';

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
  const place = placeOf(id);
  switch (type) {
    case 'snapshot':
      return { ...place, kind: 'snapshot', snapshot: JSON.parse(data) };
    case 'registration':
      return { ...place, kind: 'registration', registration: JSON.parse(data) };
    case 'call':
      return { ...place, kind: 'call', call: JSON.parse(data) };
    case 'call_ended':
      return { ...place, kind: 'call_ended', id: JSON.parse(data).id };
    case 'line':
      return { ...place, kind: 'line', line: JSON.parse(data) };
    case 'line_gone':
      return { ...place, kind: 'line_gone', id: JSON.parse(data).id };
    case 'ban':
      return { ...place, kind: 'ban', ban: JSON.parse(data) };
    case 'ban_ended':
      return { ...place, kind: 'ban_ended', id: JSON.parse(data).id };
    case 'turned_away':
      return { ...place, kind: 'turned_away', turned: JSON.parse(data) };
    case 'spending':
      return { ...place, kind: 'spending', spending: JSON.parse(data) };
    default:
      return null;
  }
}

/** `5f0c9a3be1d24768-1042`. An id of another form is one of no start that is known, so that a snapshot is asked for. */
function placeOf(id: string): Place {
  const dash = id.lastIndexOf('-');
  return { start: id.slice(0, Math.max(0, dash)), sequence: Number(id.slice(dash + 1)) };
}
