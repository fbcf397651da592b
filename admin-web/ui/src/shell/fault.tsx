import { Button } from '@mantine/core';
import { IconWarning } from './icons';
import styles from './page.module.css';
import { useWords } from './words';

/** Instead of a page that broke, or that a newer version of the program has replaced. */
export function Fault() {
  const { t } = useWords();
  return (
    <div className={styles.page} role="alert">
      <p>
        <IconWarning /> {t('shell.fault')}
      </p>
      <Button onClick={() => window.location.reload()}>{t('shell.reload')}</Button>
    </div>
  );
}
