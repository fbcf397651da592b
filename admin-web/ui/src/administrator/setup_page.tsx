import { Alert, Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';
import { useNavigate } from 'react-router';
import { Problem } from '../api/problem';
import { fieldErrors, notOfFields } from '../shell/field_errors';
import { ProblemAlert } from '../shell/problem_alert';
import { useWords } from '../shell/words';
import { passwordStrength, SHORTEST_PASSWORD } from './password_strength';
import { useSetUp } from './session';
import { Threshold } from './threshold';

/** The one-time link's token stands behind `#`: it never reaches a server log. */
export function Component() {
  const words = useWords();
  const { t } = words;
  const [token] = useState(() => new URLSearchParams(window.location.hash.slice(1)).get('token') ?? '');
  const setUp = useSetUp();
  const navigate = useNavigate();
  const form = useForm({
    initialValues: { name: '', password: '', again: '' },
    validate: {
      password: (value) =>
        passwordStrength(value) === 'too_short'
          ? t('administrator.password_too_short', { count: SHORTEST_PASSWORD })
          : null,
      again: (value, { password }) => (value === password ? null : t('administrator.password_differs')),
    },
  });
  if (token === '') {
    return (
      <Threshold title={t('administrator.link_incomplete')} intro={t('administrator.link_incomplete_hint')}>
        <Alert color="yellow">{t('administrator.first_where')}</Alert>
      </Threshold>
    );
  }
  const { password } = form.values;
  return (
    <Threshold title={t('administrator.set_up_title')} intro={t('administrator.set_up_intro')}>
      <form
        onSubmit={form.onSubmit(({ name, password }) =>
          setUp.mutate(
            { token, name: name.trim(), password },
            {
              onSuccess: () => navigate('/', { replace: true }),
              onError: (reason) => reason instanceof Problem && form.setErrors(fieldErrors(words, reason)),
            },
          ),
        )}
      >
        <Stack gap="sm">
          <TextInput
            label={t('administrator.name')}
            description={t('administrator.name_hint')}
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            required
            maxLength={80}
            withAsterisk={false}
            data-testid="administrator-name"
            {...form.getInputProps('name')}
          />
          <PasswordInput
            label={t('administrator.password')}
            description={
              <span aria-live="polite">
                {password === ''
                  ? t('administrator.password_hint', { count: SHORTEST_PASSWORD })
                  : t(`administrator.strength_${passwordStrength(password)}`)}
              </span>
            }
            autoComplete="new-password"
            required
            withAsterisk={false}
            visibilityToggleButtonProps={{ 'aria-label': t('administrator.show_password') }}
            data-testid="administrator-password"
            {...form.getInputProps('password')}
          />
          <PasswordInput
            label={t('administrator.password_again')}
            autoComplete="new-password"
            required
            withAsterisk={false}
            visibilityToggleButtonProps={{ 'aria-label': t('administrator.show_password') }}
            data-testid="administrator-password-again"
            {...form.getInputProps('again')}
          />
          <ProblemAlert reason={notOfFields(setUp.error, Object.keys(form.values))} />
          <Button type="submit" loading={setUp.isPending} data-testid="administrator-create">
            {t('administrator.create')}
          </Button>
        </Stack>
      </form>
    </Threshold>
  );
}
