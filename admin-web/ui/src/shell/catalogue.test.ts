import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

const SOURCES = join(import.meta.dirname, '..');
const CATALOGUE = join(SOURCES, '../../../pbx-core/catalogue');

const fr = catalogue('fr');
const en = catalogue('en');

describe('the catalogue', () => {
  test('both languages have the same keys with the same parameters', () => {
    expect(Object.keys(fr).sort()).toEqual(Object.keys(en).sort());
    for (const [key, text] of Object.entries(fr))
      expect(`${key} ${params(text)}`).toBe(`${key} ${params(en[key] ?? '')}`);
  });

  test('no sentence is empty, and no key stands in two files', () => {
    for (const [key, text] of [...Object.entries(fr), ...Object.entries(en)]) expect(text.trim(), key).not.toBe('');
    for (const language of ['fr', 'en']) {
      const keys = files(language).flatMap((file) => Object.keys(read(file)));
      expect(keys.filter((key, at) => keys.indexOf(key) !== at)).toEqual([]);
    }
  });

  test('French has its spaces, quotation marks and apostrophes', () => {
    const ui = read(files('fr').find((file) => file.endsWith('ui.fr.json')) ?? '');
    for (const [key, text] of Object.entries(ui)) {
      expect(text, key).not.toMatch(/[ \p{L}\d)}][:;!?»](?!\/\/)/u);
      expect(text, key).not.toMatch(/["']|«(?!\u202f)/);
    }
  });
});

describe('the pages', () => {
  const used = sources().flatMap(({ file, text }) =>
    [...text.matchAll(/\bt\(\s*(?:[^'"`()]*\?\s*)?'([a-z_.]+)'(?:\s*:\s*'([a-z_.]+)')?/g)].flatMap(([, one, other]) =>
      [one, other].flatMap((key) => (key === undefined ? [] : [{ file, key }])),
    ),
  );

  test('every key that a page uses has its words', () => {
    expect(used.length).toBeGreaterThan(100);
    const known = new Set(Object.keys(fr).flatMap((key) => [key, key.replace(/_(one|other)$/, '')]));
    expect(used.filter(({ key }) => !known.has(key))).toEqual([]);
  });

  test('every key of a family that a page composes has its words', () => {
    const families: Record<string, string[]> = {
      'live.': ['open', 'connecting', 'lost'],
      'extension.state_': ['unknown', 'disabled', 'on_call', 'registered', 'away'],
      'call.state_': ['ringing', 'talking', 'held'],
      'administrator.strength_': ['too_short', 'fair', 'good'],
    };
    const composed = sources().flatMap(({ text }) =>
      [...text.matchAll(/\bt\(`([a-z_.]+)\$\{/g)].map(([, family]) => family ?? ''),
    );
    expect([...new Set(composed)].filter((family) => !(family in families)).sort()).toEqual([
      'certificate.remedy.',
      'certificate.trouble.',
      'problem.',
      'trace.',
      'trunk.remedy.',
      'trunk.trouble.',
    ]);
    const keys = Object.entries(families).flatMap(([family, codes]) => codes.map((code) => family + code));
    expect(keys.filter((key) => !(key in fr))).toEqual([]);
  });

  test('no sentence of the pages is left that nobody says', () => {
    const all = sources()
      .map(({ text }) => text)
      .join('\n');
    const composed = ['live.', 'extension.state_', 'call.state_', 'administrator.strength_', 'problem.'];
    const ui = Object.keys(read(files('fr').find((file) => file.endsWith('ui.fr.json')) ?? ''));
    const unsaid = ui.filter(
      (key) =>
        !composed.some((family) => key.startsWith(family)) && !all.includes(`'${key.replace(/_(one|other)$/, '')}'`),
    );
    expect(unsaid).toEqual([]);
  });

  test('no sentence stands in the code', () => {
    const spoken = sources().flatMap(({ file, text }) =>
      [
        ...text.matchAll(/(?:label|title|placeholder|aria-label)="([^"]+)"|>\s*([A-Za-zÀ-ÿ][^<>{}=;]*[a-zà-ÿ])\s*<\//g),
      ].map(([, attribute, content]) => `${file}: ${attribute ?? content}`),
    );
    expect(spoken).toEqual([]);
  });
});

function catalogue(language: string): Record<string, string> {
  return Object.assign({}, ...files(language).map(read));
}

function files(language: string): string[] {
  return readdirSync(CATALOGUE)
    .filter((file) => new RegExp(`(^|\\.)${language}\\.json$`).test(file))
    .map((file) => join(CATALOGUE, file));
}

function read(file: string): Record<string, string> {
  return JSON.parse(readFileSync(file, 'utf8'));
}

function params(text: string): string {
  return [...new Set([...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name))].sort().join(' ');
}

function sources(): { file: string; text: string }[] {
  return readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file) && !file.includes('.test.') && !file.endsWith('schema.ts'))
    .map((file) => ({ file, text: readFileSync(join(SOURCES, file), 'utf8') }));
}
