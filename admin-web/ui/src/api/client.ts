/** The only thing in the front end that fetches: typed by the server's own description (`npm run generate`). */
import createClient from 'openapi-fetch';
import { Problem } from './problem';
import type { components, paths } from './schema';

export type Schemas = components['schemas'];

/** What the server says of whoever is signed in carries the value that unsafe requests must repeat. */
let csrfToken = '';

export function keepCsrfToken(token: string): void {
  csrfToken = token;
}

export const client = createClient<paths>({
  baseUrl: globalThis.location?.origin ?? 'http://localhost',
  credentials: 'same-origin',
  fetch: (request) => globalThis.fetch(request),
});

client.use({
  onRequest({ request }) {
    // The language chosen here, which need not be the browser's: some sentences come from the server.
    request.headers.set('accept-language', globalThis.document?.documentElement.lang || 'fr');
    if (request.method !== 'GET' && request.method !== 'HEAD') request.headers.set('x-csrf-token', csrfToken);
    return request;
  },
});

type Answer<T> = { data?: T; error?: unknown; response: Response };

/** Waits for an answer and gives its content, or throws the server's problem. No answer at all is a problem too. */
export async function ask<T>(answer: Promise<Answer<T>>): Promise<T> {
  let got: Answer<T>;
  try {
    got = await answer;
  } catch (reason) {
    if (reason instanceof DOMException && reason.name === 'AbortError') throw reason;
    throw Problem.unanswered();
  }
  if (!got.response.ok) throw Problem.of(got.response.status, got.error);
  return got.data as T;
}
