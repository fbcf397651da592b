/** Language and theme: each in one click, each kept by the browser. */
import {
  ActionIcon,
  localStorageColorSchemeManager,
  Tooltip,
  useComputedColorScheme,
  useMantineColorScheme,
} from '@mantine/core';
import { IconMoon, IconSun } from './icons';
import { chooseLanguage, languages } from './language';
import styles from './preferences.module.css';
import { useWords } from './words';

/** Also read by public/before_paint.js. */
export const colorSchemes = localStorageColorSchemeManager({ key: 'theme' });

export function Preferences() {
  return (
    <>
      <LanguageSwitch />
      <ThemeSwitch />
    </>
  );
}

function LanguageSwitch() {
  const { t, language } = useWords();
  return (
    <fieldset className={styles.languages} aria-label={t('shell.language')}>
      {languages.map((other) => (
        <button
          key={other}
          type="button"
          lang={other}
          className={styles.language}
          aria-pressed={other === language}
          aria-label={other === 'fr' ? 'FR Français' : 'EN English'}
          onClick={() => void chooseLanguage(other)}
        >
          {other.toUpperCase()}
        </button>
      ))}
    </fieldset>
  );
}

function ThemeSwitch() {
  const { t } = useWords();
  const { setColorScheme } = useMantineColorScheme();
  const dark = useComputedColorScheme('light') === 'dark';
  const label = t(dark ? 'shell.theme_light' : 'shell.theme_dark');
  return (
    <Tooltip label={label}>
      <ActionIcon
        variant="subtle"
        color="gray"
        size="lg"
        aria-label={label}
        onClick={() => setColorScheme(dark ? 'light' : 'dark')}
      >
        {dark ? <IconSun /> : <IconMoon />}
      </ActionIcon>
    </Tooltip>
  );
}
