import { Alert } from '@mantine/core';
import { Problem } from '../api/problem';
import { IconWarning } from './icons';
import { useWords } from './words';

/** What went wrong, in the catalogue's words; nothing if nothing did. */
export function ProblemAlert({ reason }: { reason: unknown }) {
  const words = useWords();
  if (reason === null || reason === undefined) return null;
  return (
    <Alert color="red" role="alert" icon={<IconWarning />} my="sm" data-testid="problem">
      {reason instanceof Problem ? words.problem(reason) : words.t('shell.fault')}
    </Alert>
  );
}
