import { expect, test } from 'vitest';
import { formatNumber } from './number';
import { formatDate, formatDuration, formatFullMoment, formatMoment, secondsBetween } from './time';

const plain = (text: string) => text.replaceAll('\u00a0', ' ');

test('numbers are read in pairs, the French way', () => {
  const shown: Record<string, string> = {
    '0639981234': '06 39 98 12 34',
    '+33639981234': '06 39 98 12 34',
    '+262692123456': '06 92 12 34 56',
    '+590690123456': '06 90 12 34 56',
    '+376312345': '+376312345',
    '118218': '118 218',
    '201': '201',
    '007': '007',
    '3114': '3114',
    '15': '15',
    '*21*0639981234#': '*21*0639981234#',
    '': '',
  };
  for (const [number, pairs] of Object.entries(shown)) expect(plain(formatNumber(number))).toBe(pairs);
});

test('moments leave out what goes without saying', () => {
  const at = '2026-11-26T20:30:07';
  expect(plain(formatMoment(at, 'fr', new Date('2026-11-26T23:00:00')))).toBe('20 h 30');
  expect(plain(formatMoment(at, 'fr', new Date('2026-11-28T08:00:00')))).toBe('jeu. 26 nov. 20 h 30');
  expect(plain(formatMoment(at, 'fr', new Date('2027-01-02T08:00:00')))).toBe('jeu. 26 nov. 2026 20 h 30');
  expect(plain(formatMoment(at, 'en', new Date('2026-11-28T08:00:00')))).toBe('Thu 26 Nov, 20:30');
  expect(plain(formatFullMoment(at, 'fr'))).toBe('jeu. 26 nov. 2026 20 h 30 min 07 s');
  expect(plain(formatFullMoment(at, 'en'))).toBe('Thu 26 Nov 2026, 20:30:07');
  expect(plain(formatDate('2026-12-24', 'fr'))).toBe('jeu. 24 déc. 2026');
  expect(formatMoment('not a moment', 'fr')).toBe('not a moment');
});

test('durations tick like a clock and never run backwards', () => {
  expect([0, 7, 754, 3723].map(formatDuration)).toEqual(['0:00', '0:07', '12:34', '1:02:03']);
  expect(secondsBetween('2026-11-26T20:30:00Z', '2026-11-26T20:29:00Z')).toBe(0);
});
