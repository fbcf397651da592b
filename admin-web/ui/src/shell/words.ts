/** Sentences, moments and numbers in the reader's language, for every page. */
import type { TFunction } from 'i18next';
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { Problem } from '../api/problem';
import { formatFullMoment, formatHour, formatMoment, type Language } from '../format/time';

export type Words = {
  t: TFunction;
  language: Language;
  moment: (iso: string) => string;
  fullMoment: (iso: string) => string;
  hour: (moment: Date) => string;
  /** The catalogue's sentence of a problem, else what the server called it. */
  problem: (problem: Problem) => string;
  /** The catalogue's words for a code, else the code itself: an older page may hear a newer server. */
  coded: (family: string, code: string) => string;
};

export function useWords(): Words {
  const { t, i18n } = useTranslation();
  const language: Language = i18n.language === 'en' ? 'en' : 'fr';
  return useMemo(() => wordsOf(t, language), [t, language]);
}

export function wordsOf(t: TFunction, language: Language): Words {
  return {
    t,
    language,
    moment: (iso) => formatMoment(iso, language),
    fullMoment: (iso) => formatFullMoment(iso, language),
    hour: (moment) => formatHour(moment, language),
    problem: (problem) =>
      t(`problem.${problem.code}`, { defaultValue: problem.message, seconds: problem.seconds ?? '' }),
    coded: (family, code) => t(`${family}.${code}`, { defaultValue: code }),
  };
}
