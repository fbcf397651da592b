import { Alert } from '@mantine/core';
import { IconWarning } from '../shell/icons';
import { useWords } from '../shell/words';
import { useLiveConnectionState, useServerNow } from './live';
import styles from './live.module.css';

/** Says that what is shown is no longer true, and how old it is. The telephones do not depend on this page. */
export function ConnectionBanner() {
  const { connection } = useLiveConnectionState();
  return (
    <div role="status" aria-live="polite" className={styles.banner}>
      {connection === 'lost' && <Lost />}
    </div>
  );
}

function Lost() {
  const { t } = useWords();
  return (
    <Alert color="yellow" icon={<IconWarning />} title={t('live.lost_title')} data-testid="connection-lost">
      {t('live.lost_effect')} <Silence />
    </Alert>
  );
}

/** Counts by itself, and is not read out each second. */
function Silence() {
  const { t } = useWords();
  const { heardAt } = useLiveConnectionState();
  useServerNow();
  return (
    <span aria-live="off" className="numeric">
      {t('live.silence', { count: Math.max(0, Math.round((Date.now() - heardAt) / 1000)) })}
    </span>
  );
}
