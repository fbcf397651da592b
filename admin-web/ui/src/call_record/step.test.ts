import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import i18next from 'i18next';
import { beforeAll, expect, test } from 'vitest';
import type { Language } from '../format/time';
import { type Words, wordsOf } from '../shell/words';
import { saysOutcome, stepKind, stepSentence } from './step';

let words: (language: Language) => Words;

beforeAll(async () => {
  const read = (language: string) =>
    JSON.parse(readFileSync(join(import.meta.dirname, `../../../../pbx-core/catalogue/${language}.json`), 'utf8'));
  const resources = { fr: { translation: read('fr') }, en: { translation: read('en') } };
  await i18next.init({ resources, keySeparator: false, nsSeparator: false, interpolation: { escapeValue: false } });
  words = (language) => wordsOf(i18next.getFixedT(language), language);
});

test('steps are sentences: numbers in pairs, days, hours and dates in words, codes never', () => {
  const said = (language: Language, code: string, params: Record<string, string>) =>
    stepSentence(words(language), { code, params }).replaceAll('\u00a0', ' ').replaceAll('\u202f', ' ');
  expect(said('fr', 'to_outside', { number: '+33639981234', site: 'main' })).toContain('06 39 98 12 34');
  expect(said('fr', 'rule_day', { rule: 'nuit', day: 'tue', days: 'mon-wed,sun' })).toMatch(
    /mardi.*lundi – mercredi, dimanche/,
  );
  expect(said('fr', 'rule_hours', { rule: 'nuit', time: '19:45', hours: '22:00-08:00' })).toMatch(
    /19 h 45.*22 h 00 – 8 h 00/,
  );
  expect(said('en', 'rule_dates', { rule: 'x', date: '2026-12-24', dates: '2026-12-24/2027-01-03' })).toContain(
    'Thu 24 Dec 2026 – Sun 3 Jan 2027',
  );
  expect(said('en', 'turned', { why: 'no_outside_line' })).toContain('no outside line configured');
});

test('a step that this page does not know is shown all the same', () => {
  expect(stepSentence(words('fr'), { code: 'moved', params: { to: 'the moon' } })).toBe('moved the moon');
  expect(stepKind('moved')).toBe('settled');
});

test('the outcome is not said twice', () => {
  expect(saysOutcome({ code: 'turned', params: { why: 'busy' } }, 'busy')).toBe(true);
  expect(saysOutcome({ code: 'to_extension', params: { number: '201' } }, 'busy')).toBe(false);
  expect(saysOutcome(undefined, 'busy')).toBe(false);
});
