/** Which calls are looked for. It stands in the page's address, so that it can be kept, sent on and gone back to. */
import type { Schemas } from '../api/client';
import type { operations } from '../api/schema';

export type Sought = {
  q: string;
  /** Calendar days, `2026-11-24`, both included; empty for any. */
  from: string;
  until: string;
  outcome: string;
  party: string;
  answered: '' | 'true' | 'false';
};

type Query = NonNullable<operations['get_call_records']['parameters']['query']>;

const NAMES = ['q', 'from', 'until', 'outcome', 'party', 'answered'] as const;

export function soughtIn(address: URLSearchParams): Sought {
  const [q = '', from = '', until = '', outcome = '', party = '', answered = ''] = NAMES.map(
    (name) => address.get(name) ?? '',
  );
  return {
    q,
    from: dayOf(from) ? from : '',
    until: dayOf(until) ? until : '',
    outcome,
    party,
    answered: answered === 'true' || answered === 'false' ? answered : '',
  };
}

/** What is not asked for is not written. */
export function addressOf(sought: Sought): URLSearchParams {
  return new URLSearchParams(NAMES.flatMap((name) => (sought[name] === '' ? [] : [[name, sought[name]]])));
}

export function seeksAll(sought: Sought): boolean {
  return NAMES.every((name) => sought[name] === '');
}

/** As the server is asked: days become the instants at which they begin and end here. */
export function queryOf({ q, from, until, outcome, party, answered }: Sought): Query {
  const begin = dayOf(from);
  const end = dayOf(until);
  end?.setDate(end.getDate() + 1);
  return {
    ...(q.trim() === '' ? {} : { q: numberPart(q) }),
    ...(begin ? { from: begin.toISOString() } : {}),
    ...(end ? { until: end.toISOString() } : {}),
    ...(outcome === '' ? {} : { outcome }),
    ...(party === '' ? {} : { party }),
    ...(answered === '' ? {} : { answered: answered === 'true' }),
  };
}

/** The address of the same calls as a table, in the reader's language. */
export function exportAddress(sought: Sought, language: string): string {
  const query = Object.entries(queryOf(sought)).map(([name, value]) => [name, String(value)]);
  return `/api/v1/call_records.csv?${new URLSearchParams([...query, ['lang', language]])}`;
}

/** A number is written in many ways: its spaces and dots do not count, and neither does 0 for +33. */
function numberPart(q: string): string {
  const digits = q.replace(/[\s.]/g, '');
  if (!/^\+?\d+$/.test(digits)) return q.trim();
  return /^0\d{9}$/.test(digits) ? digits.slice(1) : digits;
}

function dayOf(date: string): Date | null {
  const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(date);
  if (!parts) return null;
  const day = new Date(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]));
  return day.getMonth() === Number(parts[2]) - 1 ? day : null;
}

/** How a call can come out; the order of a list to choose from. */
export const OUTCOMES: readonly Schemas['CallRecord']['outcome'][] = [
  'answered',
  'abandoned',
  'no_answer',
  'busy',
  'declined',
  'unregistered',
  'unreachable',
  'unknown_number',
  'not_allowed',
  'premium',
  'abroad',
  'ceiling_reached',
  'closed',
  'disabled',
  'no_outside_line',
  'lines_busy',
  'line_refused',
  'no_common_codec',
  'too_many_calls',
  'hung_up',
  'lost',
  'stopping',
  'fault',
];
