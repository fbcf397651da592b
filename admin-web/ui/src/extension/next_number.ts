/** A free number after the highest one in use, to suggest; 201 in a new house, away from every short number of the plan. */
export function nextNumber(taken: readonly string[]): string {
  const used = new Set(taken);
  const like = [...used].filter((number) => /^[24-7]\d\d$/.test(number)).map(Number);
  let next = like.length === 0 ? 201 : Math.max(...like) + 1;
  while (used.has(String(next))) next += 1;
  return next > 799 || (next >= 300 && next < 400) ? '401' : String(next);
}
