import { Button, Paper, Skeleton, Table, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { Party } from '../call/party';
import { formatDuration, secondsBetween } from '../format/time';
import { IconSearch } from '../shell/icons';
import { Page } from '../shell/page';
import { ProblemAlert } from '../shell/problem_alert';
import { useWords } from '../shell/words';
import styles from './call_record.module.css';
import { useCallRecords } from './call_records';
import { Outcome } from './outcome';

export function Component() {
  const { t, moment } = useWords();
  const navigate = useNavigate();
  const [wanted, setWanted] = useState('');
  const [sought] = useDebouncedValue(wanted.replace(/[\s.]/g, ''), 250);
  const pages = useCallRecords(sought);
  const records = pages.data?.pages.flatMap(({ items }) => items) ?? [];
  return (
    <Page title={t('nav.call_records')}>
      <TextInput
        className={styles.search ?? ''}
        type="search"
        leftSection={<IconSearch size={18} />}
        placeholder={t('call_record.search')}
        aria-label={t('call_record.search')}
        value={wanted}
        onChange={(event) => setWanted(event.currentTarget.value)}
      />
      <ProblemAlert reason={pages.error} />
      {pages.isPending && <Skeleton height={180} radius="md" />}
      {pages.data && records.length === 0 && (
        <Paper withBorder p="xl" className={styles.none} role="status">
          {sought === '' ? t('call_record.none') : t('call_record.none_found')}
        </Paper>
      )}
      {records.length > 0 && (
        <Paper withBorder className={styles.frame}>
          <Table highlightOnHover verticalSpacing={7} horizontalSpacing="md" className={styles.table}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('call_record.when')}</Table.Th>
                <Table.Th>{t('call.caller')}</Table.Th>
                <Table.Th>{t('call.callee')}</Table.Th>
                <Table.Th>{t('call_record.outcome')}</Table.Th>
                <Table.Th className={styles.duration}>{t('call.duration')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {records.map((record) => (
                <Table.Tr key={record.id} className={styles.row} onClick={() => navigate(`/call-records/${record.id}`)}>
                  <Table.Td>
                    <Link
                      to={`/call-records/${record.id}`}
                      className={styles.when}
                      onClick={(event) => event.stopPropagation()}
                    >
                      {moment(record.started_at)}
                    </Link>
                  </Table.Td>
                  <Table.Td>
                    <Party number={record.caller} name={record.caller_name} />
                  </Table.Td>
                  <Table.Td>
                    <Party number={record.dialled} />
                  </Table.Td>
                  <Table.Td>
                    <Outcome code={record.outcome} />
                  </Table.Td>
                  <Table.Td className={styles.duration}>
                    {record.answered_at && (
                      <span className="numeric">
                        {formatDuration(secondsBetween(record.answered_at, record.ended_at))}
                      </span>
                    )}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Paper>
      )}
      {pages.hasNextPage && (
        <Button variant="default" mt="sm" loading={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
          {t('call_record.older')}
        </Button>
      )}
    </Page>
  );
}
