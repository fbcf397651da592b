// Drives Chromium for browser.rs: set-up link, new extension 214, its secret to the test, the dot that turns green, and a page left open
// while the telephone registers again and again: it weighs no more afterwards, and shows what is true.
const { chromium } = await import(process.env.PLAYWRIGHT);

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
});
const page = await browser.newPage({ locale: 'fr-FR' });
const strangers = [];
const house = new URL(process.env.LINK).host;
page.on('request', (request) => {
  const url = new URL(request.url());
  if (url.protocol.startsWith('http') && url.host !== house) strangers.push(request.url());
});
page.on('pageerror', (error) => console.log('page error', error.message));

const step = async (name, work) => {
  try {
    return await work();
  } catch (error) {
    console.log(`${name} failed: ${error.message}`);
    console.log(await page.locator('body').innerText().catch(() => 'no page'));
    await browser.close();
    process.exit(1);
  }
};

await step('set-up', async () => {
  await page.goto(process.env.LINK);
  await page.getByTestId('administrator-name').fill('camille');
  await page.getByTestId('administrator-password').fill('une phrase de passe bien longue');
  await page.getByTestId('administrator-password-again').fill('une phrase de passe bien longue');
  await page.getByTestId('administrator-create').click();
});
await step('create an extension', async () => {
  await page.getByTestId('nav-extensions').click();
  await page.getByTestId('extension-new').click();
  await page.getByTestId('extension-number').fill('214');
  await page.getByTestId('extension-name').fill('Accueil');
  await page.getByTestId('extension-create').click();
  const secret = (await page.getByTestId('extension-secret').innerText()).trim();
  await page.getByTestId('extension-secret-close').click();
  await page.locator('[data-testid="extension-state-214"][data-registered="false"]').waitFor({ state: 'attached' });
  console.log(`secret ${secret}`);
});
await step('the dot turns green', async () => {
  await page.locator('[data-testid="extension-state-214"][data-registered="true"]').waitFor({ state: 'attached', timeout: 25_000 });
  console.log('green');
});
const lines = (await import('node:readline')).createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const session = await page.context().newCDPSession(page);
const weigh = async () => {
  await session.send('HeapProfiler.collectGarbage');
  return (await session.send('Runtime.getHeapUsage')).usedSize;
};
await step('the page is left open', async () => {
  // The first thousands warm it up: what the browser compiles and keeps for good is not the page's growth.
  await lines.next();
  const before = await weigh();
  console.log('warm');
  await lines.next();
  await page.locator('[data-testid="extension-state-214"][data-registered="false"]').waitFor({ state: 'attached', timeout: 25_000 });
  const shown = await page.evaluate(async () => (await (await fetch('/api/v1/extensions/214')).json()).devices.length);
  if (shown !== 0) throw new Error('the page shows what is not true');
  console.log(`grown ${(await weigh()) - before}`);
});
if (strangers.length > 0) {
  console.log('asked other hosts:', strangers.join(' '));
  process.exit(1);
}
await lines.next();
await browser.close();
process.exit(0);
