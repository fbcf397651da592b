import { Link } from 'react-router';
import { Page } from './page';
import { useWords } from './words';

export function Component() {
  const { t } = useWords();
  return (
    <Page title={t('shell.unknown_page')}>
      <Link to="/">{t('nav.home')}</Link>
    </Page>
  );
}
