import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addressOf, exportAddress, OUTCOMES, queryOf, type Sought, seeksAll, soughtIn } from './sought';

const nothing: Sought = { q: '', from: '', until: '', outcome: '', party: '', answered: '' };

test('what is looked for comes back from the address as it went', () => {
  const sought: Sought = {
    q: 'Zoé d’Arc & fils',
    from: '2026-11-01',
    until: '2026-11-30',
    outcome: 'busy',
    party: '201',
    answered: 'false',
  };
  expect(soughtIn(new URLSearchParams(addressOf(sought).toString()))).toEqual(sought);
  expect(addressOf(nothing).toString()).toBe('');
  expect(seeksAll(soughtIn(new URLSearchParams('from=2026-02-31&until=x&answered=maybe')))).toBe(true);
});

test('a day lasts from its midnight here to the next', () => {
  const { from = '', until = '' } = queryOf({ ...nothing, from: '2026-03-29', until: '2026-03-29' });
  expect(new Date(from ?? '').getHours() + new Date(until ?? '').getHours()).toBe(0);
  expect(new Date(until ?? '').getDate()).toBe(30);
});

test('a number is found however it is written, a name as it is', () => {
  expect(queryOf({ ...nothing, q: '06 39 98 12 34' })).toEqual({ q: '639981234' });
  expect(queryOf({ ...nothing, q: '+33 6.39' })).toEqual({ q: '+33639' });
  expect(queryOf({ ...nothing, q: ' Camille Rivière ' })).toEqual({ q: 'Camille Rivière' });
});

test('the table is that of the same calls', () => {
  expect(exportAddress({ ...nothing, q: '+33', answered: 'true' }, 'fr')).toBe(
    '/api/v1/call_records.csv?q=%2B33&answered=true&lang=fr',
  );
});

test('every outcome to choose from has its words, and every one that has words can be chosen', () => {
  const catalogue = JSON.parse(
    readFileSync(join(import.meta.dirname, '../../../../pbx-core/catalogue/fr.json'), 'utf8'),
  );
  const spoken = Object.keys(catalogue).flatMap((key) => (key.startsWith('outcome.') ? [key.slice(8)] : []));
  // How a leg ends, and no call.
  expect([...OUTCOMES, 'elsewhere', 'transferred'].sort()).toEqual(spoken.sort());
});
