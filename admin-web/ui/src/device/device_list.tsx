/** Every phone that is registered: whose it is, where, how, and whether others on the way can read what it says. */
import { Badge, Paper, Table } from '@mantine/core';
import { Link } from 'react-router';
import styles from '../call/call.module.css';
import { useExtensions } from '../extension/extensions';
import { usePresence, useTurnedAway } from '../live/live';
import { Page } from '../shell/page';
import { useWords } from '../shell/words';
import { TurnedAwayNotice } from './turned_away';

const ENCRYPTED = ['TLS', 'WSS'];

export function Component() {
  const { t, moment } = useWords();
  const { registrations, known } = usePresence();
  const turnedAway = useTurnedAway();
  const names = new Map(useExtensions().data?.map(({ number, name }) => [number, name]));
  const devices = [...registrations]
    .sort(([a], [b]) => a.localeCompare(b))
    .flatMap(([number, phones]) => phones.map((device) => ({ number, device })));
  return (
    <Page title={t('nav.devices')} intro={t('device.intro')}>
      {[...turnedAway.values()].map((turned) => (
        <TurnedAwayNotice key={turned.extension} turned={turned} />
      ))}
      <Paper withBorder className={styles.frame}>
        {devices.length === 0 ? (
          <p className={styles.none}>{known ? t('device.none') : t('live.connecting')}</p>
        ) : (
          <Table verticalSpacing={8} horizontalSpacing="md" className={styles.table}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('device.extension')}</Table.Th>
                <Table.Th>{t('device.phone')}</Table.Th>
                <Table.Th>{t('device.address')}</Table.Th>
                <Table.Th>{t('device.transport')}</Table.Th>
                <Table.Th>{t('device.until')}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {devices.map(({ number, device }) => (
                <Table.Tr key={`${number} ${device.contact}`} data-testid="device">
                  <Table.Td>
                    <Link to={`/extensions/${number}`}>
                      <span className="numeric">{number}</span> {names.get(number)}
                    </Link>
                  </Table.Td>
                  <Table.Td>{device.user_agent ?? t('extension.unnamed_phone')}</Table.Td>
                  <Table.Td className="numeric">{device.address}</Table.Td>
                  <Table.Td>
                    <Badge variant="default">{device.transport}</Badge>{' '}
                    {ENCRYPTED.includes(device.transport) ? t('device.encrypted') : t('device.readable')}
                  </Table.Td>
                  <Table.Td>{moment(device.expires_at)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
      </Paper>
    </Page>
  );
}
