import { Title } from '@mantine/core';
import { type ReactNode, useEffect } from 'react';
import { Preferences } from '../shell/preferences';
import { useWords } from '../shell/words';
import styles from './threshold.module.css';

/** The frame before one is inside: one card, and the choice of language. */
export function Threshold({ title, intro, children }: { title: string; intro: string; children: ReactNode }) {
  const { t } = useWords();
  useEffect(() => {
    document.title = `${title} · ${t('shell.product')}`;
  }, [title, t]);
  return (
    <div className={styles.threshold}>
      <header className={styles.header}>
        <img src="/icon.svg" alt="" width={30} height={30} />
        <span className={styles.product}>{t('shell.product')}</span>
        <Preferences />
      </header>
      <main className={styles.card}>
        <Title order={1}>{title}</Title>
        <p className={styles.intro}>{intro}</p>
        {children}
      </main>
    </div>
  );
}
