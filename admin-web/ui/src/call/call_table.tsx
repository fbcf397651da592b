import { Button, Paper, Table, Tooltip } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { useSession } from '../administrator/session';
import { ask, client } from '../api/client';
import { formatNumber } from '../format/number';
import { formatDuration, secondsBetween } from '../format/time';
import { useLiveConnectionState, useLiveKnown, useServerNow } from '../live/live';
import type { Call } from '../live/state';
import { Confirm } from '../shell/confirm';
import { IconHangUp } from '../shell/icons';
import { notice } from '../shell/notice';
import { useWords, type Words } from '../shell/words';
import styles from './call.module.css';
import { CallSound } from './call_sound';
import { Party } from './party';

/** Calls in progress as the switchboard tells them; nothing here is guessed. */
export function CallTable({ calls, compact = false }: { calls: Call[]; compact?: boolean }) {
  const { t } = useWords();
  const known = useLiveKnown();
  const [ending, setEnding] = useState<Call | null>(null);
  const admin = useSession()?.role === 'admin';
  const lost = useLiveConnectionState().connection !== 'open';
  return (
    <>
      <Paper withBorder className={styles.frame}>
        {calls.length === 0 ? (
          <p className={styles.none}>{known ? t('call.none') : t('live.connecting')}</p>
        ) : (
          <Table verticalSpacing={8} horizontalSpacing="md" className={styles.table}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('call.caller')}</Table.Th>
                <Table.Th>{t('call.callee')}</Table.Th>
                <Table.Th>{t('call.state')}</Table.Th>
                {!compact && <Table.Th>{t('call.quality')}</Table.Th>}
                <Table.Th className={styles.duration}>{t('call.duration')}</Table.Th>
                {admin && (
                  <Table.Th>
                    <span className={styles.spoken}>{t('call.hang_up')}</span>
                  </Table.Th>
                )}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {calls.map((call) => (
                <Table.Tr key={call.id} data-testid="call">
                  <Table.Td>
                    <Party number={call.caller} name={call.caller_name} />
                  </Table.Td>
                  <Table.Td>
                    <Party number={call.callee || call.dialled} dialled={call.dialled} />
                  </Table.Td>
                  <Table.Td>
                    <span className={styles.state} data-state={call.state}>
                      {t(`call.state_${call.state}`)}
                    </span>
                  </Table.Td>
                  {!compact && (
                    <Table.Td>
                      <CallSound call={call} />
                    </Table.Td>
                  )}
                  <Table.Td className={styles.duration}>
                    <Ticking since={call.answered_at ?? call.started_at} />
                  </Table.Td>
                  {admin && (
                    <Table.Td className={styles.action}>
                      <Tooltip label={t('call.hang_up')} disabled={!compact}>
                        <Button
                          variant="default"
                          size={compact ? 'compact-sm' : 'xs'}
                          disabled={lost}
                          aria-label={hangUpLabel(t, call)}
                          onClick={() => setEnding(call)}
                        >
                          <IconHangUp size={18} />
                          {!compact && <span className={styles.verb}>{t('call.hang_up')}</span>}
                        </Button>
                      </Tooltip>
                    </Table.Td>
                  )}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
      </Paper>
      {ending && (
        <HangUp call={ending} over={!calls.some(({ id }) => id === ending.id)} onClose={() => setEnding(null)} />
      )}
    </>
  );
}

function HangUp({ call, over, onClose }: { call: Call; over: boolean; onClose: () => void }) {
  const { t } = useWords();
  const hangUp = useMutation({
    mutationFn: () => ask(client.DELETE('/api/v1/calls/{id}', { params: { path: { id: call.id } } })),
    onSuccess: () => {
      notice(t('call.hung_up'));
      onClose();
    },
  });
  return (
    <Confirm
      opened={!over}
      title={t('call.hang_up_title', partiesOf(t, call))}
      action={t('call.hang_up')}
      pending={hangUp.isPending}
      reason={hangUp.error}
      onConfirm={() => hangUp.mutate()}
      onClose={onClose}
      testid="call-hang-up-confirm"
    >
      {t('call.hang_up_effect')}
    </Confirm>
  );
}

/** Names the call, so that several such buttons can be told apart without seeing their rows. */
function hangUpLabel(t: Words['t'], call: Call): string {
  return t('call.hang_up_call', partiesOf(t, call));
}

function partiesOf(t: Words['t'], call: Call): { caller: string; callee: string } {
  return {
    caller: call.caller_name || formatNumber(call.caller) || t('call.hidden'),
    callee: formatNumber(call.callee || call.dialled),
  };
}

function Ticking({ since }: { since: string }) {
  const now = useServerNow();
  return (
    <span className="numeric" role="timer">
      {formatDuration(secondsBetween(since, now))}
    </span>
  );
}
