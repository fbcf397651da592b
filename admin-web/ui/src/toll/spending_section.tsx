/** Calls to the outside: what they cost at the moment, whom a ceiling stops, and what may be spent. */
import { Button, Group, Paper, Table, Title } from '@mantine/core';
import { useState } from 'react';
import { useSession } from '../administrator/session';
import styles from '../call/call.module.css';
import { useLiveConnectionState, useLiveKnown, useSpendings } from '../live/live';
import { Confirm } from '../shell/confirm';
import { notice } from '../shell/notice';
import { ProblemAlert } from '../shell/problem_alert';
import { useWords, type Words } from '../shell/words';
import sheet from '../trunk/trunk.module.css';
import { TollForm } from './toll_form';
import { countryName, euros, type Spending, useAllow, useToll } from './tolls';

export function SpendingSection() {
  const words = useWords();
  const { t, language } = words;
  const spendings = useSpendings();
  const known = useLiveKnown();
  const toll = useToll();
  const admin = useSession()?.role === 'admin';
  const lost = useLiveConnectionState().connection !== 'open';
  const [editing, setEditing] = useState(false);
  const [allowing, setAllowing] = useState<Spending | null>(null);
  const countries = toll.data?.countries.map((code) => countryName(code, language)).join(', ');
  return (
    <section aria-labelledby="spending" className={sheet.section}>
      <Group justify="space-between" mb="xs">
        <Title order={2} id="spending">
          {t('toll.title')}
        </Title>
        {admin && (
          <Button variant="default" disabled={!toll.data} onClick={() => setEditing(true)} data-testid="toll-edit">
            {t('toll.edit')}
          </Button>
        )}
      </Group>
      <ProblemAlert reason={toll.error} />
      {toll.data && (
        <p className={`${sheet.sentence} ${sheet.above}`} data-testid="toll-rules">
          {countries ? t('toll.countries_open', { countries }) : t('toll.countries_closed')}{' '}
          {toll.data.alerted.length > 0
            ? t('toll.alerted', { numbers: toll.data.alerted.join(', ') })
            : t('toll.nobody_alerted')}
        </p>
      )}
      <Paper withBorder className={styles.frame}>
        {spendings.length === 0 ? (
          <p className={styles.none}>{known ? t('toll.none') : t('live.connecting')}</p>
        ) : (
          <Table verticalSpacing={8} horizontalSpacing="md" className={styles.table}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('toll.who')}</Table.Th>
                <Table.Th>{t('toll.hour')}</Table.Th>
                <Table.Th>{t('toll.day')}</Table.Th>
                <Table.Th>{t('toll.state')}</Table.Th>
                {admin && (
                  <Table.Th>
                    <span className={styles.spoken}>{t('toll.allow')}</span>
                  </Table.Th>
                )}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {spendings.map((spending) => (
                <Table.Tr key={spending.id} data-testid={`spending-${spending.id}`}>
                  <Table.Td className="numeric">{who(words, spending)}</Table.Td>
                  <Table.Td className="numeric">
                    {t('toll.amount', {
                      minutes: spending.minutes_of_hour,
                      cost: euros(spending.cost_of_hour, language),
                    })}
                  </Table.Td>
                  <Table.Td className="numeric">
                    {t('toll.amount', {
                      minutes: spending.minutes_of_day,
                      cost: euros(spending.cost_of_day, language),
                    })}
                  </Table.Td>
                  <Table.Td>{state(words, spending)}</Table.Td>
                  {admin && (
                    <Table.Td className={styles.action}>
                      <Button
                        variant="default"
                        size="xs"
                        disabled={lost}
                        aria-label={t('toll.allow_named', { who: who(words, spending) })}
                        onClick={() => setAllowing(spending)}
                        data-testid={`allow-${spending.id}`}
                      >
                        {t('toll.allow')}
                      </Button>
                    </Table.Td>
                  )}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
      </Paper>
      {editing && toll.data && <TollForm toll={toll.data} onClose={() => setEditing(false)} />}
      {allowing && <Allow spending={allowing} onClose={() => setAllowing(null)} />}
    </section>
  );
}

function who({ t }: Words, { id }: Spending): string {
  return id === 'house' ? t('toll.house') : id;
}

function state({ t, coded, moment }: Words, { reached, allowed_until }: Spending): string {
  if (allowed_until) return t('toll.allowed_until', { until: moment(allowed_until) });
  return reached ? t('toll.reached', { bound: coded('ceiling', reached) }) : t('toll.fine');
}

function Allow({ spending, onClose }: { spending: Spending; onClose: () => void }) {
  const words = useWords();
  const { t } = words;
  const allow = useAllow();
  return (
    <Confirm
      opened
      title={t('toll.allow_named', { who: who(words, spending) })}
      action={t('toll.allow')}
      pending={allow.isPending}
      reason={allow.error}
      onConfirm={() =>
        allow.mutate(spending.id, {
          onSuccess: () => {
            notice(t('toll.allowed', { who: who(words, spending) }));
            onClose();
          },
        })
      }
      onClose={onClose}
      testid="allow-confirm"
    >
      {t('toll.allow_effect')}
    </Confirm>
  );
}
