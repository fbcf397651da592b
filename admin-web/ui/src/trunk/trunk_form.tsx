/** A line is set up: from what is known of its carrier, the rest by hand. */
import { Button, Checkbox, Group, Modal, NativeSelect, NumberInput, Stack, Switch, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { Problem } from '../api/problem';
import { Confirm } from '../shell/confirm';
import { fieldErrors, notOfFields } from '../shell/field_errors';
import { notice } from '../shell/notice';
import { ProblemAlert } from '../shell/problem_alert';
import { useWords } from '../shell/words';
import { TestCall } from './test_call';
import sheet from './trunk.module.css';
import {
  type Trunk,
  type TrunkSettings,
  useDeleteTrunk,
  useNumberShapes,
  useSaveTrunk,
  useTrunkProfiles,
} from './trunks';

/** Of the numbers reserved for fiction. */
const EXAMPLE = '+33199001234';

const SHAPES = ['plus', 'double_zero', 'bare', 'national'] as const;

const EMPTY: TrunkSettings = {
  name: '',
  enabled: true,
  profile: 'generic',
  registers: true,
  server: '',
  more_servers: [],
  outbound_proxy: '',
  transport: null,
  user: '',
  auth_user: '',
  number: '',
  called: 'plus',
  caller: 'plus',
  arriving: 'plus',
  believes: ['p_asserted_identity', 'from'],
  says: 'p_asserted_identity',
  shows_caller: false,
  protects_sound: false,
  register_s: 0,
  channels: 2,
  calls_per_second: 1,
  priority: 10,
  probe_s: 60,
};

export function TrunkForm({ trunk, onClose }: { trunk: Trunk | null; onClose: () => void }) {
  const words = useWords();
  const { t } = words;
  const save = useSaveTrunk(trunk?.id ?? null);
  const profiles = useTrunkProfiles().data ?? [];
  const [removing, setRemoving] = useState(false);
  const form = useForm({ initialValues: { ...EMPTY, ...trunk?.settings, secret: '' } });
  const profile = profiles.find(({ id }) => id === form.values.profile);
  const choose = (id: string) => {
    const known = profiles.find((one) => one.id === id)?.settings ?? EMPTY;
    form.setValues({ ...known, name: form.values.name, profile: id, secret: form.values.secret });
  };
  return (
    <Modal
      opened
      onClose={onClose}
      size="lg"
      closeOnEscape={!removing}
      title={trunk ? trunk.settings.name : t('trunk.new')}
      closeButtonProps={{ 'aria-label': t('shell.close') }}
    >
      <form
        onSubmit={form.onSubmit(({ secret, ...values }) =>
          save.mutate(secret === '' ? values : { ...values, secret }, {
            onSuccess: () => {
              notice(t('shell.saved'));
              onClose();
            },
            onError: (reason) => reason instanceof Problem && form.setErrors(fieldErrors(words, reason)),
          }),
        )}
      >
        <Stack gap="sm">
          {!trunk && (
            <NativeSelect
              label={t('trunk.profile')}
              value={form.values.profile}
              onChange={(event) => choose(event.currentTarget.value)}
              data={profiles.map(({ id, name }) => ({ value: id, label: name }))}
            />
          )}
          {profile && (
            <p className={sheet.sentence}>
              {t('trunk.profile_verified', { day: profile.verified_on })}{' '}
              {!profile.tried_on_a_line && t('trunk.profile_untried')}
            </p>
          )}
          <TextInput
            label={t('trunk.name')}
            required
            withAsterisk={false}
            maxLength={80}
            autoComplete="off"
            data-autofocus
            {...form.getInputProps('name')}
          />
          <TextInput
            label={t('trunk.server')}
            description={t('trunk.server_hint', { example: profile?.example.server ?? 'sip.carrier.example' })}
            required
            withAsterisk={false}
            autoComplete="off"
            {...form.getInputProps('server')}
          />
          <Switch
            label={t('trunk.registers')}
            description={t('trunk.registers_hint')}
            withThumbIndicator={false}
            {...form.getInputProps('registers', { type: 'checkbox' })}
          />
          <Group grow align="flex-start">
            <TextInput label={t('trunk.user')} autoComplete="off" {...form.getInputProps('user')} />
            <TextInput
              label={t('trunk.secret')}
              description={trunk?.has_secret ? t('trunk.secret_kept') : undefined}
              type="password"
              autoComplete="new-password"
              {...form.getInputProps('secret')}
            />
          </Group>
          <TextInput
            label={t('trunk.number')}
            description={t('trunk.number_hint')}
            required
            withAsterisk={false}
            inputMode="tel"
            autoComplete="off"
            {...form.getInputProps('number')}
          />
          <Group grow align="flex-start">
            <NumberInput label={t('trunk.channels')} min={1} max={1000} {...form.getInputProps('channels')} />
            <NumberInput label={t('trunk.priority')} min={0} max={1000} {...form.getInputProps('priority')} />
          </Group>
          <Switch
            label={t('trunk.enabled')}
            withThumbIndicator={false}
            {...form.getInputProps('enabled', { type: 'checkbox' })}
          />
          <details>
            <summary>{t('trunk.more')}</summary>
            <Stack gap="sm" mt="sm">
              <TextInput label={t('trunk.auth_user')} autoComplete="off" {...form.getInputProps('auth_user')} />
              <TextInput
                label={t('trunk.outbound_proxy')}
                autoComplete="off"
                {...form.getInputProps('outbound_proxy')}
              />
              <NativeSelect
                label={t('trunk.transport')}
                value={form.values.transport ?? ''}
                onChange={(event) => form.setFieldValue('transport', event.currentTarget.value || null)}
                data={[
                  { value: '', label: t('trunk.transport_any') },
                  ...['udp', 'tcp', 'tls'].map((value) => ({ value, label: value.toUpperCase() })),
                ]}
              />
              <Checkbox
                label={t('trunk.protects_sound')}
                description={t('trunk.protects_sound_hint')}
                {...form.getInputProps('protects_sound', { type: 'checkbox' })}
              />
              <NumberInput label={t('trunk.register_s')} min={0} max={86400} {...form.getInputProps('register_s')} />
              <Shapes form={form} />
              <Checkbox
                label={t('trunk.shows_caller')}
                description={t('trunk.shows_caller_hint')}
                {...form.getInputProps('shows_caller', { type: 'checkbox' })}
              />
              {trunk && <TestCall trunk={trunk} />}
              <NumberInput
                label={t('trunk.calls_per_second')}
                min={1}
                max={1000}
                {...form.getInputProps('calls_per_second')}
              />
              <NumberInput label={t('trunk.probe')} min={0} max={3600} {...form.getInputProps('probe_s')} />
            </Stack>
          </details>
          <ProblemAlert reason={notOfFields(save.error, Object.keys(form.values))} />
          <Group justify="space-between" gap="xs" mt="xs">
            {trunk ? (
              <Button variant="subtle" color="red" onClick={() => setRemoving(true)}>
                {t('trunk.delete')}
              </Button>
            ) : (
              <span />
            )}
            <Group gap="xs">
              <Button variant="default" onClick={onClose}>
                {t('shell.cancel')}
              </Button>
              <Button type="submit" loading={save.isPending} data-testid="trunk-save">
                {t('shell.save')}
              </Button>
            </Group>
          </Group>
        </Stack>
      </form>
      {trunk && removing && <Remove trunk={trunk} onBack={() => setRemoving(false)} onGone={onClose} />}
    </Modal>
  );
}

type Form = ReturnType<typeof useForm<TrunkSettings & { secret: string }>>;

/** How numbers are written, each with what a number would look like. */
function Shapes({ form }: { form: Form }) {
  const { t } = useWords();
  const written = useNumberShapes(EXAMPLE).data;
  const data = SHAPES.map((value) => ({ value, label: written?.[value] ?? value }));
  return (
    <Group grow align="flex-start">
      <NativeSelect label={t('trunk.called')} data={data} {...form.getInputProps('called')} />
      <NativeSelect label={t('trunk.caller')} data={data} {...form.getInputProps('caller')} />
      <NativeSelect label={t('trunk.arriving')} data={data} {...form.getInputProps('arriving')} />
    </Group>
  );
}

function Remove({ trunk, onBack, onGone }: { trunk: Trunk; onBack: () => void; onGone: () => void }) {
  const { t } = useWords();
  const remove = useDeleteTrunk(trunk.id);
  return (
    <Confirm
      opened
      title={t('trunk.delete_named', { name: trunk.settings.name })}
      action={t('trunk.delete')}
      pending={remove.isPending}
      reason={remove.error}
      onConfirm={() => remove.mutate(undefined, { onSuccess: onGone })}
      onClose={onBack}
      testid="trunk-delete-confirm"
    >
      {t('trunk.delete_effect')}
    </Confirm>
  );
}
