import { Button } from '@mantine/core';
import { useEffect, useState } from 'react';
import { IconCopy, IconDone } from './icons';
import { notice } from './notice';
import { useWords } from './words';

/** Copies a text. Over plain HTTP browsers withhold their clipboard interface, and the older way is taken. */
export function Copy({ text, label }: { text: string; label: string }) {
  const { t } = useWords();
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2_500);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <Button
      variant="default"
      size="xs"
      leftSection={copied ? <IconDone size={16} /> : <IconCopy size={16} />}
      aria-label={label}
      onClick={async (event) => {
        const done = await copy(text, event.currentTarget);
        setCopied(done);
        notice(t(done ? 'shell.copied' : 'shell.not_copied'));
      }}
    >
      {copied ? t('shell.copied') : t('shell.copy')}
    </Button>
  );
}

async function copy(text: string, near: HTMLElement): Promise<boolean> {
  try {
    if (window.isSecureContext) {
      await navigator.clipboard.writeText(text);
      return true;
    }
  } catch {
    // Not allowed here: the older way may be.
  }
  const field = document.createElement('textarea');
  field.value = text;
  field.readOnly = true;
  field.style.position = 'fixed';
  field.style.opacity = '0';
  // Inside the same window as the button, or its focus trap would take the selection away.
  near.after(field);
  field.select();
  const done = document.execCommand('copy');
  field.remove();
  near.focus();
  return done;
}
