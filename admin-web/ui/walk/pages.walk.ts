/**
 * Every page and state in a real browser: nothing that axe-core calls a barrier (WCAG 2.2 AA, contrast and target size included), no
 * breach of the content security policy, no request to another host, no error; by keyboard alone; live without reloading.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { extension, registration, StandIn } from './stand_in';
import { furnish } from './venue';

let browser: Browser;
let axe: string;
let house: StandIn;
let page: Page;
let context: BrowserContext;
let complaints: string[];

beforeAll(async () => {
  axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
});

afterAll(() => browser.close());

beforeEach(async () => {
  house = new StandIn();
  furnish(house);
  await house.open();
});

afterEach(async () => {
  await context.close();
  house.close();
  expect(complaints).toEqual([]);
});

async function enter(path: string, options: Parameters<Browser['newContext']>[0] = {}): Promise<void> {
  context = await browser.newContext({ locale: 'fr-FR', reducedMotion: 'reduce', ...options });
  page = await context.newPage();
  complaints = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (line) => {
    // A refused request is the stand-in's doing; everything else, a breach of policy among it, is the page's.
    if (line.type() === 'error' && !line.text().startsWith('Failed to load resource')) complaints.push(line.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(house.address)) complaints.push(request.url());
  });
  await page.goto(house.address + path);
}

async function barriers(): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    // biome-ignore lint/suspicious/noExplicitAny: axe-core came as a script
    const found = await (globalThis as any).axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    });
    return found.violations.flatMap((rule: { id: string; nodes: { html: string; failureSummary: string }[] }) =>
      rule.nodes.map((node) => `${rule.id}: ${node.html} ${node.failureSummary}`),
    );
  });
}

const places: [string, string, string, (() => Promise<unknown>)?][] = [
  ['home', '/', '[data-testid=health]'],
  [
    'home, the database locked',
    '/',
    '[data-testid=health] svg',
    async () => {
      house.status.store = {
        good: false,
        code: 'locked',
        waiting: 2,
        lost: 1,
        error: 'database is locked',
      };
      await page.reload();
    },
  ],
  ['extensions', '/extensions', '[data-testid=extension-state-201][data-registered=true]'],
  ['an extension', '/extensions/201', '[role=dialog] form'],
  [
    'deleting it',
    '/extensions/201',
    '[data-testid=extension-delete-confirm]',
    () => page.getByTestId('extension-delete').click(),
  ],
  ['a new extension, refused', '/extensions/new', '[aria-invalid=true]', () => create('201', 'Caisse')],
  ['a new extension, created', '/extensions/new', '[data-testid=extension-secret]', () => create('214', 'Caisse')],
  [
    'an import, refused',
    '/extensions/import',
    '[data-testid=problem]',
    async () => {
      await page.locator('[role=dialog] textarea').fill('number,name,secret,email\n201,A,,');
      await page.locator('[role=dialog] button').last().click();
    },
  ],
  ['calls', '/calls', '[data-testid=call]'],
  ['recent calls', '/call-records', 'tbody tr'],
  ['recent calls, narrowed to none', '/call-records?q=nobody&outcome=busy', '[role=status]'],
  ['a call with its sound', '/call-records/40', '[data-testid=sound]'],
  [
    'a call',
    '/call-records/39',
    '[data-testid=trace]',
    async () => {
      await page.locator('summary').click();
    },
  ],
  ['lines and numbers', '/trunks', '[data-testid=line-down]'],
  ['a new line', '/trunks', '[data-testid=trunk-save]', () => page.getByTestId('trunk-new').click()],
  ['a new number', '/trunks', '[data-testid=number-save]', () => page.getByTestId('number-new').click()],
  ['banned addresses', '/security', '[data-testid=ban]'],
  ['lifting a ban', '/security', '[data-testid=ban-lift-confirm]', () => page.getByTestId('ban-lift').first().click()],
  ['phones', '/devices', '[data-testid=device]'],
  ['a phone that is turned away', '/extensions/203', '[data-testid=turned-away-203]'],
  ['a certificate that is not had', '/security', '[data-testid=certificate-trouble]'],
  ['what calls have cost', '/security', '[data-testid=spending-204]'],
  ['ceilings', '/security', '[data-testid=toll-save]', () => page.getByTestId('toll-edit').click()],
  ['letting go on', '/security', '[data-testid=allow-confirm]', () => page.getByTestId('allow-204').click()],
  ['no page', '/nowhere', 'h1'],
  [
    'the connection lost',
    '/calls',
    '[data-testid=connection-lost]',
    async () => {
      await page.getByTestId('call').first().waitFor();
      house.reachable = false;
      house.cut();
    },
  ],
  [
    'sign-in, refused',
    '/sign-in',
    '[data-testid=problem]',
    async () => {
      await page.getByTestId('sign-in-name').fill('camille');
      await page.getByTestId('sign-in-password').fill('nonsense');
      await page.getByTestId('sign-in').click();
    },
  ],
  ['set-up', '/setup#token=word', '[data-testid=administrator-create]'],
];

async function create(number: string, name: string): Promise<void> {
  await page.getByTestId('extension-number').fill(number);
  await page.getByTestId('extension-name').fill(name);
  await page.getByTestId('extension-create').click();
}

describe.each([
  { colorScheme: 'light', locale: 'fr-FR' },
  { colorScheme: 'dark', locale: 'en-GB' },
] as const)('$colorScheme, $locale', (look) => {
  test.each(places)('%s', async (name, path, there, act) => {
    house.signedIn = !name.startsWith('sign-in');
    await enter(path, look);
    await act?.();
    await page.locator(there).first().waitFor({ state: 'attached' });
    await page.waitForFunction(() => document.getAnimations().every(({ playState }) => playState !== 'running'));
    expect(await barriers()).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.lang)).toBe(look.locale.slice(0, 2));
    // WCAG 1.4.10: at 320 pixels the page itself never scrolls sideways.
    await page.setViewportSize({ width: 320, height: 640 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
  });
});

describe('live', () => {
  test('a ban that is lifted leaves the page', async () => {
    await enter('/security');
    await page.getByTestId('ban-lift').first().click();
    await page.getByTestId('ban-lift-confirm').click();
    await page.waitForFunction(() => document.querySelectorAll('[data-testid=ban]').length === 1);
    expect(house.bans.map(({ id }) => id)).toEqual(['203.0.113.9']);
  });

  test('somebody whom a ceiling stops is allowed an hour, and ceilings are changed', async () => {
    await enter('/security');
    await page.getByTestId('allow-204').click();
    await page.getByTestId('allow-confirm').click();
    await page.waitForFunction(() =>
      document.querySelector('[data-testid=spending-204]')?.textContent?.includes('Autorisé'),
    );
    await page.getByTestId('toll-edit').click();
    const cost = page.getByLabel('euros par heure').first();
    await cost.fill('0');
    await page.getByTestId('toll-save').click();
    await page.locator('[role=dialog] [role=alert]').first().waitFor();
    await cost.fill('5,50');
    await page.getByText('Tarifs estimés').click();
    await page.locator('[role=dialog] textarea').fill('+ 0,5\n00 41 0,15');
    await page.getByTestId('toll-save').click();
    await page.waitForFunction(() => !document.querySelector('[role=dialog]'));
    expect(house.toll.extension.cost_of_hour).toBe(5.5);
    expect(house.toll.rates.at(-1)).toEqual({ prefix: '0041', per_minute: 0.15 });
  });

  test('a test call is prepared by a line, and what came of it is told', async () => {
    await enter('/trunks');
    await page.getByRole('button', { name: 'Modifier Opérateur' }).click();
    await page.locator('[role=dialog] summary').click();
    const group = page.getByRole('group', { name: 'Appel d’essai' });
    const fields = group.locator('input');
    await fields.nth(0).fill('999');
    await page.getByTestId('test-call').click();
    await group.locator('[aria-invalid=true]').waitFor();
    await fields.nth(0).fill('201');
    await fields.nth(1).fill('+33639981234');
    await fields.nth(2).fill('+33199005678');
    await page.getByTestId('test-call').click();
    await page.getByTestId('test-waiting').waitFor();
    const line = house.lines.find(({ id }) => id === 'operateur');
    if (!line?.test) throw new Error('a test was prepared');
    house.tell('line', { ...line, test: { ...line.test, state: 'answered' } });
    await page.getByTestId('test-answered').waitFor();
    expect(await barriers()).toEqual([]);
  });

  test('dots and calls follow the switchboard without reloading', async () => {
    await enter('/extensions');
    const dot = page.getByTestId('extension-state-203');
    await dot.and(page.locator('[data-registered=false]')).waitFor();
    house.tell('registration', registration('203', 'Grandstream GXP2170', '192.0.2.23:5060'));
    await dot.and(page.locator('[data-registered=true]')).waitFor();
    house.tell('call', {
      id: '50',
      caller: '203',
      caller_name: 'Régie son',
      dialled: '205',
      callee: '205',
      state: 'ringing',
      started_at: new Date().toISOString(),
      legs: [],
    });
    await dot.and(page.locator('[data-state=on_call]')).waitFor();
    house.tell('call_ended', { id: '50' });
    await dot.and(page.locator('[data-state=registered]')).waitFor();
  });

  test('an extension made elsewhere appears with its first phone', async () => {
    await enter('/extensions');
    await page.getByTestId('extension-state-201').waitFor();
    house.extensions = [...house.extensions, extension('220', 'Atelier')];
    house.tell('registration', registration('220', 'baresip', '192.0.2.50:5060'));
    await page.getByTestId('extension-state-220').waitFor();
  });

  test('a lost connection is said, nothing can be hung up meanwhile, and it comes back', async () => {
    await enter('/calls');
    await page.getByTestId('call').first().waitFor();
    house.reachable = false;
    house.cut();
    await page.getByTestId('connection-lost').waitFor();
    expect(await page.getByTestId('call').first().getByRole('button').isDisabled()).toBe(true);
    house.reachable = true;
    for (const { id } of house.calls) house.tell('call_ended', { id });
    await page.getByTestId('connection-lost').waitFor({ state: 'detached' });
    await page.getByTestId('call').first().waitFor({ state: 'detached' });
    expect(house.resumed).toBe(1);
  });

  test('how a call sounds is shown while it goes on', async () => {
    await enter('/calls');
    const sound = page.getByTestId('call').filter({ hasText: '204' }).getByTestId('quality');
    await page.getByTestId('call').filter({ hasText: '204' }).waitFor();
    expect(await sound.count()).toBe(0);
    const [talking, ringing] = house.calls;
    if (!talking || !ringing) throw new Error('the venue has calls');
    house.tell('call', { ...ringing, state: 'talking', answered_at: ringing.started_at, legs: talking.legs });
    await sound.filter({ hasText: 'moyenne' }).waitFor();
  });

  test('a page left open for 100,000 events stays flat and true', { timeout: 300_000 }, async () => {
    await enter('/calls');
    await page.getByTestId('call').first().waitFor();
    const session = await context.newCDPSession(page);
    const weight = async () => {
      await session.send('HeapProfiler.collectGarbage');
      return (await session.send('Runtime.getHeapUsage')).usedSize;
    };
    const [like] = house.calls;
    if (!like) throw new Error('the venue has calls');
    let told = 0;
    // Two of three calls end, and one of those that stand is changed; never more than fifty stand.
    const burst = async (events: number) => {
      for (const until = told + events; told < until; told += 1) {
        const caller = `+336399800${String(told % 100).padStart(2, '0')}`;
        const [oldest, second] = house.calls;
        if (told % 5 === 4) house.tell('registration', registration('203', `after ${told}`, '192.0.2.23:5060'));
        else if (told % 5 === 3 && second) house.tell('call', { ...second, caller_name: `${told}` });
        else if (oldest && house.calls.length > told % 50) house.tell('call_ended', { id: oldest.id });
        else house.tell('call', { ...like, id: `x${told}`, caller, caller_name: '' });
        // As from a switchboard: not all in one breath, and what is not read yet is no more than the line holds.
        if (told % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      house.tell('call', { ...like, id: 'last', caller_name: `after ${told}` });
      await page.getByText(`after ${told}`).waitFor({ timeout: 120_000 });
      house.tell('call_ended', { id: 'last' });
      await page.getByText(`after ${told}`).waitFor({ state: 'detached' });
    };
    await burst(5_000);
    const before = await weight();
    await burst(45_000);
    // A short cut: the page goes on where it was. A long one: it is given the picture.
    const resumed = house.resumed;
    house.cut();
    await burst(2_000);
    expect(house.resumed).toBe(resumed + 1);
    house.cut();
    await burst(48_000);
    expect((await weight()) - before).toBeLessThan(2_000_000);
    expect(told).toBe(100_000);
    const shown = await page.getByTestId('call').evaluateAll((rows) => rows.map((row) => row.textContent ?? ''));
    expect(shown.length).toBe(house.calls.length);
    for (const { caller, caller_name } of house.calls) {
      const digits = caller === '' ? '' : `0${caller.replace('+33', '')}`;
      expect(
        shown.some((text) => text.replace(/\s/g, '').includes(digits) && text.includes(caller_name)),
        `${caller} ${caller_name}`,
      ).toBe(true);
    }
    await page.getByTestId('nav-extensions').click();
    await page.getByText('after 99999').waitFor();
  });
});

describe('lines', () => {
  test('say why one is down and what to do, and one is made by keyboard', async () => {
    await enter('/trunks');
    await page.getByTestId('trunk-secours').getByText('L’opérateur refuse').waitFor();
    await page.getByTestId('trunk-operateur').getByText('1 sur 4').waitFor();
    await page.getByTestId('trunk-new').press('Enter');
    await page.getByLabel('Nom').fill('Nouvelle');
    await page.getByLabel('Serveur', { exact: true }).fill('a b');
    await page.getByLabel('Identifiant', { exact: true }).fill('compte');
    await page.getByLabel('Numéro présenté', { exact: true }).fill('01 99 00 12 34');
    await page.keyboard.press('Enter');
    await page.getByText('Ce n’est pas un serveur').waitFor();
    await page.getByLabel('Serveur', { exact: true }).fill('sip.carrier.example');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.getByRole('cell', { name: 'Nouvelle', exact: true }).waitFor();
  });

  test('a number is added below them', async () => {
    await enter('/trunks');
    await page.getByTestId('number-+33199001234').waitFor();
    await page.getByTestId('number-new').click();
    await page.getByRole('dialog').getByLabel('Numéro').fill('+33199005678');
    await page.getByRole('dialog').getByLabel('Mène à').fill('201');
    await page.getByTestId('number-save').click();
    await page.getByTestId('number-+33199005678').waitFor();
  });
});

describe('recent calls', () => {
  test('are narrowed by keyboard, the address keeps how, and all come back', async () => {
    await enter('/call-records');
    const rows = page.getByTestId('call-record');
    await rows.nth(2).waitFor();
    await page.getByLabel('Numéro ou nom').focus();
    await page.keyboard.type('06 39 98');
    await rows.nth(1).waitFor({ state: 'detached' });
    expect(await rows.textContent()).toContain('Régie son');
    expect(new URL(page.url()).searchParams.get('q')).toBe('06 39 98');
    for (let tabs = 0; !(await focusedLabel()).startsWith('Réponse'); tabs += 1) {
      expect(tabs).toBeLessThan(12);
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('ArrowDown');
    await page.getByText('Aucun appel ne correspond.').waitFor();
    await page.reload();
    await page.getByText('Aucun appel ne correspond.').waitFor();
    await page.getByRole('button', { name: 'Tout afficher' }).click();
    await rows.nth(2).waitFor();
    expect(new URL(page.url()).search).toBe('');
  });

  test('are narrowed by extension, outcome and day', async () => {
    await enter('/call-records');
    const rows = page.getByTestId('call-record');
    await rows.nth(2).waitFor();
    await page.getByLabel('Poste').selectOption('205');
    await rows.nth(1).waitFor({ state: 'detached' });
    expect(await rows.textContent()).toContain('Loges');
    await page.getByLabel('Poste').selectOption('');
    await page.getByLabel('Résultat').selectOption('answered');
    await expect.poll(() => rows.allTextContents(), { timeout: 30_000 }).toEqual([expect.stringContaining('Camille')]);
    await page.getByLabel('Résultat').selectOption('');
    await rows.nth(2).waitFor();
    await page.getByLabel('Du', { exact: true }).fill('2030-01-01');
    await page.getByText('Aucun appel ne correspond.').waitFor();
  });

  test('leave as a table of what is shown', async () => {
    await enter('/call-records?outcome=answered');
    const link = page.getByTestId('call-records-export');
    await link.waitFor();
    expect(await link.getAttribute('href')).toBe('/api/v1/call_records.csv?outcome=answered&lang=fr');
    const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
    expect(download.suggestedFilename()).toBe('appels.csv');
  });
});

test('a field that is typed into keeps the focus while what was typed is looked for, and follows the address', async () => {
  await enter('/call-records');
  await page.getByTestId('call-record').nth(2).waitFor();
  const field = page.getByLabel('Numéro ou nom');
  await field.focus();
  let typed = '';
  for (const key of 'Camille') {
    await page.keyboard.press(key);
    typed += key;
    await page.waitForURL((url) => url.searchParams.get('q') === typed);
    expect(await focusedLabel()).toBe('Numéro ou nom');
    expect(await field.inputValue()).toBe(typed);
  }
  await page.getByRole('button', { name: 'Tout afficher' }).click();
  await page.waitForFunction(() => document.querySelector<HTMLInputElement>('input[type=search]')?.value === '');
});

describe('what is wrong with the database is said in the reader’s language', () => {
  test.each([
    ['slow', 'La base de données tarde à répondre.'],
    ['full', 'Le disque est plein.'],
    ['unreachable', 'Le serveur de base de données ne répond pas.'],
  ])('%s', async (code, sentence) => {
    house.status.store = { good: false, code, waiting: 2, lost: 0, error: '' };
    await enter('/');
    await page.getByTestId('health').getByText(sentence).waitFor();
    expect(await page.getByTestId('health').textContent()).toContain('Les appels continuent');
    await page.goto(`${house.address}/calls`);
    await page.getByTestId('store-trouble').getByText(sentence).waitFor();
  });
});

test('of a telephone that only listens it is said that nothing was heard', async () => {
  const quality = house.records[0]?.legs[0]?.quality;
  if (!quality) throw new Error('the venue has a call with sound');
  Object.assign(quality, { grade: 'silent', from: null } satisfies Partial<typeof quality>);
  await enter('/call-records/40');
  const row = page.getByTestId('sound').locator('tbody tr').first();
  await row.getByText('on n’en a rien entendu').waitFor();
  expect(await row.getByTestId('quality').textContent()).toBe('rien entendu');
});

describe('by keyboard', () => {
  test('skip link, navigation, and the heading of the next page has the focus', async () => {
    await enter('/');
    await page.getByTestId('health').waitFor();
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Aller au contenu');
    await page.getByTestId('nav-extensions').focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement?.tagName === 'H1');
    expect(await focused()).toBe('Postes');
  });

  test('an extension is created, its secret closed on purpose only, and the focus comes back', async () => {
    await enter('/extensions');
    await page.getByTestId('extension-new').focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement?.getAttribute('data-testid') === 'extension-number');
    await page.keyboard.type('214');
    await page.keyboard.press('Tab');
    await page.keyboard.type('Caisse');
    await page.keyboard.press('Enter');
    const secret = page.getByTestId('extension-secret');
    await secret.waitFor();
    await page.keyboard.press('Escape');
    expect(await secret.textContent()).toBe('kfm7vq2xw9rtbh4ncd3e');
    await page.getByTestId('extension-secret-close').focus();
    await page.keyboard.press('Enter');
    await secret.waitFor({ state: 'detached' });
    await page.getByTestId('extension-state-214').waitFor();
    expect(await page.content()).not.toContain('kfm7vq2xw9rtbh4ncd3e');
    await page.waitForFunction(() => document.activeElement?.getAttribute('data-testid') === 'extension-new');
  });

  test('a danger is asked about first, the focus on the way back', async () => {
    await enter('/extensions/203');
    await page.getByTestId('extension-delete').focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement?.textContent === 'Annuler');
    await page.keyboard.press('Escape');
    await page.getByTestId('extension-delete-confirm').waitFor({ state: 'detached' });
    expect(await page.getByTestId('extension-state-203').count()).toBeGreaterThan(0);
    await page.getByTestId('extension-delete').click();
    await page.getByTestId('extension-delete-confirm').click();
    await page.getByTestId('extension-state-203').first().waitFor({ state: 'detached' });
  });
});

test('another language keeps a half-filled form, and is remembered', async () => {
  await enter('/setup#token=word');
  await page.getByTestId('administrator-name').fill('camille');
  await page.getByRole('button', { name: 'English' }).click();
  await page.getByText('Create the administrator').waitFor();
  expect(await page.getByTestId('administrator-name').inputValue()).toBe('camille');
  await page.reload();
  await page.getByText('Create the administrator').waitFor();
});

test('a session that ends elsewhere leads to the sign-in and back to the same page', async () => {
  await enter('/call-records');
  await page.locator('tbody tr').first().waitFor();
  house.signedIn = false;
  house.cut();
  await page.getByTestId('sign-in-name').fill('camille');
  await page.getByTestId('sign-in-password').fill('une longue phrase');
  await page.getByTestId('sign-in').click();
  await page.locator('tbody tr').first().waitFor();
  expect(new URL(page.url()).pathname).toBe('/call-records');
  await page.getByTestId('account').click();
  await page.getByTestId('sign-out').click();
  await page.getByTestId('sign-in-name').waitFor();
});

async function focused(): Promise<string> {
  return page.evaluate(() => document.activeElement?.textContent ?? '');
}

async function focusedLabel(): Promise<string> {
  return page.evaluate(() => (document.activeElement as HTMLInputElement | null)?.labels?.[0]?.textContent ?? '');
}
