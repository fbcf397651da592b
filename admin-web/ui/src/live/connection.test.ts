import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LiveConnection } from './connection';

/** Each opened stream, to be fed and closed by the test. */
let streams: {
  lastEventId: string | null;
  feed: (text: string) => Promise<void>;
  end: () => Promise<void>;
}[] = [];
let refusal = 0;

beforeEach(() => {
  streams = [];
  refusal = 0;
  vi.useFakeTimers();
  vi.stubGlobal('fetch', async (request: Request) => {
    if (refusal > 0) return Response.json({ code: 'unauthenticated' }, { status: refusal });
    const encoder = new TextEncoder();
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
    const body = new ReadableStream<Uint8Array>({
      start(given) {
        controller = given;
        request.signal.addEventListener('abort', () => given.error(new DOMException('aborted', 'AbortError')));
      },
    });
    streams.push({
      lastEventId: request.headers.get('last-event-id'),
      feed: async (text) => {
        controller?.enqueue(encoder.encode(text));
        await settled();
      },
      end: async () => {
        controller?.close();
        await settled();
      },
    });
    return new Response(body, { headers: { date: new Date(Date.now() + 60_000).toUTCString() } });
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const SNAPSHOT =
  'event: snapshot\nid: a1-5\ndata: {"registrations":[],"calls":[],"lines":[],"bans":[],"spendings":[],"turned_away":[]}\n\n';

test('a cut stream is shown, and resumed after the last event', async () => {
  const { connection, close } = await opened();
  await streams[0]?.feed(SNAPSHOT);
  expect(connection.view().connection).toBe('open');
  expect(connection.view().state.sequence).toBe(5);
  expect(connection.view().clockOffset).toBeGreaterThan(50_000);
  await streams[0]?.end();
  expect(connection.view().connection).toBe('lost');
  await passed(2_000);
  expect(streams[1]?.lastEventId).toBe('a1-5');
  expect(connection.view().connection).toBe('open');
  close();
});

test('after a lacking change nothing is believed until a new snapshot', async () => {
  const { connection, close } = await opened();
  await streams[0]?.feed(SNAPSHOT);
  await streams[0]?.feed('event: call_ended\nid: a1-9\ndata: {"id":"1"}\n\n');
  expect(connection.view().connection).toBe('lost');
  await passed(2_000);
  expect(streams[1]?.lastEventId).toBeNull();
  close();
});

test('a switchboard that has started anew tells everything anew, and is believed', async () => {
  const { connection, close } = await opened();
  await streams[0]?.feed(SNAPSHOT);
  await streams[0]?.end();
  await passed(2_000);
  expect(streams[1]?.lastEventId).toBe('a1-5');
  await streams[1]?.feed(
    'event: snapshot\nid: b2-0\ndata: {"registrations":[],"calls":[],"lines":[],"bans":[],"spendings":[],"turned_away":[]}\n\n',
  );
  expect(connection.view().state).toMatchObject({ start: 'b2', sequence: 0 });
  await streams[1]?.end();
  await passed(2_000);
  expect(streams[2]?.lastEventId).toBe('b2-0');
  close();
});

test('heartbeats keep a stream, silence ends it', async () => {
  const { connection, close } = await opened();
  await streams[0]?.feed(SNAPSHOT);
  for (let beats = 0; beats < 8; beats += 1) {
    await passed(15_000);
    await streams[0]?.feed(':\n\n');
  }
  expect(connection.view().connection).toBe('open');
  await passed(35_500); // coming back waits 750 ms at least
  expect(connection.view().connection).toBe('lost');
  await passed(2_000);
  expect(streams.length).toBe(2);
  close();
});

test('a session that is over ends the watching, other refusals do not', async () => {
  refusal = 503;
  const { connection, signedOut, close } = await opened();
  expect(connection.view().connection).toBe('lost');
  expect(signedOut).not.toHaveBeenCalled();
  refusal = 401;
  await passed(2_000);
  expect(signedOut).toHaveBeenCalledOnce();
  await passed(60_000);
  expect(signedOut).toHaveBeenCalledOnce();
  close();
});

async function opened() {
  const connection = new LiveConnection();
  const signedOut = vi.fn();
  const close = connection.open({ signedOut, changed: () => {} });
  await settled();
  return { connection, signedOut, close };
}

/** Lets the clock pass, and what it set off come to an end: a stream's end travels by more than promises. */
async function passed(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
  await settled();
}

/** Lets what waits for nothing but one another come to an end. */
async function settled(): Promise<void> {
  await vi.advanceTimersByTimeAsync(1);
  for (let turns = 0; turns < 20; turns += 1) await new Promise<void>((resolve) => setImmediateNow(resolve));
}

const setImmediateNow = globalThis.setImmediate;
