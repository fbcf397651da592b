import { useExtensions } from '../extension/extensions';
import { formatNumber } from '../format/number';
import { useWords } from '../shell/words';
import styles from './call.module.css';

/** A caller or callee: the name if there is one, the number always, and what was dialled if it was something else. */
export function Party({ number, name, dialled }: { number: string; name?: string; dialled?: string }) {
  const { t } = useWords();
  const extension = useExtensions().data?.find((one) => one.number === number);
  const shown = name || extension?.name || '';
  if (number === '' && shown === '') return <span className={styles.hidden}>{t('call.hidden')}</span>;
  return (
    <span className={styles.party}>
      {shown !== '' && <span className={styles.name}>{shown}</span>}
      <span className={shown === '' ? 'numeric' : `numeric ${styles.number}`}>{formatNumber(number)}</span>
      {dialled !== undefined && dialled !== number && (
        <span className={styles.number}>{t('call.dialled', { number: formatNumber(dialled) })}</span>
      )}
    </span>
  );
}
