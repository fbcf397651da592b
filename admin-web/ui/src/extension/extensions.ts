/** Extensions: asked for, created, changed, removed. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { ask, client, type Schemas } from '../api/client';

export type Extension = Schemas['Extension'];
export type ExtensionWithSecret = Schemas['ExtensionWithSecret'];

const KEY = ['extensions'];

/** Every extension, by number. The command line may change them too, so the list is asked for now and then. */
export function useExtensions() {
  return useQuery({
    queryKey: KEY,
    queryFn: async (): Promise<Extension[]> => (await ask(client.GET('/api/v1/extensions'))).items,
    refetchInterval: 20_000,
  });
}

export function useCreateExtension() {
  const changed = useChanged();
  return useMutation({
    mutationFn: (body: Schemas['NewExtension']) => ask(client.POST('/api/v1/extensions', { body })),
    onSuccess: changed,
    // The secret is shown once; nothing keeps it longer than the window that shows it.
    gcTime: 0,
  });
}

export function useChangeExtension(number: string) {
  const changed = useChanged();
  return useMutation({
    mutationFn: (body: Schemas['ExtensionChange']) =>
      ask(client.PATCH('/api/v1/extensions/{number}', { params: { path: { number } }, body })),
    onSuccess: changed,
  });
}

export function useNewSecret(number: string) {
  return useMutation({
    mutationFn: () => ask(client.POST('/api/v1/extensions/{number}/secret', { params: { path: { number } } })),
    gcTime: 0,
  });
}

export function useDeleteExtension(number: string) {
  const changed = useChanged();
  return useMutation({
    mutationFn: () => ask(client.DELETE('/api/v1/extensions/{number}', { params: { path: { number } } })),
    onSuccess: changed,
  });
}

export function useImportExtensions() {
  const changed = useChanged();
  return useMutation({
    mutationFn: (csv: string) =>
      ask(
        client.POST('/api/v1/extensions/import', {
          body: csv,
          headers: { 'content-type': 'text/csv; charset=utf-8' },
          bodySerializer: (text) => text,
        }),
      ),
    onSuccess: changed,
    gcTime: 0,
  });
}

function useChanged(): () => Promise<void> {
  const queries = useQueryClient();
  return () => queries.invalidateQueries({ queryKey: KEY });
}
