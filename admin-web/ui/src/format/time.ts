/** Moments and spans in the reader's language. French: `jeu. 26 nov. 20 h 30`. */

export type Language = 'fr' | 'en';

/** A space that does not break. */
const SPACE = '\u00a0';

/** `20 h 30`, `20:30`. */
export function formatHour(moment: Date, language: Language): string {
  const hours = moment.getHours();
  const minutes = String(moment.getMinutes()).padStart(2, '0');
  return language === 'fr' ? `${hours}${SPACE}h${SPACE}${minutes}` : `${String(hours).padStart(2, '0')}:${minutes}`;
}

/** Day and hour; the day is left out if it is today's, the year if it is this year's. */
export function formatMoment(iso: string, language: Language, now: Date = new Date()): string {
  const moment = new Date(iso);
  if (Number.isNaN(moment.getTime())) return iso;
  const hour = formatHour(moment, language);
  if (moment.toDateString() === now.toDateString()) return hour;
  const day = formatDay(moment, language, moment.getFullYear() !== now.getFullYear());
  return language === 'fr' ? `${day} ${hour}` : `${day}, ${hour}`;
}

/** Everything, seconds included, for a detail. */
export function formatFullMoment(iso: string, language: Language): string {
  const moment = new Date(iso);
  if (Number.isNaN(moment.getTime())) return iso;
  const seconds = String(moment.getSeconds()).padStart(2, '0');
  const hour = formatHour(moment, language);
  const withSeconds = language === 'fr' ? `${hour} min ${seconds} s`.replaceAll(' ', SPACE) : `${hour}:${seconds}`;
  return language === 'fr'
    ? `${formatDay(moment, language, true)} ${withSeconds}`
    : `${formatDay(moment, language, true)}, ${withSeconds}`;
}

function formatDay(moment: Date, language: Language, withYear: boolean): string {
  const locale = language === 'fr' ? 'fr-FR' : 'en-GB';
  const weekday = moment.toLocaleDateString(locale, { weekday: 'short' });
  const rest = moment.toLocaleDateString(locale, {
    day: 'numeric',
    month: 'short',
    ...(withYear ? { year: 'numeric' } : {}),
  });
  return `${weekday} ${rest}`.replaceAll(' ', SPACE);
}

/** `0:07`, `12:34`, `1:02:03`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const s = String(whole % 60).padStart(2, '0');
  const m = Math.floor(whole / 60) % 60;
  const h = Math.floor(whole / 3600);
  return h > 0 ? `${h}:${String(m).padStart(2, '0')}:${s}` : `${m}:${s}`;
}

/** Seconds from one RFC 3339 moment to another, or to a number of milliseconds since 1970. */
export function secondsBetween(from: string, to: string | number): number {
  const end = typeof to === 'number' ? to : Date.parse(to);
  return Math.max(0, (end - Date.parse(from)) / 1000);
}

/** A calendar day, `2026-12-24`, whatever the reader's time zone. */
export function formatDate(date: string, language: Language): string {
  const [year = 0, month = 1, day = 1] = date.split('-').map(Number);
  return formatDay(new Date(year, month - 1, day), language, true);
}
