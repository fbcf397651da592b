import { Problem } from '../api/problem';
import type { Words } from './words';

/** What the server says of single fields, in the catalogue's words, as a form wants it. */
export function fieldErrors(words: Words, problem: Problem): Record<string, string> {
  const field = problem.code === 'extension_taken' ? 'number' : problem.field;
  return field === undefined ? {} : { [field]: words.problem(problem) };
}

/** What belongs to no field of the form, and is shown above its buttons. */
export function notOfFields(reason: unknown, fields: readonly string[]): unknown {
  const ofOne = reason instanceof Problem && (reason.code === 'extension_taken' || fields.includes(reason.field ?? ''));
  return ofOne ? null : reason;
}
