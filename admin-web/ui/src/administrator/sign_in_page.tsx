import { Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useRef } from 'react';
import { Navigate, useSearchParams } from 'react-router';
import { ProblemAlert } from '../shell/problem_alert';
import { useWords } from '../shell/words';
import { useSessionQuery, useSetUpNeeded, useSignIn } from './session';
import { Threshold } from './threshold';

export function Component() {
  const { t } = useWords();
  const session = useSessionQuery();
  const setUp = useSetUpNeeded(session.data === null);
  const signIn = useSignIn();
  const [search] = useSearchParams();
  const password = useRef<HTMLInputElement>(null);
  const form = useForm({ initialValues: { name: '', password: '' } });

  if (session.data) return <Navigate to={inside(search.get('next'))} replace />;
  if (setUp.data?.needed) {
    return (
      <Threshold title={t('administrator.first_title')} intro={t('administrator.first_intro')}>
        {t('administrator.first_where')}
      </Threshold>
    );
  }
  return (
    <Threshold title={t('administrator.sign_in')} intro={t('administrator.sign_in_intro')}>
      <form
        onSubmit={form.onSubmit((values) =>
          signIn.mutate(values, {
            onError: () => {
              form.setFieldValue('password', '');
              password.current?.focus();
            },
          }),
        )}
      >
        <Stack gap="sm">
          <TextInput
            label={t('administrator.name')}
            autoComplete="username"
            autoCapitalize="none"
            spellCheck={false}
            required
            withAsterisk={false}
            data-testid="sign-in-name"
            {...form.getInputProps('name')}
          />
          <PasswordInput
            ref={password}
            label={t('administrator.password')}
            autoComplete="current-password"
            required
            withAsterisk={false}
            visibilityToggleButtonProps={{ 'aria-label': t('administrator.show_password') }}
            data-testid="sign-in-password"
            {...form.getInputProps('password')}
          />
          <ProblemAlert reason={signIn.error ?? session.error} />
          <Button type="submit" loading={signIn.isPending} data-testid="sign-in">
            {t('administrator.sign_in')}
          </Button>
        </Stack>
      </form>
    </Threshold>
  );
}

/** Where one wanted to go, if that is a place of this site. */
function inside(next: string | null): string {
  return next?.startsWith('/') && !next.startsWith('//') ? next : '/';
}
