import {
  Badge,
  Button,
  Drawer,
  Group,
  Modal,
  NativeSelect,
  Skeleton,
  Stack,
  Switch,
  TagsInput,
  TextInput,
  Title,
} from '@mantine/core';
import { useForm } from '@mantine/form';
import { useDisclosure } from '@mantine/hooks';
import { useEffect, useState } from 'react';
import { useNavigate, useParams } from 'react-router';
import { Problem } from '../api/problem';
import { TurnedAwayNotice } from '../device/turned_away';
import { usePresence, useTurnedAway } from '../live/live';
import { Confirm } from '../shell/confirm';
import { fieldErrors, notOfFields } from '../shell/field_errors';
import { IconDelete, IconKey } from '../shell/icons';
import { notice } from '../shell/notice';
import { ProblemAlert } from '../shell/problem_alert';
import { useReturnFocus } from '../shell/return_focus';
import { useWords } from '../shell/words';
import styles from './extension_sheet.module.css';
import { ExtensionState } from './extension_state';
import { type Extension, useChangeExtension, useDeleteExtension, useExtensions, useNewSecret } from './extensions';
import { PhoneSettings } from './phone_settings';

export function Component() {
  const { t } = useWords();
  const { number = '' } = useParams();
  const navigate = useNavigate();
  useReturnFocus();
  const extensions = useExtensions();
  const extension = extensions.data?.find((one) => one.number === number);
  const close = () => navigate('/extensions');
  // A question above the sheet has the Escape key to itself.
  const [asking, setAsking] = useState(false);
  return (
    <Drawer
      opened
      onClose={close}
      size="md"
      closeOnEscape={!asking}
      title={extension ? `${extension.number} · ${extension.name}` : number}
      closeButtonProps={{ 'aria-label': t('shell.close') }}
    >
      {extensions.isPending && <Skeleton height={240} />}
      {extensions.data && !extension && <p>{t('problem.not_found')}</p>}
      {extension && <Sheet key={number} extension={extension} onAsking={setAsking} onClose={close} />}
    </Drawer>
  );
}

type Opened = { extension: Extension; onAsking: (asking: boolean) => void; onClose: () => void };

function Sheet({ extension, onAsking, onClose }: Opened) {
  return (
    <Stack gap="xl">
      <ExtensionState number={extension.number} enabled={extension.enabled} />
      <Edit extension={extension} />
      <Phones number={extension.number} />
      <Dangerous extension={extension} onAsking={onAsking} onClose={onClose} />
    </Stack>
  );
}

