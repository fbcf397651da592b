/** A problem as RFC 9457 describes it, with the code under which the catalogue has its sentence. */

/** What is wrong with one field, or with one row of a list. */
export type FieldProblem = { field: string; code: string; line?: number };

export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly detail: string | undefined;
  readonly fields: readonly FieldProblem[];
  /** What the sentence speaks of, `seconds` among it. */
  readonly params: Readonly<Record<string, string | number>>;

  private constructor(status: number, code: string, title: string, detail?: string, fields: FieldProblem[] = [], params = {}) {
    super(title);
    this.name = 'Problem';
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.fields = fields;
    this.params = params;
  }

  /** Nothing came back: the server is away, or the way to it. */
  static unanswered(): Problem {
    return new Problem(0, 'unanswered', 'No answer');
  }

  /** From an answer's body, whatever it is: a proxy in between may have written it. */
  static of(status: number, body: unknown): Problem {
    const said = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
    const text = (name: string) => (typeof said[name] === 'string' ? (said[name] as string) : undefined);
    const fields = Array.isArray(said.errors) ? said.errors.filter(isFieldProblem) : [];
    const params: Record<string, string | number> = {};
    for (const [name, value] of Object.entries(said)) {
      if (typeof value === 'string' || typeof value === 'number') params[name] = value;
    }
    return new Problem(status, text('code') ?? `http_${status}`, text('title') ?? `HTTP ${status}`, text('detail'), fields, params);
  }
}

function isFieldProblem(value: unknown): value is FieldProblem {
  const said = value as Partial<FieldProblem> | null;
  return typeof said === 'object' && said !== null && typeof said.field === 'string' && typeof said.code === 'string';
}
