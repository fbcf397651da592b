/** Lines to the outside: how each is, and what to do about it; and the numbers of the house below them. */
import { Button, Paper, Skeleton, Table } from '@mantine/core';
import { useState } from 'react';
import { useSession } from '../administrator/session';
import styles from '../call/call.module.css';
import { useLines } from '../live/live';
import type { Line } from '../live/state';
import { NumberSection } from '../number/number_section';
import { Page } from '../shell/page';
import { ProblemAlert } from '../shell/problem_alert';
import { useWords } from '../shell/words';
import sheet from './trunk.module.css';
import { TrunkForm } from './trunk_form';
import { type Trunk, useTrunks } from './trunks';

export function Component() {
  const { t } = useWords();
  const trunks = useTrunks();
  const lines = useLines();
  const admin = useSession()?.role === 'admin';
  const [editing, setEditing] = useState<Trunk | 'new' | null>(null);
  return (
    <Page
      title={t('nav.trunks')}
      intro={t('trunk.intro')}
      actions={
        admin && (
          <Button onClick={() => setEditing('new')} data-testid="trunk-new">
            {t('trunk.new')}
          </Button>
        )
      }
    >
      <ProblemAlert reason={trunks.error} />
      {trunks.isPending && <Skeleton height={120} radius="md" />}
      {trunks.data?.length === 0 && (
        <Paper withBorder>
          <p className={styles.none}>{t('trunk.none')}</p>
        </Paper>
      )}
      {trunks.data && trunks.data.length > 0 && (
        <Paper withBorder className={styles.frame}>
          <Table verticalSpacing={8} horizontalSpacing="md" className={styles.table}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('trunk.name')}</Table.Th>
                <Table.Th>{t('trunk.state')}</Table.Th>
                <Table.Th>{t('trunk.number')}</Table.Th>
                <Table.Th>{t('trunk.calls')}</Table.Th>
                {admin && (
                  <Table.Th>
                    <span className={styles.spoken}>{t('trunk.edit')}</span>
                  </Table.Th>
                )}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {trunks.data.map((trunk) => (
                <Table.Tr key={trunk.id} data-testid={`trunk-${trunk.id}`}>
                  <Table.Td className={styles.name}>{trunk.settings.name}</Table.Td>
                  <Table.Td>
                    <LineState trunk={trunk} line={lines.get(trunk.id) ?? trunk.line ?? null} />
                  </Table.Td>
                  <Table.Td className="numeric">{trunk.settings.number}</Table.Td>
                  <Table.Td className="numeric">
                    {t('trunk.calls_of', { calls: lines.get(trunk.id)?.calls ?? 0, most: trunk.settings.channels })}
                  </Table.Td>
                  {admin && (
                    <Table.Td className={styles.action}>
                      <Button
                        variant="default"
                        size="xs"
                        aria-label={t('trunk.edit_named', { name: trunk.settings.name })}
                        onClick={() => setEditing(trunk)}
                      >
                        {t('trunk.edit')}
                      </Button>
                    </Table.Td>
                  )}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Paper>
      )}
      <NumberSection />
      {editing !== null && <TrunkForm trunk={editing === 'new' ? null : editing} onClose={() => setEditing(null)} />}
    </Page>
  );
}

/** Whether calls can go by it; if not, why and what to do. */
function LineState({ trunk, line }: { trunk: Trunk; line: Line | null }) {
  const { t, moment } = useWords();
  if (!trunk.settings.enabled) return <span>{t('trunk.state_off')}</span>;
  if (line === null || line.state === 'trying') return <span>{t('trunk.state_trying')}</span>;
  if (line.state === 'up')
    return (
      <span className={sheet.up} data-testid="line-up">
        {t('trunk.state_up', { moment: moment(line.since) })}
      </span>
    );
  const status = line.status ?? '';
  return (
    <div data-testid="line-down">
      <strong className={sheet.down}>{t('trunk.state_down', { moment: moment(line.since) })}</strong>
      {line.failure != null && (
        <>
          <p className={sheet.sentence}>{t(`trunk.trouble.${line.failure}`, { status })}</p>
          <p className={sheet.sentence}>{t(`trunk.remedy.${line.failure}`, { status })}</p>
        </>
      )}
    </div>
  );
}
