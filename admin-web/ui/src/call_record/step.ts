/** The steps of a decision as sentences: `trace.<code>` of the catalogue, what it speaks of put into the reader's words. */
import { formatNumber } from '../format/number';
import { formatDate, formatHour } from '../format/time';
import type { Words } from '../shell/words';
import type { Step } from './call_records';

export function stepSentence(words: Words, { code, params }: Step): string {
  const told = Object.fromEntries(Object.entries(params).map(([name, value]) => [name, paramText(words, name, value)]));
  return words.t(`trace.${code}`, { defaultValue: [code, ...Object.values(params)].join(' '), ...told });
}

/** Whether the step settled something, was passed over, or came later. */
export function stepKind(code: string): 'passed' | 'settled' | 'later' {
  if (['turned', 'transferred', 'taken_over', 'made_way', 'ceiling_reached'].includes(code)) return 'later';
  const passed = [
    'no_extension',
    'extension_disabled',
    'rule_number',
    'rule_caller',
    'rule_day',
    'rule_hours',
    'rule_dates',
    'no_rule',
  ];
  return passed.includes(code) ? 'passed' : 'settled';
}

function paramText({ coded, language }: Words, name: string, value: string): string {
  switch (name) {
    case 'number':
    case 'caller':
      return formatNumber(value);
    case 'reason':
    case 'why':
      return coded('outcome', value);
    case 'day':
    case 'days':
      return value
        .replace(/\b(mon|tue|wed|thu|fri|sat|sun)\b/g, (day) => coded('day', day))
        .replaceAll(',', ', ')
        .replaceAll('-', ' – ');
    case 'time':
    case 'hours':
      return value
        .replace(/(\d\d):(\d\d)/g, (_, hours, minutes) =>
          formatHour(new Date(2000, 0, 1, Number(hours), Number(minutes)), language),
        )
        .replaceAll('-', ' – ');
    case 'date':
    case 'dates':
      return value.replace(/\d{4}-\d\d-\d\d/g, (date) => formatDate(date, language)).replaceAll('/', ' – ');
    default:
      return value;
  }
}

/** Whether the step already tells how the call came out. */
export function saysOutcome(step: Step | undefined, outcome: string): boolean {
  return step?.params.why === outcome || step?.params.reason === outcome;
}
