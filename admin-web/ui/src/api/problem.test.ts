import { expect, test } from 'vitest';
import { ask } from './client';
import { Problem } from './problem';

test('a problem is read from what the server says, and from what a proxy says', () => {
  const said = { type: 'about:blank', title: 'Trop', status: 429, code: 'too_many', seconds: 8 };
  expect(Problem.of(429, said)).toMatchObject({ code: 'too_many', seconds: 8, message: 'Trop', lines: [] });
  expect(Problem.of(502, '<html>Bad gateway</html>')).toMatchObject({
    status: 502,
    code: 'http_502',
    message: 'HTTP 502',
  });
  expect(Problem.of(422, { code: 'csv', errors: [{ line: 3, message: 'x' }, 7, null] }).lines).toEqual([
    { line: 3, message: 'x' },
  ]);
});

test('no answer is a problem too', async () => {
  await expect(ask(Promise.reject(new TypeError('Failed to fetch')))).rejects.toMatchObject({
    status: 0,
    code: 'unanswered',
  });
  await expect(ask(Promise.resolve({ data: 7, response: new Response() }))).resolves.toBe(7);
});
