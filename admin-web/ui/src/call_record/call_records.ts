import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { ask, client, type Schemas } from '../api/client';
import { queryOf, type Sought } from './sought';

export type CallRecord = Schemas['CallRecord'];
export type Leg = Schemas['Leg'];
export type Step = Schemas['Step'];

const PAGE = 50;

/** Records that are looked for, the newest first, a page at a time. */
export function useCallRecords(sought: Sought) {
  const query = queryOf(sought);
  return useInfiniteQuery({
    queryKey: ['call_records', query],
    initialPageParam: null as string | null,
    queryFn: ({ pageParam }) =>
      ask(
        client.GET('/api/v1/call_records', {
          params: {
            query: { limit: PAGE, ...query, ...(pageParam === null ? {} : { before: pageParam }) },
          },
        }),
      ),
    getNextPageParam: ({ next }) => next ?? null,
  });
}

export function useCallRecord(id: string) {
  return useQuery({
    queryKey: ['call_record', id],
    queryFn: () => ask(client.GET('/api/v1/call_records/{id}', { params: { path: { id } } })),
    staleTime: Number.POSITIVE_INFINITY,
  });
}
