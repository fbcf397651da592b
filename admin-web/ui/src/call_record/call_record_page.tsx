import { Paper, Skeleton, Table, Title } from '@mantine/core';
import { Link, useParams } from 'react-router';
import { Party } from '../call/party';
import { GradeWord, roundTripSentence, soundSentence } from '../call/quality';
import { formatDuration, secondsBetween } from '../format/time';
import { IconArrow, IconBack } from '../shell/icons';
import { Page } from '../shell/page';
import { ProblemAlert } from '../shell/problem_alert';
import { useWords } from '../shell/words';
import styles from './call_record.module.css';
import { type CallRecord, type Leg, useCallRecord } from './call_records';
import { Outcome } from './outcome';
import { saysOutcome, stepKind, stepSentence } from './step';

export function Component() {
  const { t, moment } = useWords();
  const { id = '' } = useParams();
  const record = useCallRecord(id);
  return (
    <Page
      title={record.data ? t('call_record.of', { moment: moment(record.data.started_at) }) : t('call_record.title')}
    >
      <Link to="/call-records" className={styles.back}>
        <IconBack size={18} /> {t('nav.call_records')}
      </Link>
      <ProblemAlert reason={record.error} />
      {record.isPending && <Skeleton height={320} radius="md" />}
      {record.data && <Detail record={record.data} />}
    </Page>
  );
}

function Detail({ record }: { record: CallRecord }) {
  const { t, fullMoment } = useWords();
  return (
    <div className={styles.detail}>
      <Paper withBorder p="md" className={styles.summary}>
        <div className={styles.parties}>
          <Party number={record.caller} name={record.caller_name} />
          <IconArrow />
          <Party number={record.callee || record.dialled} dialled={record.dialled} />
        </div>
        <dl className={styles.facts}>
          <Fact label={t('call_record.outcome')}>
            <Outcome code={record.outcome} />
          </Fact>
          <Fact label={t('call_record.started')}>{fullMoment(record.started_at)}</Fact>
          <Fact label={t('call_record.rang')}>
            <span className="numeric">
              {formatDuration(secondsBetween(record.started_at, record.answered_at ?? record.ended_at))}
            </span>
          </Fact>
          {record.answered_at && (
            <Fact label={t('call_record.talked')}>
              <span className="numeric">{formatDuration(secondsBetween(record.answered_at, record.ended_at))}</span>
            </Fact>
          )}
        </dl>
      </Paper>
      <section aria-labelledby="record-way">
        <Title order={2} id="record-way" mb="xs">
          {t('call_record.way')}
        </Title>
        <Way record={record} />
      </section>
      <section aria-labelledby="record-phones">
        <Title order={2} id="record-phones" mb="xs">
          {t('call_record.phones')}
        </Title>
        <Paper withBorder p="md">
          {record.legs.map((leg) => (
            <Phone key={`${leg.party}-${leg.invited_at}-${leg.user_agent}`} leg={leg} record={record} />
          ))}
        </Paper>
      </section>
      {record.legs.some(({ quality }) => quality) && (
        <section aria-labelledby="record-sound">
          <Title order={2} id="record-sound" mb="xs">
            {t('call_record.sound')}
          </Title>
          <Sounds record={record} />
        </section>
      )}
      <details className={styles.technical}>
        <summary>{t('call_record.technical')}</summary>
        <Figures record={record} />
      </details>
    </div>
  );
}

