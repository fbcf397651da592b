/** Lines to the outside: asked for, created, set anew, removed. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { ask, client, type Schemas } from '../api/client';

export type Trunk = Schemas['Trunk'];
export type TrunkSettings = Schemas['TrunkSettings'];
export type TrunkProfile = Schemas['TrunkProfile'];

const KEY = ['trunks'];

/** Every line. Another administrator may change them too, so the list is asked for now and then. */
export function useTrunks() {
  return useQuery({
    queryKey: KEY,
    queryFn: async (): Promise<Trunk[]> => (await ask(client.GET('/api/v1/trunks'))).items,
    refetchInterval: 20_000,
  });
}

/** What is known of carriers; it comes with the program. */
export function useTrunkProfiles() {
  return useQuery({
    queryKey: ['trunk_profiles'],
    queryFn: async (): Promise<TrunkProfile[]> => (await ask(client.GET('/api/v1/trunk_profiles'))).items,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** A number in the forms in which lines write it. */
export function useNumberShapes(number: string) {
  return useQuery({
    queryKey: ['number_shapes', number],
    queryFn: () => ask(client.GET('/api/v1/number_shapes', { params: { query: { number } } })),
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** Creates a line, or sets one anew. */
export function useSaveTrunk(id: string | null) {
  const changed = useChanged();
  return useMutation({
    mutationFn: (body: TrunkSettings) =>
      id === null
        ? ask(client.POST('/api/v1/trunks', { body }))
        : ask(client.PUT('/api/v1/trunks/{id}', { params: { path: { id } }, body })),
    onSuccess: changed,
    gcTime: 0,
  });
}

export function useDeleteTrunk(id: string) {
  const changed = useChanged();
  return useMutation({
    mutationFn: () => ask(client.DELETE('/api/v1/trunks/{id}', { params: { path: { id } } })),
    onSuccess: changed,
  });
}

function useChanged(): () => Promise<void> {
  const queries = useQueryClient();
  return () => queries.invalidateQueries({ queryKey: KEY });
}
