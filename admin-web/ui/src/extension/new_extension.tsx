import { Button, Group, Modal, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useNavigate } from 'react-router';
import { Problem } from '../api/problem';
import { fieldErrors, notOfFields } from '../shell/field_errors';
import { ProblemAlert } from '../shell/problem_alert';
import { useReturnFocus } from '../shell/return_focus';
import { useWords } from '../shell/words';
import { useCreateExtension, useExtensions } from './extensions';
import { nextNumber } from './next_number';
import { PhoneSettings } from './phone_settings';

export function Component() {
  const words = useWords();
  const { t } = words;
  const navigate = useNavigate();
  useReturnFocus();
  const create = useCreateExtension();
  const { data: extensions } = useExtensions();
  const form = useForm({ initialValues: { number: '', name: '', email: '' } });
  const created = create.data;
  const close = () => navigate('/extensions');
  if (created) {
    return (
      <Modal
        opened
        onClose={close}
        title={t('extension.created', { number: created.number, name: created.name })}
        closeOnClickOutside={false}
        closeOnEscape={false}
        withCloseButton={false}
        size="lg"
      >
        <PhoneSettings created={created} />
        <Group justify="flex-end" mt="lg">
          <Button onClick={close} data-testid="extension-secret-close">
            {t('extension.secret_noted')}
          </Button>
        </Group>
      </Modal>
    );
  }
  return (
    <Modal opened onClose={close} title={t('extension.new')} closeButtonProps={{ 'aria-label': t('shell.close') }}>
      <form
        onSubmit={form.onSubmit(({ number, name, email }) =>
          create.mutate(
            { number: number.trim(), name: name.trim(), ...(email.trim() === '' ? {} : { email: email.trim() }) },
            { onError: (reason) => reason instanceof Problem && form.setErrors(fieldErrors(words, reason)) },
          ),
        )}
      >
        <Stack gap="sm">
          <TextInput
            label={t('extension.number')}
            description={t('extension.number_hint', {
              example: nextNumber(extensions?.map(({ number }) => number) ?? []),
            })}
            inputMode="numeric"
            autoComplete="off"
            required
            withAsterisk={false}
            data-autofocus
            data-testid="extension-number"
            {...form.getInputProps('number')}
          />
          <TextInput
            label={t('extension.name')}
            description={t('extension.name_hint')}
            autoComplete="off"
            required
            maxLength={80}
            withAsterisk={false}
            data-testid="extension-name"
            {...form.getInputProps('name')}
          />
          <TextInput
            label={t('extension.email_optional')}
            type="email"
            autoComplete="off"
            data-testid="extension-email"
            {...form.getInputProps('email')}
          />
          <ProblemAlert reason={notOfFields(create.error, Object.keys(form.values))} />
          <Group justify="flex-end" gap="xs" mt="xs">
            <Button variant="default" onClick={close}>
              {t('shell.cancel')}
            </Button>
            <Button type="submit" loading={create.isPending} data-testid="extension-create">
              {t('extension.create')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