function Fact({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Why the call went where it went, in the order in which it was decided. */
function Way({ record }: { record: CallRecord }) {
  const words = useWords();
  return (
    <Paper withBorder p="md">
      <ol className={styles.way} data-testid="trace">
        {record.trace.map((step, at) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a record never changes, and its steps have no other name
          <li key={at} data-kind={stepKind(step.code)}>
            <span className={styles.mark} aria-hidden="true" />
            {stepSentence(words, step)}
          </li>
        ))}
        {!saysOutcome(record.trace.at(-1), record.outcome) && (
          <li data-kind="end">
            <span className={styles.mark} aria-hidden="true" />
            {words.t('call_record.ended', { outcome: words.coded('outcome', record.outcome) })}
          </li>
        )}
      </ol>
    </Paper>
  );
}

/** One phone's part of the call: when it rang, when it talked, drawn to the scale of the call. */
function Phone({ leg, record }: { leg: Leg; record: CallRecord }) {
  const { t, coded } = useWords();
  const whole = Math.max(secondsBetween(record.started_at, record.ended_at), 0.001);
  const at = (moment: string) => Math.min(100, (secondsBetween(record.started_at, moment) / whole) * 100);
  const from = at(leg.invited_at);
  const answered = leg.answered_at ? at(leg.answered_at) : at(leg.ended_at);
  const until = at(leg.ended_at);
  const talked = leg.answered_at ? formatDuration(secondsBetween(leg.answered_at, leg.ended_at)) : null;
  return (
    <div className={styles.phone}>
      <div>
        <Party number={leg.party} />
        <div className={styles.agent}>{leg.user_agent}</div>
      </div>
      <div className={styles.span} aria-hidden="true">
        <span className={styles.ringing} style={{ left: `${from}%`, width: `${Math.max(answered - from, 0.6)}%` }} />
        {leg.answered_at && (
          <span
            className={styles.talking}
            style={{ left: `${answered}%`, width: `${Math.max(until - answered, 0.6)}%` }}
          />
        )}
      </div>
      <div className={styles.end}>
        {coded('outcome', leg.end)}
        {talked && <span className="numeric"> · {talked}</span>}
        <span className={styles.spoken}>
          {' '}
          {t('call_record.rang_for', {
            duration: formatDuration(secondsBetween(leg.invited_at, leg.answered_at ?? leg.ended_at)),
          })}
        </span>
      </div>
    </div>
  );
}

/** How each phone heard and was heard. */
function Sounds({ record }: { record: CallRecord }) {
  const words = useWords();
  const { t } = words;
  return (
    <>
      <Paper withBorder className={styles.frame}>
        <Table verticalSpacing={6} horizontalSpacing="md" className={styles.table} data-testid="sound">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('call_record.phone')}</Table.Th>
              <Table.Th>{t('call.quality')}</Table.Th>
              <Table.Th>{t('call_record.sound_from')}</Table.Th>
              <Table.Th>{t('call_record.sound_to')}</Table.Th>
              <Table.Th>{t('call_record.codec')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {record.legs.flatMap((leg) =>
              leg.quality
                ? [
                    <Table.Tr key={`${leg.party}-${leg.invited_at}-${leg.user_agent}`}>
                      <Table.Td>
                        <Party number={leg.party} />
                      </Table.Td>
                      <Table.Td>
                        <GradeWord grade={leg.quality.grade} />
                      </Table.Td>
                      <Table.Td>{soundSentence(words, leg.quality.from)}</Table.Td>
                      <Table.Td>
                        {leg.quality.to
                          ? [soundSentence(words, leg.quality.to), roundTripSentence(words, leg.quality)]
                              .filter(Boolean)
                              .join(', ')
                          : t('call_record.not_reported')}
                      </Table.Td>
                      <Table.Td>
                        {leg.codec ?? '–'}
                        {leg.protected && ` (${t('call_record.protected')})`}
                      </Table.Td>
                    </Table.Tr>,
                  ]
                : [],
            )}
          </Table.Tbody>
        </Table>
      </Paper>
      <p className={styles.agent}>{t('call_record.quality_source')}</p>
    </>
  );
}

function Figures({ record }: { record: CallRecord }) {
  const { t, language } = useWords();
  const figure = new Intl.NumberFormat(language === 'fr' ? 'fr-FR' : 'en-GB');
  return (
    <>
      <div className={styles.frame}>
        <Table verticalSpacing={6} horizontalSpacing="md" className={styles.table}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('call_record.phone')}</Table.Th>
              <Table.Th className={styles.duration}>{t('call_record.received')}</Table.Th>
              <Table.Th className={styles.duration}>{t('call_record.sent')}</Table.Th>
              <Table.Th className={styles.duration}>{t('call_record.lost')}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {record.legs.map((leg) => (
              <Table.Tr key={`${leg.party}-${leg.invited_at}-${leg.user_agent}`}>
                <Table.Td>{leg.party}</Table.Td>
                <Table.Td className={styles.duration}>{figure.format(leg.packets_received)}</Table.Td>
                <Table.Td className={styles.duration}>{figure.format(leg.packets_sent)}</Table.Td>
                <Table.Td className={styles.duration}>{figure.format(leg.packets_lost)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
      <p className={styles.agent}>
        {t('call_record.plan', { revision: record.plan_revision })} · {t('call_record.id', { id: record.id })}
      </p>
    </>
  );
}
