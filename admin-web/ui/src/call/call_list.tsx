import { useCalls } from '../live/live';
import { Page } from '../shell/page';
import { useWords } from '../shell/words';
import { CallTable } from './call_table';

export function Component() {
  const { t } = useWords();
  const calls = useCalls();
  return (
    <Page title={t('nav.calls')} intro={calls.length > 0 ? t('call.in_progress', { count: calls.length }) : undefined}>
      <CallTable calls={calls} />
    </Page>
  );
}
