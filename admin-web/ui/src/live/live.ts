/** The live state as pages see it. */
import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useEffect, useMemo, useSyncExternalStore } from 'react';
import { LiveConnection, type LiveView } from './connection';
import {
  type Ban,
  type Call,
  type Device,
  extensionsOnCall,
  type Line,
  type LiveEvent,
  type Spending,
  type TurnedAway,
} from './state';

const connection = new LiveConnection();

/** Opens the stream for as long as the calling component stands; lists that a change has outdated are asked for anew. */
export function useLiveConnection(): void {
  const queries = useQueryClient();
  useEffect(
    () =>
      connection.open({
        signedOut: () => queries.setQueryData(['session'], null),
        changed: (events) => refreshLists(queries, events),
      }),
    [queries],
  );
}

export function useLiveConnectionState(): Pick<LiveView, 'connection' | 'heardAt'> {
  const state = useSyncExternalStore(connection.subscribe, () => connection.view().connection);
  return { connection: state, heardAt: connection.view().heardAt };
}

function useLiveState() {
  return useSyncExternalStore(connection.subscribe, () => connection.view().state);
}

/** Whether anything was heard yet. */
export function useLiveKnown(): boolean {
  return useLiveState().sequence >= 0;
}

/** Calls in progress, the oldest first. */
export function useCalls(): Call[] {
  const { calls } = useLiveState();
  return useMemo(() => [...calls.values()].sort((a, b) => a.started_at.localeCompare(b.started_at)), [calls]);
}

/** Lines to the outside that are switched on, by their short names. */
export function useLines(): ReadonlyMap<string, Line> {
  return useLiveState().lines;
}

/** Sources that are not listened to, the one that waits longest last. */
export function useBans(): Ban[] {
  const { bans } = useLiveState();
  return useMemo(() => [...bans.values()].sort((a, b) => a.until.localeCompare(b.until)), [bans]);
}

/** Who has called outside within the last day, the house first. */
export function useSpendings(): Spending[] {
  const { spendings } = useLiveState();
  return useMemo(() => {
    const first = ({ id }: Spending) => (id === 'house' ? '' : id);
    return [...spendings.values()].sort((a, b) => first(a).localeCompare(first(b)));
  }, [spendings]);
}

/** Phones that are turned away in spite of the right secret, by extension. */
export function useTurnedAway(): ReadonlyMap<string, TurnedAway> {
  return useLiveState().turnedAway;
}

export type Presence = {
  registrations: ReadonlyMap<string, readonly Device[]>;
  onCall: ReadonlySet<string>;
  known: boolean;
};

/** Which extensions have phones, and which are on a call. */
export function usePresence(): Presence {
  const { registrations, calls, sequence } = useLiveState();
  const onCall = useMemo(() => extensionsOnCall(calls.values()), [calls]);
  return { registrations, onCall, known: sequence >= 0 };
}

/** Now by the server's clock, once a second while the component stands. */
export function useServerNow(): number {
  useSyncExternalStore(everySecond, () => Math.floor(Date.now() / 1000));
  return Date.now() + connection.view().clockOffset;
}

const ticking = new Set<() => void>();
let ticker: ReturnType<typeof setInterval> | undefined;

function everySecond(listener: () => void): () => void {
  ticking.add(listener);
  ticker ??= setInterval(() => {
    for (const tick of ticking) tick();
  }, 1000);
  return () => {
    ticking.delete(listener);
    if (ticking.size > 0) return;
    clearInterval(ticker);
    ticker = undefined;
  };
}

/** Whose lists of records will be asked for in a moment. */
const recordsAwaited = new WeakSet<QueryClient>();

function refreshLists(queries: QueryClient, events: readonly LiveEvent[]): void {
  const ended = events.some(({ kind }) => kind === 'call_ended' || kind === 'snapshot');
  if (ended && !recordsAwaited.has(queries)) {
    // The record of a call is written off its path, a moment after its end. However many calls end until then, one question will do.
    recordsAwaited.add(queries);
    setTimeout(() => {
      recordsAwaited.delete(queries);
      void queries.invalidateQueries({ queryKey: ['call_records'] });
    }, 700);
  }
  const extensions = queries.getQueryData<{ number: string }[]>(['extensions']);
  const strangers = events.some(
    (event) =>
      event.kind === 'registration' && !extensions?.some(({ number }) => number === event.registration.extension),
  );
  if (strangers || events.some(({ kind }) => kind === 'snapshot'))
    void queries.invalidateQueries({ queryKey: ['extensions'] });
}