function Edit({ extension }: { extension: Extension }) {
  const words = useWords();
  const { t } = words;
  const change = useChangeExtension(extension.number);
  const form = useForm({
    initialValues: {
      name: extension.name,
      email: extension.email ?? '',
      enabled: extension.enabled,
      networks: extension.networks,
      encryption: extension.encryption,
      protects_sound: extension.protects_sound,
    },
  });
  return (
    <form
      onSubmit={form.onSubmit((values) =>
        change.mutate(values, {
          onSuccess: () => {
            form.resetDirty();
            notice(t('shell.saved'));
          },
          onError: (reason) => reason instanceof Problem && form.setErrors(fieldErrors(words, reason)),
        }),
      )}
    >
      <Stack gap="sm">
        <TextInput
          label={t('extension.name')}
          required
          withAsterisk={false}
          maxLength={80}
          autoComplete="off"
          {...form.getInputProps('name')}
        />
        <TextInput
          label={t('extension.email_optional')}
          type="email"
          autoComplete="off"
          {...form.getInputProps('email')}
        />
        <Switch
          label={t('extension.enabled')}
          description={t('extension.enabled_hint')}
          withThumbIndicator={false}
          {...form.getInputProps('enabled', { type: 'checkbox' })}
        />
        <NativeSelect
          label={t('extension.encryption')}
          data={[
            { value: 'optional', label: t('extension.encryption_optional') },
            { value: 'beyond_own_networks', label: t('extension.encryption_beyond') },
            { value: 'always', label: t('extension.encryption_always') },
          ]}
          {...form.getInputProps('encryption')}
        />
        <Switch
          label={t('extension.protects_sound')}
          description={t('extension.protects_sound_hint')}
          disabled={form.values.encryption === 'optional'}
          withThumbIndicator={false}
          {...form.getInputProps('protects_sound', { type: 'checkbox' })}
        />
        <TagsInput
          label={t('extension.networks')}
          description={t('extension.networks_hint')}
          maxTags={20}
          clearable
          {...form.getInputProps('networks')}
        />
        <ProblemAlert reason={notOfFields(change.error, Object.keys(form.values))} />
        <Group justify="flex-end">
          <Button type="submit" disabled={!form.isDirty()} loading={change.isPending}>
            {t('shell.save')}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function Phones({ number }: { number: string }) {
  const { t, moment } = useWords();
  const devices = usePresence().registrations.get(number) ?? [];
  const turned = useTurnedAway().get(number);
  return (
    <section aria-labelledby="sheet-phones">
      <Title order={2} id="sheet-phones" mb="xs">
        {t('extension.phones')}
      </Title>
      {turned && <TurnedAwayNotice turned={turned} />}
      {devices.length === 0 ? (
        <p className={styles.quiet}>{t('extension.no_phone')}</p>
      ) : (
        <ul className={styles.phones}>
          {devices.map((device) => (
            <li key={device.contact}>
              <div className={styles.phone}>{device.user_agent ?? t('extension.unnamed_phone')}</div>
              <div className={styles.quiet}>
                <span className="numeric">{device.address}</span> <Badge variant="default">{device.transport}</Badge>{' '}
                {t('extension.until', { moment: moment(device.expires_at) })}
              </div>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

/** What disconnects phones. Each asks first. */
function Dangerous({ extension, onAsking, onClose }: Opened) {
  const { t } = useWords();
  const { number, name } = extension;
  const [asksSecret, secretQuestion] = useDisclosure(false);
  const [asksDelete, deleteQuestion] = useDisclosure(false);
  const newSecret = useNewSecret(number);
  const remove = useDeleteExtension(number);
  const asking = asksSecret || asksDelete || newSecret.data !== undefined;
  useEffect(() => onAsking(asking), [asking, onAsking]);
  return (
    <Group gap="xs" className={styles.dangerous}>
      <Button
        variant="default"
        leftSection={<IconKey size={18} />}
        onClick={secretQuestion.open}
        data-testid="extension-new-secret"
      >
        {t('extension.new_secret')}
      </Button>
      <Button
        variant="default"
        leftSection={<IconDelete size={18} />}
        className={styles.delete ?? ''}
        onClick={deleteQuestion.open}
        data-testid="extension-delete"
      >
        {t('extension.delete')}
      </Button>
      <Confirm
        opened={asksSecret}
        title={t('extension.new_secret_title', { number })}
        action={t('extension.new_secret')}
        pending={newSecret.isPending}
        reason={newSecret.error}
        onConfirm={() => newSecret.mutate(undefined, { onSuccess: secretQuestion.close })}
        onClose={secretQuestion.close}
        testid="extension-new-secret-confirm"
      >
        {t('extension.new_secret_effect')}
      </Confirm>
      <Confirm
        opened={asksDelete}
        title={t('extension.delete_title', { number, name })}
        action={t('extension.delete')}
        pending={remove.isPending}
        reason={remove.error}
        onConfirm={() =>
          remove.mutate(undefined, {
            onSuccess: () => {
              notice(t('extension.deleted', { number }));
              onClose();
            },
          })
        }
        onClose={deleteQuestion.close}
        testid="extension-delete-confirm"
      >
        {t('extension.delete_effect')}
      </Confirm>
      {newSecret.data && (
        <Modal
          opened
          onClose={newSecret.reset}
          title={t('extension.new_secret_done', { number })}
          closeOnClickOutside={false}
          closeOnEscape={false}
          withCloseButton={false}
          size="lg"
        >
          <PhoneSettings created={newSecret.data} />
          <Group justify="flex-end" mt="lg">
            <Button onClick={newSecret.reset} data-testid="extension-secret-close">
              {t('extension.secret_noted')}
            </Button>
          </Group>
        </Modal>
      )}
    </Group>
  );
}
