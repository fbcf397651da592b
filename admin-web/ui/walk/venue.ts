/** A small venue on an evening with a show, for the stand-in. Numbers are those reserved for fiction. */
import type { Schemas } from '../src/api/client';
import { extension, registration, type StandIn, trunk } from './stand_in';

const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();

export function furnish(house: StandIn): void {
  house.extensions = [
    extension('201', 'Billetterie', { email: 'billetterie@example.org' }),
    extension('202', 'Camille Rivière', { email: 'camille@example.org' }),
    extension('203', 'Régie son'),
    extension('204', 'Bar'),
    extension('205', 'Loges'),
    extension('210', 'Accueil des artistes', { email: 'accueil@example.org' }),
    extension('211', 'Ancien bureau', { enabled: false }),
    extension('007', 'Gardien'),
  ].sort((a, b) => a.number.localeCompare(b.number));
  const desk = registration('201', 'Yealink SIP-T54W 96.86.0.100', '192.0.2.21:5060');
  const soft = registration('201', 'Linphone-Desktop/5.2.6', '192.0.2.40:53012');
  house.registrations = [
    { ...desk, devices: [...desk.devices, ...soft.devices] },
    registration('202', 'baresip v3.16.0', '192.0.2.22:5062'),
    registration('204', 'snomD385/10.1.198.19', '192.0.2.24:5060'),
    registration('210', 'Gigaset N670 IP PRO', '[2001:db8::24]:5060'),
  ];
  house.trunks = [
    trunk('operateur', 'Opérateur', { channels: 4 }),
    trunk('secours', 'Secours', { priority: 20, number: '+33199005678' }),
    trunk('ancienne', 'Ancienne ligne', { enabled: false }),
  ];
  const line = { registered_until: null, server: '192.0.2.80:5060', calls: 0, status: null, failure: null, test: null };
  house.lines = [
    { ...line, id: 'operateur', state: 'up', since: ago(86_400), calls: 1 },
    { ...line, id: 'secours', state: 'down', since: ago(90), failure: 'credentials', status: 401 },
  ];
  house.numbers = [{ number: '+33199001234', label: 'Accueil', to: '201', name: 'Billetterie' }];
  house.bans = [
    { id: '203.0.113.9', why: 'wrong_secret', times: 2, since: ago(600), until: ago(-3000) },
    { id: '2001:db8:7::', why: 'unproven', times: 1, since: ago(60), until: ago(-540) },
  ];
  house.turnedAway = [{ extension: '203', address: '203.0.113.40:5060', why: 'encryption', at: ago(30) }];
  const spent = { minutes_of_hour: 12, minutes_of_day: 48, cost_of_hour: 1.2, cost_of_day: 4.8 };
  house.spendings = [
    { id: 'house', ...spent, reached: null, allowed_until: null },
    { id: '204', ...spent, reached: 'cost_of_hour', allowed_until: null },
  ];
  house.calls = [
    {
      id: '41',
      caller: '+33639981234',
      caller_name: '',
      dialled: '201',
      callee: '201',
      state: 'talking',
      started_at: ago(197),
      answered_at: ago(185),
      legs: [
        { party: '+33639981234', codec: 'PCMA', protected: false, quality: sound('fair', 3.1, 41) },
        { party: '201', codec: 'PCMA', protected: false, quality: sound('good', 0, 1.2) },
      ],
    },
    {
      id: '42',
      caller: '204',
      caller_name: 'Bar',
      dialled: '202',
      callee: '202',
      state: 'ringing',
      started_at: ago(6),
      answered_at: null,
      legs: [],
    },
    {
      id: '43',
      caller: '',
      caller_name: '',
      dialled: '210',
      callee: '210',
      state: 'held',
      started_at: ago(4000),
      answered_at: ago(3990),
      legs: [
        {
          party: '210',
          codec: 'OPUS',
          protected: true,
          quality: { ...sound('good', 0, 8), to: null, round_trip_ms: null },
        },
      ],
    },
  ];
  house.records = records();
}

function sound(grade: Schemas['Grade'], loss_percent: number, round_trip_ms: number): Schemas['Quality'] {
  const one = { loss_percent, jitter_ms: 1.8 };
  return { grade, from: one, to: one, round_trip_ms };
}

function records(): Schemas['CallRecord'][] {
  const leg = (
    party: string,
    user_agent: string,
    invited: number,
    answered: number | null,
    ended: number,
    end: string,
  ): Schemas['Leg'] => ({
    party,
    user_agent,
    invited_at: ago(invited),
    answered_at: answered === null ? null : ago(answered),
    ended_at: ago(ended),
    end,
    codec: answered === null ? null : 'PCMA',
    protected: false,
    packets_received: answered === null ? 0 : 9_214,
    packets_sent: answered === null ? 0 : 9_198,
    packets_lost: answered === null ? 0 : 3,
    quality: answered === null ? null : sound(end === 'answered' && party === '202' ? 'bad' : 'good', 0.03, 12.4),
  });
  return [
    {
      id: '40',
      caller: '202',
      caller_name: 'Camille Rivière',
      dialled: '201',
      callee: '201',
      grade: 'bad',
      started_at: ago(1500),
      answered_at: ago(1488),
      ended_at: ago(1304),
      outcome: 'answered',
      codec: 'PCMA',
      plan_revision: 3,
      legs: [
        leg('202', 'baresip v3.16.0', 1500, 1488, 1304, 'answered'),
        leg('201', 'Yealink SIP-T54W 96.86.0.100', 1499.9, 1488, 1304, 'answered'),
        leg('201', 'Linphone-Desktop/5.2.6', 1499.9, null, 1488, 'elsewhere'),
      ],
      trace: [
        { code: 'extension', params: { number: '201', name: 'Billetterie' } },
        { code: 'to_extension', params: { number: '201' } },
      ],
    },
    {
      id: '39',
      caller: '203',
      caller_name: 'Régie son',
      dialled: '0639981234',
      callee: '',
      grade: null,
      started_at: ago(90_000),
      answered_at: null,
      ended_at: ago(89_999),
      outcome: 'no_outside_line',
      codec: null,
      plan_revision: 3,
      legs: [leg('203', 'Grandstream GXP2170', 90_000, null, 89_999, 'no_outside_line')],
      trace: [
        { code: 'no_extension', params: { number: '0639981234' } },
        { code: 'rule_number', params: { rule: 'surtaxés', pattern: '089XXXXXXX' } },
        { code: 'rule_hours', params: { rule: 'nuit', time: '19:45', hours: '22:00-08:00' } },
        { code: 'rule_day', params: { rule: 'fin de semaine', day: 'tue', days: 'sat,sun' } },
        { code: 'rule_dates', params: { rule: 'relâche', date: '2026-11-24', dates: '2026-12-24/2027-01-03' } },
        { code: 'rule_matched', params: { rule: 'France' } },
        { code: 'to_outside', params: { number: '+33639981234', site: 'main' } },
        { code: 'turned', params: { why: 'no_outside_line' } },
      ],
    },
    {
      id: '38',
      caller: '+33199001234',
      caller_name: '',
      dialled: '205',
      callee: '',
      grade: null,
      started_at: ago(400_000),
      answered_at: null,
      ended_at: ago(399_960),
      outcome: 'no_answer',
      codec: null,
      plan_revision: 2,
      legs: [leg('+33199001234', 'trunk', 400_000, null, 399_960, 'no_answer')],
      trace: [{ code: 'extension', params: { number: '205', name: 'Loges' } }],
    },
  ];
}
