import type { Extension } from './extensions';

/** Extensions in which each word occurs: in number, name or e-mail, accents and case aside. */
export function matching<E extends Pick<Extension, 'number' | 'name' | 'email'>>(extensions: E[], wanted: string): E[] {
  const parts = plain(wanted).split(/\s+/).filter(Boolean);
  if (parts.length === 0) return extensions;
  return extensions.filter(({ number, name, email }) => {
    const text = plain(`${number} ${name} ${email ?? ''}`);
    return parts.every((part) => text.includes(part));
  });
}

function plain(text: string): string {
  return text
    .normalize('NFD')
    .replace(/\p{Mark}/gu, '')
    .toLowerCase();
}
