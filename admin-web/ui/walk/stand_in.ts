/**
 * Stands in for the switchboard: the built pages under the same content security policy, the interface typed by the server's own
 * description, and an event stream that the walk may tell what to say, cut and restore. What the real program does with these
 * pages is the matter of tests/blackbox.
 */
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { extname, join, normalize } from 'node:path';
import type { Schemas } from '../src/api/client';

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

type Registration = Schemas['Registration'];

/** Which start of the switchboard this is. */
const START = '5f0c9a3be1d24768';
const REMEMBERED = 4096;

export class StandIn {
  extensions: Schemas['Extension'][] = [];
  records: Schemas['CallRecord'][] = [];
  calls: Schemas['Call'][] = [];
  registrations: Registration[] = [];
  bans: Schemas['Ban'][] = [];
  spendings: Schemas['Spending'][] = [];
  turnedAway: Schemas['TurnedAway'][] = [];
  toll: Schemas['Toll'] = toll();
  certificate: Schemas['Certificate'] = {
    origin: 'acme',
    names: ['pbx.example.org'],
    issuer: '',
    is_own_making: true,
    valid_from: '2026-11-20T10:00:00Z',
    valid_until: '2027-02-18T10:00:00Z',
    fingerprint: Array.from({ length: 32 }, () => 'AB').join(':'),
    trouble: 'connection',
  };
  trunks: Schemas['Trunk'][] = [];
  lines: Schemas['LineStatus'][] = [];
  numbers: Schemas['Number'][] = [];
  status: Schemas['Status'] = {
    version: '0.1.0',
    sip_udp: '0.0.0.0:5060',
    sip_tcp: '0.0.0.0:5060',
    sip_tls: '0.0.0.0:5061',
    registered: 0,
    calls: 0,
    store: { good: true, waiting: 0, lost: 0, code: '', error: '' },
  };
  signedIn = true;
  needed = false;
  reachable = true;
  address = '';
  /** How often a page went on where it was. */
  resumed = 0;
  #sequence = 0;
  /** The last messages, as the switchboard remembers its own. */
  #told: string[] = [];
  readonly #watchers = new Set<ServerResponse>();
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  async open(port = 0): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    const bound = this.#server.address();
    if (bound === null || typeof bound === 'string') throw new Error('a listening server has a port');
    this.address = `http://127.0.0.1:${bound.port}`;
  }

  close(): void {
    this.cut();
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Ends every event stream. */
  cut(): void {
    for (const watcher of this.#watchers) watcher.destroy();
    this.#watchers.clear();
  }

  /** Something has changed: it is put into the picture and told. */
  tell(
    event: 'registration' | 'call' | 'call_ended' | 'ban_ended' | 'spending' | 'line',
    told: Registration | Schemas['Call'] | Schemas['Spending'] | Schemas['LineStatus'] | { id: string },
  ): void {
    if ('extension' in told) {
      this.registrations = this.registrations.filter(({ extension }) => extension !== told.extension);
      if (told.devices.length > 0) this.registrations.push(told);
    } else if ('since' in told && 'server' in told) {
      this.lines = [...this.lines.filter(({ id }) => id !== told.id), told];
    } else if ('cost_of_day' in told) {
      this.spendings = [...this.spendings.filter(({ id }) => id !== told.id), told];
    } else if (event === 'ban_ended') {
      this.bans = this.bans.filter(({ id }) => id !== told.id);
    } else {
      this.calls = this.calls.filter(({ id }) => id !== told.id);
      if ('caller' in told) this.calls.push(told);
    }
    this.#sequence += 1;
    const sent = message(event, this.#sequence, told);
    this.#told.push(sent);
    if (this.#told.length > 2 * REMEMBERED) this.#told = this.#told.slice(-REMEMBERED);
    for (const watcher of this.#watchers) watcher.write(sent);
  }

  /** What followed the message that the page had last, or the whole picture. */
  #missed(last: string | undefined): string {
    const known = last?.startsWith(`${START}-`) ? this.#sequence - Number(last.slice(START.length + 1)) : Number.NaN;
    if (known >= 0 && known <= Math.min(this.#told.length, REMEMBERED)) {
      this.resumed += 1;
      return known === 0 ? '' : this.#told.slice(-known).join('');
    }
    return message('snapshot', this.#sequence, {
      registrations: this.registrations,
      calls: this.calls,
      lines: this.lines,
      bans: this.bans,
      spendings: this.spendings,
      turned_away: this.turnedAway,
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://here');
    if (!pathname.startsWith('/api/')) return this.#page(pathname, response);
    if (!this.reachable) {
      response.destroy();
      return;
    }
    const body = await text(request);
    const [, , , noun = '', name, more] = pathname.split('/');
    const method = request.method ?? 'GET';
    const json = (content: unknown, status = 200) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(content));
    };
    const problem = (status: number, code: string, more: Partial<Schemas['Problem']> = {}) => {
      response.writeHead(status, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ type: 'about:blank', title: code, status, code, ...more }));
    };
    if (noun === 'setup' && method === 'GET') return json({ needed: this.needed });
    const session = { name: 'camille', role: 'admin', csrf: 'word' };
    if ((noun === 'setup' || noun === 'session') && method === 'POST') {
      if (noun === 'session' && JSON.parse(body).password !== 'une longue phrase')
        return problem(401, 'wrong_password');
      this.signedIn = true;
      return json(session);
    }
    if (!this.signedIn) return problem(401, 'unauthenticated');
    if (method !== 'GET' && request.headers['x-csrf-token'] !== 'word') return problem(403, 'csrf');
    switch (`${method} ${noun}`) {
      case 'GET session':
        return json(session);
      case 'DELETE session':
        this.signedIn = false;
        return void response.writeHead(204).end();
      case 'GET status':
        return json(this.status);
      case 'GET trunks':
        return json({ items: this.trunks, next: null });
      case 'POST trunks': {
        const line = this.lines.find(({ id }) => id === name);
        if (more === 'test' && line) {
          const { extension, number, shown }: Schemas['NewLineTest'] = JSON.parse(body);
          if (extension !== '201') return problem(422, 'no_extension', { field: 'extension' });
          const until = new Date(Date.now() + 300_000).toISOString();
          this.tell('line', { ...line, test: { extension, number, shown, until, state: 'waiting' } });
          return void response.writeHead(204).end();
        }
        const settings: Schemas['TrunkSettings'] = JSON.parse(body);
        if (settings.server === 'a b') return problem(422, 'trunk_server', { field: 'server' });
        const made = { id: 'new', settings, has_secret: settings.secret !== undefined, line: null };
        this.trunks.push(made);
        return json(made, 201);
      }
      case 'GET trunk_profiles':
        return json({ items: [generic], next: null });
      case 'GET number_shapes':
        return json({
          number: '+33199001234',
          plus: '+33199001234',
          double_zero: '0033199001234',
          bare: '33199001234',
          national: '0199001234',
        });
      case 'GET numbers':
        return json({ items: this.numbers, next: null });
      case 'POST numbers': {
        const { number, label = '', to }: Schemas['NewNumber'] = JSON.parse(body);
        const made = { number, label, to, name: 'Billetterie' };
        this.numbers.push(made);
        return json(made, 201);
      }
      case 'GET extensions':
        return json({ items: this.extensions, next: null });
      case 'POST extensions': {
        if (name === 'import')
          return problem(422, 'csv', { errors: [{ line: 2, message: 'Ce numéro est déjà pris.' }] });
        const found = this.extensions.find(({ number }) => number === (name ?? JSON.parse(body).number));
        const secret = { secret: 'kfm7vq2xw9rtbh4ncd3e', server: '0.0.0.0:5060', domain: '' };
        if (more === 'secret' && found) return json({ ...found, ...secret });
        if (found) return problem(409, 'extension_taken');
        const made = extension(JSON.parse(body).number, JSON.parse(body).name);
        this.extensions = [...this.extensions, made].sort((a, b) => a.number.localeCompare(b.number));
        return json({ ...made, ...secret }, 201);
      }
      case 'PATCH extensions':
        this.extensions = this.extensions.map((one) => (one.number === name ? { ...one, ...JSON.parse(body) } : one));
        return json(this.extensions.find(({ number }) => number === name));
      case 'DELETE extensions':
        this.extensions = this.extensions.filter(({ number }) => number !== name);
        return void response.writeHead(204).end();
      case 'DELETE bans':
        this.tell('ban_ended', { id: decodeURIComponent(name ?? '') });
        return void response.writeHead(204).end();
      case 'GET certificate':
        return json(this.certificate);
      case 'GET toll':
        return json(this.toll);
      case 'PUT toll': {
        const given: Schemas['Toll'] = JSON.parse(body);
        if (given.extension.cost_of_hour === 0) return problem(422, 'ceiling', { field: 'extension' });
        this.toll = given;
        return json(given);
      }
      case 'GET countries':
        return json({ items: ['BE', 'CH', 'ES'], next: null });
      case 'POST spendings': {
        const found = this.spendings.find(({ id }) => id === name);
        if (!found) return problem(404, 'not_found');
        const allowed_until = new Date(Date.now() + 3_600_000).toISOString();
        this.tell('spending', { ...found, reached: null, allowed_until });
        return void response.writeHead(204).end();
      }
      case 'DELETE calls':
        this.tell('call_ended', { id: name ?? '' });
        return void response.writeHead(204).end();
      case 'GET call_records.csv':
        response.writeHead(200, {
          'content-type': 'text/csv; charset=utf-8',
          'content-disposition': 'attachment; filename="appels.csv"',
        });
        return void response.end('\ufeffAppel;Début\r\n');
      case 'GET call_records': {
        if (name === undefined)
          return json({ items: this.records.filter((one) => fits(one, searchParams)), next: null });
        const record = this.records.find(({ id }) => id === name);
        return record ? json(record) : problem(404, 'not_found');
      }
      case 'GET events':
        response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
        response.flushHeaders();
        response.write(this.#missed(request.headers['last-event-id'] as string | undefined));
        this.#watchers.add(response);
        response.on('close', () => this.#watchers.delete(response));
        return;
      default:
        return problem(404, 'not_found');
    }
  }

  async #page(pathname: string, response: ServerResponse): Promise<void> {
    const dist = join(import.meta.dirname, '..', 'dist');
    const wanted = extname(pathname) === '' ? 'index.html' : normalize(pathname);
    try {
      const content = await readFile(join(dist, wanted));
      response.writeHead(200, {
        'content-type': TYPES[extname(wanted)] ?? 'application/octet-stream',
        'content-security-policy': POLICY,
      });
      response.end(content);
    } catch {
      response.writeHead(404).end();
    }
  }
}

export function extension(
  number: string,
  name: string,
  more: Partial<Schemas['Extension']> = {},
): Schemas['Extension'] {
  return {
    number,
    name,
    site: 'main',
    enabled: true,
    registered: false,
    devices: [],
    networks: [],
    encryption: 'optional',
    protects_sound: false,
    created_at: '2026-11-20T10:00:00Z',
    email: null,
    ...more,
  };
}

export function registration(number: string, userAgent: string, address: string): Registration {
  const contact = `sip:${number}@${address}`;
  const expires_at = new Date(Date.now() + 3_000_000).toISOString();
  return {
    extension: number,
    registered: true,
    devices: [{ contact, user_agent: userAgent, address, transport: 'UDP', expires_at }],
  };
}

function fits(record: Schemas['CallRecord'], asked: URLSearchParams): boolean {
  const { caller, dialled, callee, caller_name, outcome, started_at, answered_at } = record;
  const is = (name: string, fits: (wanted: string) => boolean) => !asked.has(name) || fits(asked.get(name) ?? '');
  return (
    is('q', (q) => [caller, dialled, callee, caller_name.toLowerCase()].some((one) => one.includes(q.toLowerCase()))) &&
    is('party', (party) => [caller, dialled, callee].includes(party)) &&
    is('outcome', (code) => outcome === code) &&
    is('answered', (answered) => answered === String(answered_at !== null)) &&
    is('from', (from) => Date.parse(started_at) >= Date.parse(from)) &&
    is('until', (until) => Date.parse(started_at) < Date.parse(until))
  );
}

function message(event: string, sequence: number, told: unknown): string {
  return `event: ${event}\nid: ${START}-${sequence}\ndata: ${JSON.stringify(told)}\n\n`;
}

async function text(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

function toll(): Schemas['Toll'] {
  const ceilings = { minutes_of_hour: 180, minutes_of_day: 600, cost_of_hour: 10, cost_of_day: 30 };
  const rates = [
    { prefix: '+', per_minute: 0.5 },
    { prefix: '+336', per_minute: 0.1 },
  ];
  return { countries: [], rates, house: { ...ceilings }, extension: { ...ceilings }, alerted: [] };
}

/** A line as most carriers want it. */
export function trunk(id: string, name: string, settings: Partial<Schemas['TrunkSettings']> = {}): Schemas['Trunk'] {
  const usual = { ...generic.settings, name, server: 'sip.carrier.example', user: '0033199001234' };
  return { id, settings: { ...usual, number: '+33199001234', ...settings }, has_secret: true, line: null };
}

const generic: Schemas['TrunkProfile'] = {
  id: 'generic',
  name: 'Autre opérateur',
  verified_on: '2026-11-25',
  tried_on_a_line: false,
  asks: ['server', 'user', 'secret', 'number'],
  example: { server: 'sip.carrier.example' },
  settings: {
    name: '',
    enabled: true,
    profile: 'generic',
    registers: true,
    server: '',
    more_servers: [],
    outbound_proxy: '',
    transport: null,
    user: '',
    auth_user: '',
    number: '',
    called: 'plus',
    caller: 'plus',
    arriving: 'plus',
    believes: ['p_asserted_identity', 'from'],
    says: 'p_asserted_identity',
    shows_caller: false,
    protects_sound: false,
    register_s: 0,
    channels: 2,
    calls_per_second: 1,
    priority: 10,
    probe_s: 60,
  },
  sources: [],
  unverified: [],
};
