/** A hint, no judge: the server asks for a length alone, and a long phrase is the best advice. */

export const SHORTEST_PASSWORD = 12;

export type Strength = 'too_short' | 'fair' | 'good';

/** Counts what an attacker would have to try: repeated and neighbouring characters add little. */
export function passwordStrength(password: string): Strength {
  const characters = [...password];
  if (characters.length < SHORTEST_PASSWORD) return 'too_short';
  let telling = 0;
  characters.forEach((character, at) => {
    const step = at === 0 ? Number.NaN : (character.codePointAt(0) ?? 0) - (characters[at - 1]?.codePointAt(0) ?? 0);
    if (!(Math.abs(step) <= 1)) telling += 1;
  });
  return telling >= 16 && new Set(characters).size >= 8 ? 'good' : 'fair';
}
