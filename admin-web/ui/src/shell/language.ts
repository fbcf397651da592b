/** The catalogue, shared with the program and its command line; a language is fetched when it is first wanted. */
import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import type { Language } from '../format/time';

export const languages: readonly Language[] = ['fr', 'en'];

const KEPT = 'language';

const files = import.meta.glob<Record<string, string>>('../../../../pbx-core/catalogue/*.json', { import: 'default' });

async function words(language: Language): Promise<Record<string, string>> {
  const own = Object.entries(files).filter(([path]) => new RegExp(`[/.]${language}\\.json$`).test(path));
  return Object.assign({}, ...(await Promise.all(own.map(([, load]) => load()))));
}

/** The one chosen before, else the browser's if it is English, else French. */
export function preferredLanguage(): Language {
  const wanted = kept() ?? navigator.language.slice(0, 2);
  return wanted === 'en' ? 'en' : 'fr';
}

export async function startLanguage(): Promise<void> {
  const language = preferredLanguage();
  await i18next.use(initReactI18next).init({
    lng: language,
    fallbackLng: false,
    keySeparator: false,
    nsSeparator: false,
    interpolation: { escapeValue: false },
    react: { useSuspense: false },
    resources: { [language]: { translation: await words(language) } },
  });
  document.documentElement.lang = language;
}

/** Words change in place: a half-filled form stays as it is. */
export async function chooseLanguage(language: Language): Promise<void> {
  if (!i18next.hasResourceBundle(language, 'translation')) {
    i18next.addResourceBundle(language, 'translation', await words(language));
  }
  await i18next.changeLanguage(language);
  document.documentElement.lang = language;
  try {
    localStorage.setItem(KEPT, language);
  } catch {
    // A browser that keeps nothing asks again next time.
  }
}

function kept(): string | null {
  try {
    return localStorage.getItem(KEPT);
  } catch {
    return null;
  }
}
