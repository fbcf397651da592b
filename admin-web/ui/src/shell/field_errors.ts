import type { Problem } from '../api/problem';
import type { Words } from './words';

/** What the server says of single fields, in the catalogue's words, as a form wants it. */
export function fieldErrors({ coded }: Words, problem: Problem): Record<string, string> {
  return Object.fromEntries(problem.fields.map(({ field, code }) => [field, coded('problem', code)]));
}
