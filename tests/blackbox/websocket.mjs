// Drives Chromium for websocket.rs: JsSIP registers over WSS, sends a text, is called and refuses, calls and is refused.
const { chromium } = await import(process.env.PLAYWRIGHT);
const { build } = await import(`${process.env.MODULES}/vite/dist/node/index.js`);

const [{ output }] = await build({
  configFile: false,
  logLevel: 'error',
  define: { 'process.env.NODE_ENV': '"production"' },
  build: { write: false, minify: false, lib: { entry: `${process.env.MODULES}/jssip/lib/JsSIP.js`, name: 'JsSIP', formats: ['iife'], fileName: 'jssip' } },
});
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
});
// The certificate is the switchboard's own, which nobody in this browser knows.
const page = await browser.newPage({ ignoreHTTPSErrors: true });
page.on('console', (message) => console.log(message.text()));
page.on('pageerror', (error) => console.log('page error', error.message));
await page.goto(`https://${process.env.HOUSE}/`);
// Past the page's own policy, which lets no foreign script in.
await page.evaluate(output[0].code.replace(/^var JsSIP\b|^const JsSIP\b|^let JsSIP\b/m, 'globalThis.JsSIP'));
await page.evaluate(
  ({ house, domain, user, secret }) => {
    const { UA, WebSocketInterface } = globalThis.JsSIP.default ?? globalThis.JsSIP;
    const phone = new UA({ sockets: [new WebSocketInterface(`wss://${house}/sip`)], uri: `sip:${user}@${domain}`, password: secret, register_expires: 120 });
    globalThis.phone = phone;
    phone.on('registered', () => console.log('registered'));
    phone.on('unregistered', () => console.log('unregistered'));
    phone.on('registrationFailed', ({ cause, response }) => console.log('registration failed:', cause, response?.data));
    phone.on('newMessage', ({ originator, request }) => originator === 'remote' && console.log('text', request.body));
    phone.on('newRTCSession', ({ originator, session, request }) => {
      if (originator !== 'remote') return;
      console.log('called by', request.from.uri.user);
      session.terminate({ status_code: 486, reason_phrase: 'Busy Here' });
    });
    phone.start();
  },
  { house: process.env.HOUSE, domain: process.env.DOMAIN, user: process.env.USER_OF_PHONE, secret: process.env.SECRET },
);
for await (const line of (await import('node:readline')).createInterface({ input: process.stdin })) {
  const [word, to] = line.split(' ');
  if (word === 'text')
    await page.evaluate((to) => globalThis.phone.sendMessage(to, 'Doors open at eight', { eventHandlers: { succeeded: () => console.log('text taken') } }), to);
  else if (word === 'call')
    await page.evaluate((to) => globalThis.phone.call(to, { mediaConstraints: { audio: true, video: false }, eventHandlers: { failed: ({ cause }) => console.log('call failed:', cause) } }), to);
  else if (word === 'leave') await page.evaluate(() => globalThis.phone.unregister());
  else break;
}
await browser.close();
process.exit(0);
