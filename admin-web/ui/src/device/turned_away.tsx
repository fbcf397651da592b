/** A phone that knows its secret, and comes from where or as it may not: who set it up looks for the fault in vain. */
import { Alert } from '@mantine/core';
import type { TurnedAway } from '../live/state';
import { useWords } from '../shell/words';

export function TurnedAwayNotice({ turned }: { turned: TurnedAway }) {
  const { t, moment, coded } = useWords();
  return (
    <Alert color="yellow" mb="sm" data-testid={`turned-away-${turned.extension}`}>
      {t('device.turned_away', {
        number: turned.extension,
        address: turned.address ?? '',
        why: coded('barred', turned.why ?? ''),
        moment: turned.at ? moment(turned.at) : '',
      })}
    </Alert>
  );
}
