import { expect, test } from 'vitest';
import { nextNumber } from './next_number';
import { matching } from './search';
import { serverForPhones } from './server_for_phones';

test('search finds by number, name and e-mail, without accents', () => {
  const all = [
    { number: '201', name: 'Régie', email: null },
    { number: '202', name: 'Bar', email: 'regie@example.org' },
    { number: '310', name: 'Loges', email: null },
  ];
  const found = (wanted: string) => matching(all, wanted).map(({ number }) => number);
  expect(found('REGIE')).toEqual(['201', '202']);
  expect(found('bar 20')).toEqual(['202']);
  expect(found(' ')).toHaveLength(3);
  expect(found('nobody')).toEqual([]);
});

test('phones are given an address they can reach', () => {
  expect(serverForPhones('0.0.0.0:5060', 'pbx.example.org')).toBe('pbx.example.org');
  expect(serverForPhones('[::]:5070', '192.0.2.9')).toBe('192.0.2.9:5070');
  expect(serverForPhones('192.0.2.1:5060', 'localhost')).toBe('192.0.2.1');
  expect(serverForPhones('', 'localhost')).toBe('localhost');
});

test('the suggested number is free and hides no short number', () => {
  expect(nextNumber([])).toBe('201');
  expect(nextNumber(['201', '204', '15000', '007'])).toBe('205');
  expect(nextNumber(['299'])).toBe('400');
  expect(nextNumber(['299', '401'])).toBe('402');
  expect(nextNumber(['799', '201'])).toBe('202');
});
