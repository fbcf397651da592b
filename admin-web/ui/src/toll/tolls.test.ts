import { expect, test } from 'vitest';
import { readRates, writeRates } from './tolls';

test('rates are written as people read them and read as people write them', () => {
  const rates = [
    { prefix: '+', per_minute: 0.5 },
    { prefix: '+336', per_minute: 0.1 },
    { prefix: '118', per_minute: 3 },
  ];
  expect(writeRates(rates, 'fr')).toBe('+ 0,5\n+336 0,1\n118 3');
  for (const language of ['fr', 'en'] as const) expect(readRates(writeRates(rates, language))).toEqual(rates);
  expect(readRates('\n  +33 6   0,10 \n+41;0.15\n')).toEqual([
    { prefix: '+336', per_minute: 0.1 },
    { prefix: '+41', per_minute: 0.15 },
  ]);
});

test('the first line that is no rate is named', () => {
  for (const wrong of ['+336', 'mobile 0,10', '+336 dix', '+336 -1']) {
    expect(readRates(`+ 0,5\n${wrong}`)).toEqual({ wrong });
  }
});
