/** Telephone numbers as people in France read them. Never changes what is sent, only what is shown. */

/** A space that does not break; a narrow one could not be told from none between these digits. */
const SPACE = '\u00a0';

/** Overseas departments' and territories' country codes; their numbers are dialled like any other French one, with a 0. */
const OVERSEAS = ['262', '508', '590', '594', '596'];

/** `0639981234` and `+33639981234` become `06 39 98 12 34`; extensions, short and foreign numbers stay together. */
export function formatNumber(number: string): string {
  const national = toNational(number);
  if (/^0\d{9}$/.test(national)) return inPairs(national);
  if (/^118\d{3}$/.test(number) || /^116\d{3}$/.test(number)) return `${number.slice(0, 3)}${SPACE}${number.slice(3)}`;
  return number;
}

function toNational(number: string): string {
  if (/^\+33\d{9}$/.test(number)) return `0${number.slice(3)}`;
  for (const code of OVERSEAS) {
    if (number.startsWith(`+${code}`) && number.length === code.length + 10) return `0${number.slice(code.length + 1)}`;
  }
  return number;
}

function inPairs(digits: string): string {
  return digits.replace(/(\d\d)(?=\d)/g, `$1${SPACE}`);
}
