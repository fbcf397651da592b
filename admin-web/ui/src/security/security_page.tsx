/** Who is turned away at the door, and letting them in again. */
import { Button, Paper, Table } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { useSession } from '../administrator/session';
import { ask, client } from '../api/client';
import styles from '../call/call.module.css';
import { CertificateSection } from '../certificate/certificate_section';
import { useBans, useLiveConnectionState, useLiveKnown } from '../live/live';
import type { Ban } from '../live/state';
import { Confirm } from '../shell/confirm';
import { notice } from '../shell/notice';
import { Page } from '../shell/page';
import { useWords } from '../shell/words';
import { SpendingSection } from '../toll/spending_section';

export function Component() {
  const { t, moment, coded } = useWords();
  const bans = useBans();
  const known = useLiveKnown();
  const [lifting, setLifting] = useState<Ban | null>(null);
  const admin = useSession()?.role === 'admin';
  const lost = useLiveConnectionState().connection !== 'open';
  return (
    <Page title={t('nav.security')} intro={t('security.intro')}>
      <Paper withBorder className={styles.frame}>
        {bans.length === 0 ? (
          <p className={styles.none}>{known ? t('security.none') : t('live.connecting')}</p>
        ) : (
          <Table verticalSpacing={8} horizontalSpacing="md" className={styles.table}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('security.source')}</Table.Th>
                <Table.Th>{t('security.why')}</Table.Th>
                <Table.Th>{t('security.times')}</Table.Th>
                <Table.Th>{t('security.until')}</Table.Th>
                {admin && (
                  <Table.Th>
                    <span className={styles.spoken}>{t('security.lift')}</span>
                  </Table.Th>
                )}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {bans.map((ban) => (
                <Table.Tr key={ban.id} data-testid="ban">
                  <Table.Td className="numeric">{ban.id}</Table.Td>
                  <Table.Td>{coded('offence', ban.why)}</Table.Td>
                  <Table.Td className="numeric">{ban.times}</Table.Td>
                  <Table.Td>{moment(ban.until)}</Table.Td>
                  {admin && (
                    <Table.Td className={styles.action}>
                      <Button
                        variant="default"
                        size="xs"
                        disabled={lost}
                        aria-label={t('security.lift_source', { source: ban.id })}
                        onClick={() => setLifting(ban)}
                        data-testid="ban-lift"
                      >
                        {t('security.lift')}
                      </Button>
                    </Table.Td>
                  )}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
      </Paper>
      <SpendingSection />
      <CertificateSection />
      {lifting && (
        <Lift ban={lifting} over={!bans.some(({ id }) => id === lifting.id)} onClose={() => setLifting(null)} />
      )}
    </Page>
  );
}

function Lift({ ban, over, onClose }: { ban: Ban; over: boolean; onClose: () => void }) {
  const { t } = useWords();
  const lift = useMutation({
    mutationFn: () => ask(client.DELETE('/api/v1/bans/{id}', { params: { path: { id: ban.id } } })),
    onSuccess: () => {
      notice(t('security.lifted', { source: ban.id }));
      onClose();
    },
  });
  return (
    <Confirm
      opened={!over}
      title={t('security.lift_source', { source: ban.id })}
      action={t('security.lift')}
      pending={lift.isPending}
      reason={lift.error}
      onConfirm={() => lift.mutate()}
      onClose={onClose}
      testid="ban-lift-confirm"
    >
      {t('security.lift_effect')}
    </Confirm>
  );
}
