import { usePresence } from '../live/live';
import { useWords } from '../shell/words';
import styles from './extension_state.module.css';

export type State = 'unknown' | 'disabled' | 'on_call' | 'registered' | 'away';

/** Dot and word: the shape says it without the colour, the word without the shape. */
export function ExtensionState({ number, enabled }: { number: string; enabled: boolean }) {
  const { t } = useWords();
  const presence = usePresence();
  const registered = presence.registrations.has(number);
  const state = stateOf();
  return (
    <span
      className={styles.state}
      data-state={state}
      data-testid={`extension-state-${number}`}
      data-registered={registered}
    >
      <span className={styles.dot} aria-hidden="true" />
      {t(`extension.state_${state}`)}
    </span>
  );

  function stateOf(): State {
    if (!enabled) return 'disabled';
    if (!presence.known) return 'unknown';
    if (presence.onCall.has(number)) return 'on_call';
    return registered ? 'registered' : 'away';
  }
}
