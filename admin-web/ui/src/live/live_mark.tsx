import { useWords } from '../shell/words';
import { useLiveConnectionState } from './live';
import styles from './live.module.css';

/** In the header: whether the page follows the switchboard. */
export function LiveMark() {
  const { t } = useWords();
  const { connection } = useLiveConnectionState();
  return (
    <span className={styles.mark} data-connection={connection} data-testid="live-mark">
      <span className={styles.light} aria-hidden="true" />
      <span className={styles.word}>{t(`live.${connection}`)}</span>
    </span>
  );
}
