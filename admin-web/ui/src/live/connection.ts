/** Keeps one event stream open: reads, folds, notices silence, comes back. */
import { ask, client } from '../api/client';
import { Problem } from '../api/problem';
import { EventStreamReader, liveEvent } from './event_stream';
import { fold, type LiveEvent, type LiveState, nothingHeard } from './state';

export type LiveView = {
  state: LiveState;
  connection: 'connecting' | 'open' | 'lost';
  /** When the last octet came from the server, heartbeats included; by this browser's clock. */
  heardAt: number;
  /** Milliseconds to add to this browser's clock to have the server's. */
  clockOffset: number;
};

/** The server sends a heartbeat each 15 s; two missed ones and a margin mean that nobody is there. */
const SILENCE_MS = 35_000;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;

type Ends = { signedOut: () => void; changed: (events: readonly LiveEvent[]) => void };

export class LiveConnection {
  #view: LiveView = { state: nothingHeard, connection: 'connecting', heardAt: Date.now(), clockOffset: 0 };
  readonly #listeners = new Set<() => void>();
  #lastId = '';

  readonly view = (): LiveView => this.#view;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Opens the stream and keeps it open until the returned function is called. */
  open(ends: Ends): () => void {
    const closing = new AbortController();
    this.#lastId = '';
    this.#show({ state: nothingHeard, connection: 'connecting', heardAt: Date.now() });
    void this.#keep(closing.signal, ends);
    return () => closing.abort();
  }

  async #keep(signal: AbortSignal, ends: Ends): Promise<void> {
    let pause = FIRST_PAUSE_MS;
    while (!signal.aborted) {
      try {
        await this.#read(signal, ends, () => {
          pause = FIRST_PAUSE_MS;
        });
      } catch (reason) {
        if (signal.aborted) return;
        if (reason instanceof Problem && reason.status === 401) {
          ends.signedOut();
          return;
        }
        if (reason instanceof Problem && reason.status >= 400 && reason.status < 500) this.#lastId = '';
      }
      if (signal.aborted) return;
      this.#show({ connection: 'lost' });
      // Spread out, so that a restarted server is not met by every page at once.
      await waited(pause * (0.75 + Math.random() / 2), signal);
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
  }

  async #read(signal: AbortSignal, ends: Ends, alive: () => void): Promise<void> {
    const silence = new AbortController();
    let watch = setTimeout(() => silence.abort(), SILENCE_MS);
    try {
      const answer = client.GET('/api/v1/events', {
        parseAs: 'stream',
        signal: AbortSignal.any([signal, silence.signal]),
        headers: this.#lastId === '' ? {} : { 'last-event-id': this.#lastId },
      });
      const stream = (await ask(answer)) as unknown as ReadableStream<Uint8Array>;
      this.#setClock((await answer).response.headers.get('date'));
      const texts = stream.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>).getReader();
      const reader = new EventStreamReader();
      this.#show({ connection: 'open', heardAt: Date.now() });
      for (;;) {
        const { done, value } = await texts.read();
        if (done) return;
        clearTimeout(watch);
        watch = setTimeout(() => silence.abort(), SILENCE_MS);
        alive();
        const events = reader.push(value).flatMap((event) => liveEvent(event) ?? []);
        const { state, missed } = fold(this.#view.state, events);
        if (missed) {
          this.#lastId = '';
          return;
        }
        if (reader.lastId !== '') this.#lastId = reader.lastId;
        this.#show(events.length > 0 ? { state, heardAt: Date.now() } : { heardAt: Date.now() });
        if (events.length > 0) ends.changed(events);
      }
    } finally {
      clearTimeout(watch);
      silence.abort();
    }
  }

  /** An answer's Date has whole seconds: a smaller difference than two of them says nothing. */
  #setClock(date: string | null): void {
    const offset = date === null ? Number.NaN : Date.parse(date) - Date.now();
    if (!Number.isNaN(offset)) this.#show({ clockOffset: Math.abs(offset) < 2_000 ? 0 : offset });
  }

  #show(change: Partial<LiveView>): void {
    this.#view = { ...this.#view, ...change };
    for (const listener of this.#listeners) listener();
  }
}

function waited(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
