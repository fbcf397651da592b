import { useWords } from '../shell/words';
import styles from './call_record.module.css';

/** How a call came out, in words; the mark beside them tells good, missed and faulty apart at a glance. */
export function Outcome({ code }: { code: string }) {
  const { coded } = useWords();
  return (
    <span className={styles.outcome} data-tone={toneOf(code)}>
      <span className={styles.tone} aria-hidden="true" />
      {coded('outcome', code)}
    </span>
  );
}

function toneOf(code: string): 'good' | 'missed' | 'faulty' {
  if (['answered', 'hung_up', 'elsewhere', 'transferred'].includes(code)) return 'good';
  return [
    'lost',
    'fault',
    'unreachable',
    'no_common_codec',
    'no_outside_line',
    'lines_busy',
    'line_refused',
    'too_many_calls',
  ].includes(code)
    ? 'faulty'
    : 'missed';
}
