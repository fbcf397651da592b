import { Button, Paper, Skeleton, Table, TextInput } from '@mantine/core';
import { useDeferredValue, useMemo, useState } from 'react';
import { Link, Outlet, useNavigate } from 'react-router';
import { usePresence } from '../live/live';
import { IconPlus, IconSearch, IconUpload } from '../shell/icons';
import { Page } from '../shell/page';
import { ProblemAlert } from '../shell/problem_alert';
import { useWords } from '../shell/words';
import styles from './extension_list.module.css';
import { ExtensionState } from './extension_state';
import { type Extension, useExtensions } from './extensions';
import { matching } from './search';

/** Rows drawn at first; a house of thousands shows more on demand. */
const FIRST_ROWS = 300;

export function Component() {
  const { t } = useWords();
  const extensions = useExtensions();
  const [wanted, setWanted] = useState('');
  const [all, setAll] = useState(false);
  const sought = useDeferredValue(wanted);
  const found = useMemo(() => matching(extensions.data ?? [], sought), [extensions.data, sought]);
  const shown = all ? found : found.slice(0, FIRST_ROWS);
  const total = extensions.data?.length ?? 0;
  return (
    <Page
      title={t('nav.extensions')}
      actions={
        <>
          <Button component={Link} to="/extensions/import" variant="default" leftSection={<IconUpload size={18} />}>
            {t('extension.import')}
          </Button>
          <Button
            component={Link}
            to="/extensions/new"
            leftSection={<IconPlus size={18} />}
            data-testid="extension-new"
          >
            {t('extension.new')}
          </Button>
        </>
      }
    >
      <div className={styles.bar}>
        <TextInput
          className={styles.search ?? ''}
          type="search"
          leftSection={<IconSearch size={18} />}
          placeholder={t('extension.search')}
          aria-label={t('extension.search')}
          value={wanted}
          onChange={(event) => setWanted(event.currentTarget.value)}
        />
        <span className={styles.count} role="status">
          {extensions.data &&
            (sought === '' ? t('extension.count', { count: total }) : t('extension.found', { count: found.length }))}
        </span>
      </div>
      <ProblemAlert reason={extensions.error} />
      {extensions.isPending && <Skeleton height={180} radius="md" />}
      {extensions.data && total === 0 && (
        <Paper withBorder p="xl" className={styles.empty}>
          <p>{t('extension.none')}</p>
        </Paper>
      )}
      {shown.length > 0 && <List extensions={shown} />}
      {shown.length < found.length && (
        <Button variant="default" mt="sm" onClick={() => setAll(true)}>
          {t('extension.show_all', { count: found.length })}
        </Button>
      )}
      <Outlet />
    </Page>
  );
}

function List({ extensions }: { extensions: Extension[] }) {
  const { t } = useWords();
  const navigate = useNavigate();
  return (
    <Paper withBorder className={styles.frame}>
      <Table highlightOnHover verticalSpacing={6} horizontalSpacing="md" className={styles.table}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th className={styles.number}>{t('extension.number')}</Table.Th>
            <Table.Th>{t('extension.name')}</Table.Th>
            <Table.Th>{t('extension.state')}</Table.Th>
            <Table.Th className={styles.wide}>{t('extension.phones')}</Table.Th>
            <Table.Th className={styles.wide}>{t('extension.email')}</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {extensions.map(({ number, name, email, enabled }) => (
            // The link in the row is what keyboards and screen readers use; the row is a larger target for the mouse.
            <Table.Tr key={number} className={styles.row} onClick={() => navigate(`/extensions/${number}`)}>
              <Table.Td className="numeric">
                <b>{number}</b>
              </Table.Td>
              <Table.Td>
                <Link to={`/extensions/${number}`} className={styles.name} onClick={(event) => event.stopPropagation()}>
                  {name}
                </Link>
              </Table.Td>
              <Table.Td>
                <ExtensionState number={number} enabled={enabled} />
              </Table.Td>
              <Table.Td className={styles.wide}>
                <Phones number={number} />
              </Table.Td>
              <Table.Td className={styles.wide}>{email}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </Paper>
  );
}

function Phones({ number }: { number: string }) {
  const { t } = useWords();
  const devices = usePresence().registrations.get(number) ?? [];
  if (devices.length === 0) return null;
  const first = devices[0]?.user_agent ?? t('extension.unnamed_phone');
  return (
    <span className={styles.quiet}>
      {devices.length === 1 ? first : t('extension.first_and_more', { first, count: devices.length - 1 })}
    </span>
  );
}
