import { Alert } from '@mantine/core';
import { Copy } from '../shell/copy';
import { useWords } from '../shell/words';
import type { ExtensionWithSecret } from './extensions';
import styles from './phone_settings.module.css';
import { serverForPhones } from './server_for_phones';

/** What is typed into a telephone. The secret is never shown again. */
export function PhoneSettings({ created }: { created: ExtensionWithSecret }) {
  const { t } = useWords();
  const server = serverForPhones(created.server, window.location.hostname);
  return (
    <div>
      <Alert color="yellow" mb="md">
        {t('extension.secret_once')}
      </Alert>
      <dl className={styles.settings}>
        <dt>{t('extension.user')}</dt>
        <dd>
          <span className={styles.value}>{created.number}</span>
          <Copy text={created.number} label={t('extension.copy_user')} />
        </dd>
        <dt>{t('extension.secret')}</dt>
        <dd>
          <output className={styles.value} data-testid="extension-secret">
            {created.secret}
          </output>
          <Copy text={created.secret} label={t('extension.copy_secret')} />
        </dd>
        <dt>{t(created.domain === '' ? 'extension.server_or_domain' : 'extension.server')}</dt>
        <dd>
          <span className={styles.value}>{server}</span>
          <Copy text={server} label={t('extension.copy_server')} />
        </dd>
        {created.domain !== '' && created.domain !== server && (
          <>
            <dt>{t('extension.domain')}</dt>
            <dd>
              <span className={styles.value}>{created.domain}</span>
              <Copy text={created.domain} label={t('extension.copy_domain')} />
            </dd>
          </>
        )}
        <dt>{t('extension.transport')}</dt>
        <dd>UDP {t('extension.or')} TCP</dd>
      </dl>
    </div>
  );
}
