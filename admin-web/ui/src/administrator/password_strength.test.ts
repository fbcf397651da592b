import { expect, test } from 'vitest';
import { passwordStrength } from './password_strength';

test('length comes first, repetition adds little', () => {
  expect(passwordStrength('Tr0ub4dor&3')).toBe('too_short');
  expect(passwordStrength('aaaaaaaaaaaaaaaaaaaaaaaa')).toBe('fair');
  expect(passwordStrength('abcdefghijklmnopqrstuvwxyz')).toBe('fair');
  expect(passwordStrength('quatre mots au hasard')).toBe('good');
});
