import { Alert, Button, Code, FileButton, Group, Modal, Stack, Textarea } from '@mantine/core';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { Problem } from '../api/problem';
import { Copy } from '../shell/copy';
import { IconUpload } from '../shell/icons';
import { notice } from '../shell/notice';
import { ProblemAlert } from '../shell/problem_alert';
import { useReturnFocus } from '../shell/return_focus';
import { useWords } from '../shell/words';
import { useImportExtensions } from './extensions';
import styles from './import_extensions.module.css';

const COLUMNS = 'number,name,secret,email';

/** A list, from a file or pasted: all of it or nothing. */
export function Component() {
  const { t } = useWords();
  const navigate = useNavigate();
  useReturnFocus();
  const [csv, setCsv] = useState('');
  const upload = useImportExtensions();
  const close = () => navigate('/extensions');
  const done = upload.data;
  if (done && done.generated.length > 0) {
    const list = done.generated.map((pair) => pair.join(',')).join('\n');
    return (
      <Modal
        opened
        onClose={close}
        title={t('extension.imported', { count: done.count })}
        closeOnClickOutside={false}
        closeOnEscape={false}
        withCloseButton={false}
        size="lg"
      >
        <Alert color="yellow" mb="md">
          {t('extension.secrets_once')}
        </Alert>
        <Code block className={styles.secrets ?? ''} tabIndex={0} aria-label={t('extension.secrets')}>
          {list}
        </Code>
        <Group justify="flex-end" mt="lg" gap="xs">
          <Copy text={list} label={t('extension.copy_secrets')} />
          <Button onClick={close} data-testid="extension-secret-close">
            {t('extension.secret_noted')}
          </Button>
        </Group>
      </Modal>
    );
  }
  const rows = upload.error instanceof Problem ? upload.error.lines : [];
  return (
    <Modal
      opened
      onClose={close}
      title={t('extension.import_title')}
      size="lg"
      closeButtonProps={{ 'aria-label': t('shell.close') }}
    >
      <Stack gap="sm">
        <p className={styles.intro}>
          {t('extension.import_hint')} <Code>{COLUMNS}</Code>
        </p>
        <Textarea
          label={t('extension.import_list')}
          placeholder={`${COLUMNS}\n201,Billetterie,,`}
          classNames={{ input: styles.csv ?? '' }}
          rows={9}
          spellCheck={false}
          value={csv}
          onChange={(event) => setCsv(event.currentTarget.value)}
          data-autofocus
        />
        <ProblemAlert reason={upload.error} />
        {rows.length > 0 && (
          <ul className={styles.rows}>
            {rows.slice(0, MOST_ROWS).map((row) => (
              <li key={row.line}>
                {t('extension.import_line', { line: row.line })} {row.message}
              </li>
            ))}
            {rows.length > MOST_ROWS && <li>{t('home.more', { count: rows.length - MOST_ROWS })}</li>}
          </ul>
        )}
        <Group justify="space-between" mt="xs">
          <FileButton accept=".csv,text/csv" onChange={async (file) => setCsv((await file?.text()) ?? '')}>
            {(props) => (
              <Button {...props} variant="default" leftSection={<IconUpload size={18} />}>
                {t('extension.import_file')}
              </Button>
            )}
          </FileButton>
          <Group gap="xs">
            <Button variant="default" onClick={close}>
              {t('shell.cancel')}
            </Button>
            <Button
              disabled={csv.trim() === ''}
              loading={upload.isPending}
              onClick={() =>
                upload.mutate(csv, {
                  onSuccess: ({ count, generated }) => {
                    notice(t('extension.imported', { count }));
                    if (generated.length === 0) close();
                  },
                })
              }
            >
              {t('extension.import')}
            </Button>
          </Group>
        </Group>
      </Stack>
    </Modal>
  );
}

const MOST_ROWS = 50;
