/** A problem as RFC 9457 describes it, with the code under which the catalogue has its sentence. */
import type { components } from './schema';

type Told = components['schemas']['Problem'];

/** A mistake in one line of a list or plan, already a sentence in the reader's language. */
export type LineProblem = components['schemas']['Detail'];

export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  /** The field that is at fault, if one is. */
  readonly field: string | undefined;
  /** When to try again, after too many attempts. */
  readonly seconds: number | undefined;
  readonly lines: readonly LineProblem[];

  private constructor(status: number, told: Partial<Told>) {
    super(told.title ?? `HTTP ${status}`);
    this.name = 'Problem';
    this.status = status;
    this.code = told.code ?? `http_${status}`;
    this.field = told.field ?? undefined;
    this.seconds = told.seconds ?? undefined;
    this.lines = told.errors ?? [];
  }

  /** Nothing came back: the server is away, or the way to it. */
  static unanswered(): Problem {
    return new Problem(0, { code: 'unanswered' });
  }

  /** From an answer's body, whatever it is: a proxy in between may have written it. */
  static of(status: number, body: unknown): Problem {
    const said = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
    const told: Partial<Told> = {};
    for (const name of ['title', 'code', 'field'] as const) {
      const value = said[name];
      if (typeof value === 'string') told[name] = value;
    }
    if (typeof said.seconds === 'number') told.seconds = said.seconds;
    if (Array.isArray(said.errors)) told.errors = said.errors.filter(isLineProblem);
    return new Problem(status, told);
  }
}

function isLineProblem(value: unknown): value is LineProblem {
  const said = value as Partial<LineProblem> | null;
  return typeof said === 'object' && said !== null && typeof said.line === 'number' && typeof said.message === 'string';
}
