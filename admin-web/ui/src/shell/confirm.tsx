import { Button, Group, Modal, Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { ProblemAlert } from './problem_alert';
import { useWords } from './words';

type Asked = {
  opened: boolean;
  title: string;
  children: ReactNode;
  /** The verb of what will happen. */
  action: string;
  pending: boolean;
  reason: unknown;
  onConfirm: () => void;
  onClose: () => void;
  testid: string;
};

/** Asks before something that cannot be undone. The focus starts on the way back. */
export function Confirm({ opened, title, children, action, pending, reason, onConfirm, onClose, testid }: Asked) {
  const { t } = useWords();
  return (
    <Modal opened={opened} onClose={onClose} title={title} closeButtonProps={{ 'aria-label': t('shell.close') }}>
      <Text component="div">{children}</Text>
      <ProblemAlert reason={reason} />
      <Group justify="flex-end" mt="lg" gap="xs">
        <Button variant="default" onClick={onClose} data-autofocus>
          {t('shell.cancel')}
        </Button>
        <Button color="red" loading={pending} onClick={onConfirm} data-testid={testid}>
          {action}
        </Button>
      </Group>
    </Modal>
  );
}
