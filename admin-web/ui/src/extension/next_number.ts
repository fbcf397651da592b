/**
 * A free number after the highest one in use, to suggest. Three digits beginning with 2 or 4 to 7 collide with no short, service or
 * emergency number of the French plan; a new house begins at 201.
 */
export function nextNumber(taken: readonly string[]): string {
  const used = new Set(taken);
  const safe = Array.from({ length: 599 }, (_, at) => String(201 + at)).filter((number) => !number.startsWith('3'));
  const last = safe.findLastIndex((number) => used.has(number));
  return safe.slice(last + 1).find((number) => !used.has(number)) ?? safe.find((number) => !used.has(number)) ?? '';
}
