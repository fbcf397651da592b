/** The house's numbers as the world dials them: asked for, added, changed, removed. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { ask, client, type Schemas } from '../api/client';

export type HouseNumber = Schemas['Number'];

const KEY = ['numbers'];

export function useNumbers() {
  return useQuery({
    queryKey: KEY,
    queryFn: async (): Promise<HouseNumber[]> => (await ask(client.GET('/api/v1/numbers'))).items,
    refetchInterval: 20_000,
  });
}

/** Adds a number, or changes one that is there. */
export function useSaveNumber(known: string | null) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ number, label, to }: Schemas['NewNumber'] & { label: string }) =>
      known === null
        ? ask(client.POST('/api/v1/numbers', { body: { number, label, to } }))
        : ask(client.PATCH('/api/v1/numbers/{number}', { params: { path: { number: known } }, body: { label, to } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: KEY }),
  });
}

export function useDeleteNumber(number: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: () => ask(client.DELETE('/api/v1/numbers/{number}', { params: { path: { number } } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: KEY }),
  });
}
