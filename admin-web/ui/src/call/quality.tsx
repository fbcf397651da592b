/** How a party hears and is heard: a word, its mark, and the figures in a sentence. */
import type { Schemas } from '../api/client';
import { useWords, type Words } from '../shell/words';
import styles from './quality.module.css';

export type Quality = Schemas['Quality'];
export type Grade = Schemas['Grade'];

const WORST_FIRST: readonly Grade[] = ['silent', 'bad', 'fair', 'good'];

export function worstOf(legs: readonly { quality?: Quality | null }[]): Grade | null {
  return WORST_FIRST.find((grade) => legs.some(({ quality }) => quality?.grade === grade)) ?? null;
}

/** The mark says the same as the word, by its form too. */
export function GradeWord({ grade }: { grade: Grade }) {
  const { coded } = useWords();
  return (
    <span className={styles.grade} data-grade={grade} data-testid="quality">
      <span className={styles.mark} aria-hidden="true" />
      {coded('quality', grade)}
    </span>
  );
}

/** `0,2 % de pertes, gigue 1,8 ms`, or that nothing was heard. */
export function soundSentence({ t, language }: Words, sound: Schemas['Sound'] | null | undefined): string {
  if (!sound) return t('call.sound_none');
  const { loss_percent, jitter_ms } = sound;
  const figure = figures(language);
  return t('call.sound', { loss: figure.format(loss_percent), jitter: figure.format(jitter_ms) });
}

/** `aller-retour 12,4 ms`, or nothing if the phone has not reported. */
export function roundTripSentence({ t, language }: Words, { round_trip_ms }: Quality): string {
  return typeof round_trip_ms === 'number' ? t('call.round_trip', { ms: figures(language).format(round_trip_ms) }) : '';
}

function figures(language: Words['language']): Intl.NumberFormat {
  return new Intl.NumberFormat(language === 'fr' ? 'fr-FR' : 'en-GB', { maximumFractionDigits: 2 });
}
