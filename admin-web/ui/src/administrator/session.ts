/** Who is signed in, if anybody. */
import { type QueryClient, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { ask, client, keepCsrfToken, type Schemas } from '../api/client';
import { Problem } from '../api/problem';

export type Session = Schemas['Session'];

/** undefined while unknown, null if nobody is. */
export function useSession(): Session | null | undefined {
  return useSessionQuery().data;
}

export function useSessionQuery() {
  return useQuery({ queryKey: ['session'], queryFn: fetchSession, staleTime: 60_000 });
}

async function fetchSession(): Promise<Session | null> {
  try {
    return kept(await ask(client.GET('/api/v1/session')));
  } catch (reason) {
    if (reason instanceof Problem && reason.status === 401) return null;
    throw reason;
  }
}

function kept(session: Session): Session {
  keepCsrfToken(session.csrf);
  return session;
}

export function useSignIn() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (body: Schemas['Credentials']) => kept(await ask(client.POST('/api/v1/session', { body }))),
    onSuccess: (session) => become(queries, session),
  });
}

export function useSetUp() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (body: Schemas['NewAdministrator']) => kept(await ask(client.POST('/api/v1/setup', { body }))),
    onSuccess: (session) => become(queries, session),
  });
}

export function useSetUpNeeded(enabled: boolean) {
  return useQuery({ queryKey: ['setup'], queryFn: () => ask(client.GET('/api/v1/setup')), enabled });
}

export function useSignOut() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () => ask(client.DELETE('/api/v1/session')),
    onSuccess: () => become(queries, null),
  });
}

/** Whatever was heard as somebody else is forgotten. */
function become(queries: QueryClient, session: Session | null): void {
  queries.setQueryData(['session'], session);
  queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'session' });
}
