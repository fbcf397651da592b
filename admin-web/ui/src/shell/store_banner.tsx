import { Alert } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useLocation } from 'react-router';
import { ask, client } from '../api/client';
import { IconWarning } from './icons';
import styles from './store_banner.module.css';
import { useWords } from './words';

/** How the house does; asked for every few seconds, because a store in trouble cannot announce it. */
export function useStatus() {
  return useQuery({
    queryKey: ['status'],
    queryFn: () => ask(client.GET('/api/v1/status')),
    refetchInterval: 4_000,
  });
}

/** On every page but the first, which says it at length: changes cannot be kept, calls go on. */
export function StoreBanner() {
  const { t, coded } = useWords();
  const { pathname } = useLocation();
  const store = useStatus().data?.store;
  return (
    <div role="status" aria-live="polite" className={styles.banner}>
      {store && !store.good && pathname !== '/' && (
        <Alert color="red" icon={<IconWarning />} title={coded('store', store.code)} data-testid="store-trouble">
          {t('home.store_effect')}
        </Alert>
      )}
    </div>
  );
}
