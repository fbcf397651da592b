import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';
import { Problem } from './problem';

/** Answers already heard. A 401 from anywhere means that the session is over, and the page turns to the sign-in. */
export const queryClient: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError: noticeEndOfSession }),
  mutationCache: new MutationCache({ onError: noticeEndOfSession }),
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      retry: (failures, reason) =>
        failures < 2 && reason instanceof Problem && (reason.status === 0 || reason.status >= 500),
    },
  },
});

function noticeEndOfSession(reason: unknown): void {
  if (!(reason instanceof Problem)) return;
  if (reason.status === 401 && reason.code !== 'wrong_password') queryClient.setQueryData(['session'], null);
  if (reason.code === 'csrf') void queryClient.invalidateQueries({ queryKey: ['session'] });
}
