/** The numbers of the house, each with whom it reaches. */
import { Button, Group, Modal, Paper, Stack, Table, TextInput, Title } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { useSession } from '../administrator/session';
import { Problem } from '../api/problem';
import styles from '../call/call.module.css';
import { formatNumber } from '../format/number';
import { fieldErrors, notOfFields } from '../shell/field_errors';
import { notice } from '../shell/notice';
import { ProblemAlert } from '../shell/problem_alert';
import { useWords } from '../shell/words';
import sheet from '../trunk/trunk.module.css';
import { type HouseNumber, useDeleteNumber, useNumbers, useSaveNumber } from './numbers';

export function NumberSection() {
  const { t } = useWords();
  const numbers = useNumbers();
  const admin = useSession()?.role === 'admin';
  const [editing, setEditing] = useState<HouseNumber | 'new' | null>(null);
  return (
    <section aria-labelledby="numbers" className={sheet.section}>
      <Group justify="space-between" mb="xs">
        <Title order={2} id="numbers">
          {t('number.title')}
        </Title>
        {admin && (
          <Button variant="default" onClick={() => setEditing('new')} data-testid="number-new">
            {t('number.new')}
          </Button>
        )}
      </Group>
      <ProblemAlert reason={numbers.error} />
      <Paper withBorder className={styles.frame}>
        {numbers.data?.length === 0 && <p className={styles.none}>{t('number.none')}</p>}
        {numbers.data && numbers.data.length > 0 && (
          <Table verticalSpacing={8} horizontalSpacing="md" className={styles.table}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t('number.number')}</Table.Th>
                <Table.Th>{t('number.label')}</Table.Th>
                <Table.Th>{t('number.to')}</Table.Th>
                {admin && (
                  <Table.Th>
                    <span className={styles.spoken}>{t('trunk.edit')}</span>
                  </Table.Th>
                )}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {numbers.data.map((number) => (
                <Table.Tr key={number.number} data-testid={`number-${number.number}`}>
                  <Table.Td className="numeric">{formatNumber(number.number)}</Table.Td>
                  <Table.Td>{number.label}</Table.Td>
                  <Table.Td>
                    <span className="numeric">{number.to}</span> {number.name}
                  </Table.Td>
                  {admin && (
                    <Table.Td className={styles.action}>
                      <Button
                        variant="default"
                        size="xs"
                        aria-label={t('trunk.edit_named', { name: number.number })}
                        onClick={() => setEditing(number)}
                      >
                        {t('trunk.edit')}
                      </Button>
                    </Table.Td>
                  )}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
      </Paper>
      {editing !== null && <NumberForm number={editing === 'new' ? null : editing} onClose={() => setEditing(null)} />}
    </section>
  );
}

function NumberForm({ number, onClose }: { number: HouseNumber | null; onClose: () => void }) {
  const words = useWords();
  const { t } = words;
  const save = useSaveNumber(number?.number ?? null);
  const remove = useDeleteNumber(number?.number ?? '');
  const form = useForm({
    initialValues: { number: number?.number ?? '', label: number?.label ?? '', to: number?.to ?? '' },
  });
  return (
    <Modal
      opened
      onClose={onClose}
      title={number ? formatNumber(number.number) : t('number.new')}
      closeButtonProps={{ 'aria-label': t('shell.close') }}
    >
      <form
        onSubmit={form.onSubmit((values) =>
          save.mutate(values, {
            onSuccess: () => {
              notice(t('shell.saved'));
              onClose();
            },
            onError: (reason) => reason instanceof Problem && form.setErrors(fieldErrors(words, reason)),
          }),
        )}
      >
        <Stack gap="sm">
          {!number && (
            <TextInput
              label={t('number.number')}
              required
              withAsterisk={false}
              inputMode="tel"
              autoComplete="off"
              data-autofocus
              {...form.getInputProps('number')}
            />
          )}
          <TextInput label={t('number.label')} autoComplete="off" maxLength={80} {...form.getInputProps('label')} />
          <TextInput
            label={t('number.to')}
            description={t('number.to_hint')}
            required
            withAsterisk={false}
            inputMode="numeric"
            autoComplete="off"
            {...form.getInputProps('to')}
          />
          <ProblemAlert reason={notOfFields(save.error, Object.keys(form.values))} />
          <ProblemAlert reason={remove.error} />
          <Group justify="space-between" gap="xs" mt="xs">
            {number ? (
              <Button
                variant="subtle"
                color="red"
                loading={remove.isPending}
                onClick={() => remove.mutate(undefined, { onSuccess: onClose })}
              >
                {t('number.delete')}
              </Button>
            ) : (
              <span />
            )}
            <Group gap="xs">
              <Button variant="default" onClick={onClose}>
                {t('shell.cancel')}
              </Button>
              <Button type="submit" loading={save.isPending} data-testid="number-save">
                {t('shell.save')}
              </Button>
            </Group>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
