import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { unwrap, type UnwrapMode } from '../../inputs/_unwrap.ts'

/** Digits beyond 2^53 and a time that no double holds: what is written anew would lose them. */
const ALERT =
  '{"hostname":"h","output":"a \\"shell\\" {x}","output_fields":{"evt.time":1763870000123456789,"n":[1,{"log":2}]},"priority":"Notice","rule":"Terminal shell","time":"2026-01-31T12:00:00.123456789Z"}'
const NOTHING = { skipped: 'not-an-alert' }
const quoted = (text: string): string => JSON.stringify(text)

describe('an alert with nothing around it', () => {
  it.each(['auto', 'log', 'message', 'data', 'none'] as const)('stays as it is in mode %s', (mode) => {
    expect(unwrap(ALERT, mode)).toEqual({ text: ALERT })
  })

  it('stays as it is when it has members called as wrappers are', () => {
    const text = `{"message":"in words","log":"{}","data":{"rule":"x","priority":"Error"},${ALERT.slice(1)}`
    expect(unwrap(text, 'auto')).toEqual({ text })
  })
})

describe('an alert in a wrapping', () => {
  const shipped: Record<string, string> = {
    'Fluent Bit, text': `{"@timestamp":1.5,"stream":"stdout","log":${quoted(`${ALERT}\n`)},"kubernetes":{"pod_name":"falco"}}`,
    'Fluent Bit, object': `{"date":1763870000.12,"log":${ALERT}}`,
    Docker: `{"log":${quoted(`${ALERT}\n`)},"stream":"stdout","time":"2026-01-31T12:00:00Z"}`,
    Vector: `{"file":"/var/log/x","host":"n","message":${quoted(ALERT)},"source_type":"kubernetes_logs"}`,
    Filebeat: `{"@timestamp":"2026-01-31T12:00:00Z","@metadata":{"beat":"filebeat"},"message":${quoted(ALERT)},"log":{"offset":7,"file":{"path":"/x"}}}`,
    Logstash: `{"@version":"1","tags":[],"message":${quoted(ALERT)},"event":{"original":${quoted(ALERT)}}}`,
    CloudEvents: `{"specversion":"1.0","id":"1","source":"falco.org","type":"falco.rule.output.v1","data":${ALERT}}`,
    'a JSON text': quoted(ALERT),
    'two levels': `{"message":${quoted(`{"log":${quoted(`${ALERT}\n`)},"stream":"stdout"}`)}}`,
    'two levels of objects': `{"data":{"log":${ALERT}}}`,
    'with white space': ` {\n\t"stream" : "stdout" ,\r\n "log" : ${ALERT} } `,
  }

  it.each(Object.entries(shipped))('is cut out, every digit kept: %s', (_, text) => {
    expect(unwrap(text, 'auto')).toEqual({ text: ALERT })
  })

  it.each([
    ['log', `{"log":${ALERT},"message":"other"}`],
    ['message', `{"message":${quoted(ALERT)},"log":"other"}`],
    ['data', `{"data":${ALERT}}`],
  ] as const)('is looked for in %s alone when told so', (mode, text) => {
    expect(unwrap(text, mode)).toEqual({ text: ALERT })
    const other: UnwrapMode = mode === 'log' ? 'data' : 'log'
    expect(unwrap(text, other)).not.toEqual({ text: ALERT })
  })

  it('is left in it by none', () => {
    const text = `{"log":${ALERT}}`
    expect(unwrap(text, 'none')).toEqual({ text })
    expect(unwrap('Falco initialized', 'none')).toEqual({ text: 'Falco initialized' })
  })
})

describe('what is no alert', () => {
  it.each([
    '{"log":"Sat Jan 31 12:00:00 2026: Falco version: 0.42.1 (x86_64)\\n","stream":"stderr"}',
    '{"message":"2026-01-31T12:00:00+0000: Loading rules from: /etc/falco/falco_rules.yaml"}',
    '{"message":"{\\"level\\":\\"info\\",\\"msg\\":\\"started\\"}"}',
    '{"log":{"level":"info","msg":"started"}}',
    '{"message":""}',
    '{"level":"info","msg":"started","time":"2026-01-31T12:00:00Z"}',
    '2026-01-31T12:00:00+0000: Falco initialized with configuration files:',
    'libbpf: prog: failed to attach',
    '"started"',
    '""',
    '',
  ])('is skipped: %s', (text) => expect(unwrap(text, 'auto')).toEqual(NOTHING))

  it.each([
    ['an alert as text', '12:00:00.123456789: Warning Sensitive file opened'],
    ['an alert as text with its day', '2026-01-31T12:00:00.123456789+0000: Error Something'],
    ['an alert without its priority', '{"rule":"x","output_fields":{}}'],
    ['an alert that is cut off', '{"rule":"x","priority":"Error","output":"a'],
    ['another object', '{"id":7,"name":"x"}'],
    ['an array', '[1,2]'],
  ])('goes on to be refused by name: %s', (_, text) => expect(unwrap(text, 'auto')).toEqual({ text }))

  it('goes on to be refused from inside of a wrapping too', () => {
    const line = '12:00:00.123456789: Warning Sensitive file opened'
    expect(unwrap(`{"log":${quoted(line)}}`, 'auto')).toEqual({ text: line })
    expect(unwrap('{"log":"{\\"rule\\":\\"x\\"}"}', 'auto')).toEqual({ text: '{"rule":"x"}' })
  })

  it('ends: wrappings without end are not followed', () => {
    const deep = Array.from({ length: 1_000 }).reduce<string>((inner) => `{"log":${inner}}`, ALERT)
    expect(unwrap(deep, 'auto')).toEqual(NOTHING)
  })
})

describe('for any text', () => {
  const json = fc.json({ maxDepth: 4 })

  it('finds an alert behind any neighbours, in any of the three members, as text or object', () => {
    const neighbour = fc.tuple(fc.string({ unit: 'grapheme' }), json)
    fc.assert(
      fc.property(
        fc.constantFrom('log', 'message', 'data'),
        fc.boolean(),
        fc.array(neighbour),
        fc.array(neighbour),
        (name, asText, before, after) => {
          const others = [...before, ...after].map(([key]) => key)
          fc.pre(!others.some((key) => /^(log|message|data|rule|priority)$/.test(key)))
          const write = (members: [string, string][]) => members.map(([key, value]) => `${quoted(key)}: ${value}`)
          const inner = `"${name}":${asText ? quoted(ALERT) : ALERT}`
          const text = `{${[...write(before), inner, ...write(after)].join(' ,')}}`
          JSON.parse(text)
          expect(unwrap(text, 'auto')).toEqual({ text: ALERT })
        },
      ),
    )
  })

  it('never throws, and gives back a part of what it got or what a text in it says', () => {
    const pieces = fc.constantFrom('{', '}', '[', ']', '"', '\\', ':', ',', 'log', '"log"', '"rule"', ' ', '1', 'é')
    fc.assert(
      fc.property(
        fc.array(pieces).map((parts) => parts.join('')),
        fc.constantFrom('auto', 'log'),
        (text, mode) => {
          const found = unwrap(text, mode)
          expect('text' in found ? typeof found.text : found.skipped).toMatch(/^(string|not-an-alert)$/)
        },
      ),
      { numRuns: 2_000 },
    )
  })
})
