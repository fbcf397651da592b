/** One short sentence after something was done, seen at the foot of the page and read politely by screen readers. */
import { useSyncExternalStore } from 'react';
import styles from './notice.module.css';

const SHOWN_MS = 6_000;

let current = '';
let timer: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<() => void>();

export function notice(sentence: string): void {
  show(sentence);
  clearTimeout(timer);
  timer = setTimeout(() => show(''), SHOWN_MS);
}

function show(sentence: string): void {
  current = sentence;
  for (const listener of listeners) listener();
}

export function Notice() {
  const sentence = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => current,
  );
  return (
    <div className={styles.place} role="status" aria-live="polite">
      {sentence !== '' && <div className={styles.notice}>{sentence}</div>}
    </div>
  );
}
