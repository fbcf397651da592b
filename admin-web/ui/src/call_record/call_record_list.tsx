import { Button, Paper, Skeleton, Table } from '@mantine/core';
import { useCallback } from 'react';
import { Link, useNavigate, useSearchParams } from 'react-router';
import { Party } from '../call/party';
import { GradeWord } from '../call/quality';
import { formatDuration, secondsBetween } from '../format/time';
import { IconDownload } from '../shell/icons';
import { Page } from '../shell/page';
import { ProblemAlert } from '../shell/problem_alert';
import { useWords } from '../shell/words';
import styles from './call_record.module.css';
import { CallRecordFilter } from './call_record_filter';
import { useCallRecords } from './call_records';
import { Outcome } from './outcome';
import { addressOf, exportAddress, type Sought, seeksAll, soughtIn } from './sought';

export function Component() {
  const { t, moment, language } = useWords();
  const navigate = useNavigate();
  const [address, setAddress] = useSearchParams();
  const sought = soughtIn(address);
  // What is shown may be one change behind: a second one, made before the page is drawn anew, builds on the address as it stands.
  const seek = useCallback(
    (part: Partial<Sought>) => {
      const sought = soughtIn(new URLSearchParams(window.location.search));
      setAddress(addressOf({ ...sought, ...part }), { replace: true });
    },
    [setAddress],
  );
  const pages = useCallRecords(sought);
  const records = pages.data?.pages.flatMap(({ items }) => items) ?? [];
  return (
    <Page
      title={t('nav.call_records')}
      actions={
        <Button
          component="a"
          href={exportAddress(sought, language)}
          download
          variant="default"
          leftSection={<IconDownload size={18} />}
          data-testid="call-records-export"
        >
          {t('call_record.export')}
        </Button>
      }
    >
      <CallRecordFilter sought={sought} onChange={seek} />
      <ProblemAlert reason={pages.error} />
      {pages.isPending && <Skeleton height={180} radius="md" />}
      {pages.data && records.length === 0 && (
        <Paper withBorder p="xl" className={styles.none} role="status">
          {seeksAll(sought) ? t('call_record.none') : t('call_record.none_found')}
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
                <Table.Th>{t('call.quality')}</Table.Th>
                <Table.Th className={styles.duration}>{t('call.duration')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {records.map((record) => (
                <Table.Tr
                  key={record.id}
                  data-testid="call-record"
                  className={styles.row}
                  onClick={() => navigate(`/call-records/${record.id}`)}
                >
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
                    <Party number={record.callee || record.dialled} dialled={record.dialled} />
                  </Table.Td>
                  <Table.Td>
                    <Outcome code={record.outcome} />
                  </Table.Td>
                  <Table.Td>{record.grade && <GradeWord grade={record.grade} />}</Table.Td>
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
