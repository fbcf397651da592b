import { chromium } from 'playwright-core';
import { test } from 'vitest';
import { StandIn } from '/work/main/admin-web/ui/walk/stand_in';
import { furnish } from '/work/main/admin-web/ui/walk/venue';
const out = '/tmp/ui-draft/shots';
test('look', { timeout: 120_000 }, async () => {
  const house = new StandIn(); await house.open(); furnish(house);
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox','--disable-gpu','--disable-quic','--no-first-run','--disable-background-networking','--disable-component-update','--disable-sync'] });
  for (const [scheme, lang, w, h] of [['light','fr-FR',1280,800],['dark','en-GB',1280,800]] as const) {
    const ctx = await browser.newContext({ locale: lang, colorScheme: scheme, viewport: { width: w, height: h } });
    const page = await ctx.newPage();
    page.on('console', (m) => { if (m.type() !== 'info' && m.type() !== 'debug') console.log(scheme, m.type(), m.text()); });
    page.on('pageerror', (e) => console.log('pageerror', e.message));
    const go = async (path: string, name: string, act?: () => Promise<unknown>) => { await page.goto(house.address + path); await page.waitForTimeout(500); if (act) { await act(); await page.waitForTimeout(500); } await page.screenshot({ path: `${out}/${name}-${scheme}.png` }); };
    house.signedIn = true;
    await go('/', 'home'); await go('/extensions', 'extensions'); await go('/extensions/201', 'sheet'); await go('/extensions/201','delete', () => page.getByTestId('extension-delete').click());
    await go('/extensions/new', 'new', async () => { await page.getByTestId('extension-number').fill('201'); await page.getByTestId('extension-name').fill('X'); await page.getByTestId('extension-create').click(); });
    await go('/extensions/new', 'secret', async () => { await page.getByTestId('extension-number').fill(scheme==='light'?'214':'215'); await page.getByTestId('extension-name').fill('Vestiaire'); await page.getByTestId('extension-create').click(); });
    await go('/extensions/import', 'import', async () => { await page.getByRole('textbox', {name: /List/}).fill('number,name,secret,email\n201,A,,\n15,B,,'); await page.getByRole('button', { name: /^Import/ }).last().click(); });
    await go('/calls', 'calls'); await go('/call-records', 'records'); await go('/call-records/40', 'record40'); await go('/call-records/39', 'record39');
    house.status.store = { good: false, waiting: 2, lost: 0, error: 'error returned from database: (code: 5) database is locked' };
    await go('/', 'trouble');
    house.status.store = { good: true, waiting: 0, lost: 0, error: '' };
    await go('/calls', 'lost', async () => { house.reachable = false; house.cut(); await page.waitForTimeout(2500); }); house.reachable = true;
    house.signedIn = false; await go('/', 'signin'); 
    await go('/sign-in', 'signin-wrong', async () => { await page.getByTestId('sign-in-name').fill('camille'); await page.getByTestId('sign-in-password').fill('x'); await page.getByTestId('sign-in').click(); });
    await go('/setup#token=abc', 'setup', async () => { await page.getByTestId('administrator-name').fill('camille'); await page.getByTestId('administrator-password').fill('une phrase longue'); });
    house.signedIn = true;
    await page.setViewportSize({ width: 360, height: 720 });
    await go('/extensions', 'narrow-extensions'); await go('/call-records/40', 'narrow-record');
    await ctx.close();
  }
  await browser.close(); house.close();
});
