/** A test call: whether the carrier lets another number pass is seen on the telephone that is called. */
import { Button, Group, Stack, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { ask, client, type Schemas } from '../api/client';
import { Problem } from '../api/problem';
import { formatNumber } from '../format/number';
import { useLines } from '../live/live';
import { fieldErrors, notOfFields } from '../shell/field_errors';
import { ProblemAlert } from '../shell/problem_alert';
import { useWords, type Words } from '../shell/words';
import sheet from './trunk.module.css';
import type { Trunk } from './trunks';

const FIELDS = ['extension', 'number', 'shown'] as const;

export function TestCall({ trunk }: { trunk: Trunk }) {
  const words = useWords();
  const { t } = words;
  const [asked, setAsked] = useState({ extension: '', number: '', shown: '' });
  const test = useLines().get(trunk.id)?.test ?? null;
  const prepare = useMutation({
    mutationFn: () => ask(client.POST('/api/v1/trunks/{id}/test', { params: { path: { id: trunk.id } }, body: asked })),
  });
  const errors = prepare.error instanceof Problem ? fieldErrors(words, prepare.error) : {};
  return (
    <Stack gap="xs" role="group" aria-label={t('trunk.test_title')}>
      <strong>{t('trunk.test_title')}</strong>
      <p className={sheet.sentence}>{t('trunk.test_intro')}</p>
      <Group grow align="flex-start">
        {FIELDS.map((field) => (
          <TextInput
            key={field}
            label={label(words, field)}
            inputMode="tel"
            autoComplete="off"
            value={asked[field]}
            error={errors[field]}
            onChange={(event) => setAsked({ ...asked, [field]: event.currentTarget.value })}
          />
        ))}
      </Group>
      <ProblemAlert reason={notOfFields(prepare.error, [...FIELDS])} />
      <Group>
        <Button variant="default" loading={prepare.isPending} onClick={() => prepare.mutate()} data-testid="test-call">
          {t('trunk.test_prepare')}
        </Button>
      </Group>
      {test && (
        <p className={sheet.sentence} role="status" data-testid={`test-${test.state}`}>
          {told(words, test)}
        </p>
      )}
    </Stack>
  );
}

function label({ t }: Words, field: (typeof FIELDS)[number]): string {
  if (field === 'extension') return t('trunk.test_extension');
  return field === 'number' ? t('trunk.test_number') : t('trunk.test_shown');
}

function told({ t }: Words, test: Schemas['LineTest']): string {
  const numbers = {
    extension: test.extension,
    number: formatNumber(test.number),
    shown: formatNumber(test.shown),
  };
  if (test.state === 'waiting') return t('trunk.test_waiting', numbers);
  if (test.state === 'calling') return t('trunk.test_calling', numbers);
  return test.state === 'answered' ? t('trunk.test_answered', numbers) : t('trunk.test_failed', numbers);
}
