import { Button, Paper, Title } from '@mantine/core';
import { Link } from 'react-router';
import type { Schemas } from '../api/client';
import { CallTable } from '../call/call_table';
import { ExtensionState } from '../extension/extension_state';
import { useExtensions } from '../extension/extensions';
import { useCalls, useLiveConnectionState, usePresence } from '../live/live';
import { IconDone, IconPlus, IconWarning } from '../shell/icons';
import { Page } from '../shell/page';
import { ProblemAlert } from '../shell/problem_alert';
import { useStatus } from '../shell/store_banner';
import { useWords } from '../shell/words';
import styles from './home.module.css';

export function Component() {
  const { t } = useWords();
  const status = useStatus();
  const calls = useCalls();
  return (
    <Page title={t('nav.home')}>
      <ProblemAlert reason={status.error} />
      {status.data && <Health status={status.data} />}
      <div className={styles.columns}>
        <section aria-labelledby="home-calls">
          <Title order={2} id="home-calls" mb="xs">
            {t('call.in_progress', { count: calls.length })}
          </Title>
          <CallTable calls={calls} compact />
        </section>
        <Phones />
      </div>
    </Page>
  );
}

/** One sentence. If something is wrong: what, what it means for callers, and that calls go on. */
function Health({ status }: { status: Schemas['Status'] }) {
  const { t, coded } = useWords();
  const { connection } = useLiveConnectionState();
  const { length: calls } = useCalls();
  const good = status.store.good && connection !== 'lost';
  return (
    <Paper className={styles.health} data-good={good} withBorder p="md" mb="lg" role="status" data-testid="health">
      <span className={styles.sign}>{good ? <IconDone /> : <IconWarning />}</span>
      <div>
        <p className={styles.sentence}>{healthSentence()}</p>
        {!status.store.good && (
          <p className={styles.more}>
            {t('home.store_effect')}{' '}
            {status.store.waiting > 0 && t('home.store_waiting', { count: status.store.waiting })}
          </p>
        )}
        {status.store.lost > 0 && <p className={styles.more}>{t('home.store_lost', { count: status.store.lost })}</p>}
        {!status.store.good && status.store.error !== '' && <p className={styles.said}>{status.store.error}</p>}
      </div>
    </Paper>
  );

  function healthSentence(): string {
    if (!status.store.good) return coded('store', status.store.code);
    if (connection === 'lost') return t('home.unknown');
    return calls === 0 ? t('home.good_idle') : t('home.good', { count: calls });
  }
}

/** Who can be reached, and who cannot although somebody expects it. */
function Phones() {
  const { t } = useWords();
  const extensions = useExtensions();
  const { registrations } = usePresence();
  if (!extensions.data) return null;
  const wanted = extensions.data.filter(({ enabled }) => enabled);
  const away = wanted.filter(({ number }) => !registrations.has(number));
  return (
    <section aria-labelledby="home-phones">
      <Title order={2} id="home-phones" mb="xs">
        {t('home.phones')}
      </Title>
      {wanted.length === 0 ? (
        <Paper withBorder p="md">
          <p className={styles.more}>{t('extension.none')}</p>
          <Button component={Link} to="/extensions/new" leftSection={<IconPlus />} mt="sm">
            {t('extension.new')}
          </Button>
        </Paper>
      ) : (
        <Paper withBorder p="md">
          <div className={styles.figures}>
            <Figure
              value={wanted.length - away.length}
              label={t('home.registered', { count: wanted.length - away.length })}
            />
            <Figure value={away.length} label={t('home.away', { count: away.length })} />
          </div>
          {away.length > 0 && (
            <ul className={styles.away}>
              {away.slice(0, MOST_NAMED).map(({ number, name, enabled }) => (
                <li key={number}>
                  <Link to={`/extensions/${number}`}>
                    <b className="numeric">{number}</b> {name}
                  </Link>
                  <ExtensionState number={number} enabled={enabled} />
                </li>
              ))}
            </ul>
          )}
          {away.length > MOST_NAMED && (
            <Link to="/extensions">{t('home.more', { count: away.length - MOST_NAMED })}</Link>
          )}
        </Paper>
      )}
    </section>
  );
}

const MOST_NAMED = 6;

function Figure({ value, label }: { value: number; label: string }) {
  return (
    <div>
      <div className={styles.figure}>{value}</div>
      <div className={styles.more}>{label}</div>
    </div>
  );
}
