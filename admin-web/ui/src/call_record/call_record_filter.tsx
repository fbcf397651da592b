import { Button, NativeSelect, TextInput } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';
import { useExtensions } from '../extension/extensions';
import { IconSearch } from '../shell/icons';
import { useWords } from '../shell/words';
import styles from './call_record.module.css';
import { OUTCOMES, type Sought, seeksAll } from './sought';

type Props = { sought: Sought; onChange: (part: Partial<Sought>) => void };

/** Narrows the list; each change counts at once. */
export function CallRecordFilter({ sought, onChange }: Props) {
  const { t, coded } = useWords();
  const extensions = useExtensions().data ?? [];
  return (
    <search className={styles.filter}>
      <SearchField value={sought.q} onChange={(q) => onChange({ q })} />
      <TextInput
        type="date"
        label={t('call_record.from')}
        max={sought.until}
        value={sought.from}
        onChange={(event) => onChange({ from: event.currentTarget.value })}
      />
      <TextInput
        type="date"
        label={t('call_record.until')}
        min={sought.from}
        value={sought.until}
        onChange={(event) => onChange({ until: event.currentTarget.value })}
      />
      <NativeSelect
        label={t('call_record.extension')}
        value={sought.party}
        onChange={(event) => onChange({ party: event.currentTarget.value })}
        data={[
          { value: '', label: t('call_record.any_extension') },
          ...extensions.map(({ number, name }) => ({ value: number, label: `${number} ${name}` })),
        ]}
      />
      <NativeSelect
        label={t('call_record.answered')}
        value={sought.answered}
        onChange={(event) => onChange({ answered: event.currentTarget.value as Sought['answered'] })}
        data={[
          { value: '', label: t('call_record.answered_or_not') },
          { value: 'true', label: t('call_record.answered_only') },
          { value: 'false', label: t('call_record.unanswered_only') },
        ]}
      />
      <NativeSelect
        label={t('call_record.outcome')}
        value={sought.outcome}
        onChange={(event) => onChange({ outcome: event.currentTarget.value })}
        data={[
          { value: '', label: t('call_record.any_outcome') },
          ...OUTCOMES.map((code) => ({ value: code, label: coded('outcome', code) })),
        ]}
      />
      {!seeksAll(sought) && (
        <Button
          variant="default"
          onClick={() => onChange({ q: '', from: '', until: '', outcome: '', party: '', answered: '' })}
        >
          {t('call_record.clear')}
        </Button>
      )}
    </search>
  );
}

/** What is typed is looked for when the typing rests. */
function SearchField({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const { t } = useWords();
  const [typed, setTyped] = useState(value);
  const told = useRef(value);
  // What was told from here comes back as the value while the typing may go on; any other value is somebody else's.
  useEffect(() => {
    if (value === told.current) return;
    told.current = value;
    setTyped(value);
  }, [value]);
  useEffect(() => {
    if (typed === told.current) return;
    const rest = setTimeout(() => {
      told.current = typed;
      onChange(typed);
    }, 250);
    return () => clearTimeout(rest);
  }, [typed, onChange]);
  return (
    <TextInput
      type="search"
      leftSection={<IconSearch size={18} />}
      label={t('call_record.search')}
      value={typed}
      onChange={(event) => setTyped(event.currentTarget.value)}
    />
  );
}
