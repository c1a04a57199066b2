import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { YarakError } from '../src/errors.ts'
import { parseEvent, parsePriority, PRIORITIES, severity, textOf, toJson } from '../src/event.ts'
import { oddEvents } from '../src/testing.ts'

const ORIGIN = { id: 'id-1', input: 'http' }

const ALERT = {
  output: 'Shell in web-1',
  priority: 'Notice',
  rule: 'Terminal shell in container',
  time: '2026-01-31T12:00:00.123456789Z',
  output_fields: { 'proc.name': 'bash', 'user.uid': 0 },
  source: 'syscall',
  tags: ['shell'],
  hostname: 'node-1',
}

const parse = (members: Record<string, unknown> = {}) => parseEvent(toJson({ ...ALERT, ...members }), ORIGIN)

const failure = (raw: unknown): YarakError => {
  try {
    parseEvent(raw, ORIGIN)
  } catch (error) {
    return error as YarakError
  }
  throw new Error('it was taken for an event')
}

const refusal = (members: Record<string, unknown>): string => failure(toJson({ ...ALERT, ...members })).message

const isDeeplyFrozen = (value: unknown): boolean =>
  typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(isDeeplyFrozen))

describe('an event', () => {
  it("has Falco's members", () => {
    const { output_fields: _, ...members } = ALERT
    expect(parse()).toMatchObject({ id: 'id-1', input: 'http', ...members })
    expect(parse().fields).toEqual(ALERT.output_fields)
    expect(parse().field('proc.name')).toBe('bash')
    expect(parse().extra).toEqual({})
  })

  it('has the identity that Falcosidekick gave it, and how its sender was known', () => {
    const event = parseEvent(toJson({ ...ALERT, uuid: 'u-1' }), { ...ORIGIN, authenticated: 'mtls' })
    expect(event).toMatchObject({ uuid: 'u-1', authenticated: 'mtls' })
    expect(parse()).not.toHaveProperty('authenticated')
    expect(parse()).not.toHaveProperty('uuid')
  })

  it.each([
    ['text', JSON.stringify(ALERT)],
    ['text with space around it', ` \n${JSON.stringify(ALERT)}\r\n`],
    ['bytes', Buffer.from(JSON.stringify(ALERT))],
    ['bytes after a byte order mark', Buffer.from(`\ufeff${JSON.stringify(ALERT)}`)],
    ['an object', ALERT],
    ['an object without a prototype', Object.assign(Object.create(null), ALERT)],
    ['an object with members that are undefined', { ...ALERT, uuid: undefined, message: undefined }],
    ['an event', parseEvent(ALERT, { id: 'other', input: 'other' })],
  ])('is read from %s', (_what, raw) => {
    expect(parseEvent(raw, ORIGIN).toJSON()).toEqual(ALERT)
    expect(parseEvent(raw, ORIGIN).id).toBe('id-1')
  })

  it('leaves the object of a host alone, and does not follow it', () => {
    const mine = structuredClone(ALERT)
    const event = parseEvent(mine, ORIGIN)
    mine.tags.push('later')
    mine.output_fields['proc.name'] = 'later'
    expect([event.tags, event.field('proc.name')]).toEqual([['shell'], 'bash'])
  })

  it('has values of a host as JSON would have them', () => {
    const when = new Date('2026-01-31T12:00:00Z')
    const event = parseEvent({ ...ALERT, time: when, output_fields: { when, gone: undefined, n: 2n ** 70n } }, ORIGIN)
    expect(event.time).toBe('2026-01-31T12:00:00.000Z')
    expect(event.fields).toEqual({ when: '2026-01-31T12:00:00.000Z', n: 2n ** 70n })
  })

  it.each(oddEvents())('is frozen: $name', ({ event }) => {
    expect(isDeeplyFrozen(event)).toBe(true)
    expect([event.fields, event.extra, event.tags].every(isDeeplyFrozen)).toBe(true)
  })
})

describe("what Falco's json_include_* settings leave out", () => {
  const gone = (name: string, how: 'null' | 'absent') => ({ [name]: how === 'null' ? null : undefined })
  const cases = (['null', 'absent'] as const).flatMap((how) =>
    (['output', 'message', 'output_fields', 'tags', 'hostname', 'source', 'uuid'] as const).map((name) => ({
      name,
      how,
      members: gone(name, how),
    })),
  )

  it.each(cases)('$name may be $how', ({ members }) => {
    expect(parse(members)).toMatchObject({ rule: ALERT.rule, source: 'syscall' })
  })

  it.each([
    ['nothing more', {}, 'r'],
    ['an empty output', { output: '', message: null, output_fields: {} }, 'r'],
    ['the message', { message: 'it happened' }, 'it happened'],
    ['the output before the message', { output: 'o', message: 'm' }, 'o'],
    ['the fields', { output_fields: { a: 1, b: null, c: ['x'], d: true, e: 2n ** 64n } }, ''],
  ])('the output is taken from %s', (_what, members, output) => {
    const event = parseEvent(toJson({ rule: 'r', priority: 'Debug', time: ALERT.time, ...members }), ORIGIN)
    expect(event.output).toBe(output || 'r (a=1 c=["x"] d=true e=18446744073709551616)')
  })

  it('gives empty members in place of absent ones', () => {
    const event = parse({ output_fields: null, tags: null, hostname: null })
    expect(event).toMatchObject({ fields: {}, tags: [] })
    expect(event.field('proc.name')).toBeUndefined()
    expect(event).not.toHaveProperty('hostname')
  })
})

describe('the time', () => {
  it.each([
    ['2026-01-31T12:00:00.123456789Z', '2026-01-31T12:00:00.123456789Z'],
    ['2026-01-31T12:00:00.123456789+0000', '2026-01-31T12:00:00.123456789+00:00'],
    ['2026-01-31T12:00:00.1-0530', '2026-01-31T12:00:00.1-05:30'],
    ['2026-01-31T12:00:00+02:00', '2026-01-31T12:00:00+02:00'],
    ['2026-01-31 12:00:00z', '2026-01-31T12:00:00Z'],
    ['2024-02-29t00:00:00Z', '2024-02-29T00:00:00Z'],
  ])('%s is read as %s', (text, time) => {
    expect(parse({ time: text }).time).toBe(time)
    expect(Date.parse(time)).not.toBeNaN()
  })

  it.each([
    '12:00:00.123456789',
    '2026-01-31',
    '2026-01-31T12:00:00',
    '2026-13-01T12:00:00Z',
    '2026-02-30T12:00:00Z',
    '2025-02-29T12:00:00Z',
    '2026-01-31T25:00:00Z',
    '2026-01-31T12:61:00Z',
    '2026-01-31T12:00:00+99:99',
    'x2026-01-31T12:00:00Z',
    '2026-01-31T12:00:00Zx',
    'now',
  ])('%s is refused', (time) => {
    expect(refusal({ time })).toMatch(/^time ".*" is not RFC 3339/)
  })
})

describe('the priority', () => {
  it.each([
    ['Informational', 'Informational'],
    ['Info', 'Informational'],
    ['INFORMATION', 'Informational'],
    ['warn', 'Warning'],
    ['WARNING', 'Warning'],
    ['err', 'Error'],
    ['crit', 'Critical'],
    ['emerg', 'Emergency'],
    ...PRIORITIES.flatMap((one) => [
      [one, one],
      [one.toLowerCase(), one],
      [one.toUpperCase(), one],
    ]),
  ])('%s is %s', (text, priority) => {
    expect(parse({ priority: text }).priority).toBe(priority)
    expect(parsePriority(text)).toBe(priority)
  })

  it.each(['', 'none', 'high', ' Notice', 'constructor', '__proto__'])('%j is none', (text) => {
    expect(parsePriority(text)).toBeUndefined()
    expect(refusal({ priority: text })).toMatch(text ? /^priority ".*" is not one of Emergency, / : /priority is empty/)
  })

  it('ranks by severity', () => {
    expect(PRIORITIES.map(severity)).toEqual([7, 6, 5, 4, 3, 2, 1, 0])
  })
})

describe('what is no event', () => {
  it.each([
    [{ rule: undefined }, 'rule is missing'],
    [{ rule: null }, 'rule is missing'],
    [{ rule: '' }, 'rule is empty'],
    [{ rule: 5 }, 'rule must be a string, not a number'],
    [{ priority: undefined }, 'priority is missing'],
    [{ priority: {} }, 'priority must be a string, not an object'],
    [{ time: undefined }, 'time is missing'],
    [{ time: 1769860800 }, 'time must be a string, not a number'],
    [{ output: ['x'] }, 'output must be a string, not an array'],
    [{ output: null, message: true }, 'message must be a string, not a boolean'],
    [{ source: 1 }, 'source must be a string, not a number'],
    [{ hostname: {} }, 'hostname must be a string, not an object'],
    [{ uuid: 1 }, 'uuid must be a string, not a number'],
    [{ output_fields: [] }, 'output_fields must be an object'],
    [{ output_fields: 'x' }, 'output_fields must be an object'],
    [{ tags: 'shell' }, 'tags must be an array of strings'],
    [{ tags: ['a', 1] }, 'tags[1] must be a string'],
  ])('%j: %s', (members, message) => {
    expect(refusal(members)).toBe(message)
  })

  it.each([
    ['', 'the event is not valid JSON'],
    ['{', 'the event is not valid JSON'],
    ['[]', 'an event is a JSON object, not an array'],
    ['null', 'an event is a JSON object, not null'],
    ['5', 'an event is a JSON object, not a number'],
    [undefined, 'an event is a JSON object, not undefined'],
    [null, 'an event is a JSON object, not null'],
    [() => 1, 'an event is a JSON object, not a function'],
    [new Date('2026-01-31T12:00:00Z'), 'an event is a JSON object, not a string'],
    [new Map(), 'the event must be a JSON value, not Map'],
    [{ ...ALERT, bytes: new Uint8Array(3) }, 'bytes must be a JSON value, not Uint8Array'],
    [{ ...ALERT, output_fields: { a: [1, Number.NaN] } }, 'output_fields.a[1] must be a JSON value, not NaN'],
    [{ ...ALERT, run: () => 1 }, 'run must be a JSON value, not Function'],
    [{ ...ALERT, tags: [undefined] }, 'tags[0] must be a JSON value, not Undefined'],
    [{ ...ALERT, at: Symbol('x') }, 'at must be a JSON value, not Symbol'],
  ])('%#: %s', (raw, message) => {
    const error = failure(raw)
    expect(error.message).toBe(message)
    expect(error).toMatchObject({ code: 'invalid', permanent: true, status: 400 })
  })

  it.each([
    '12:34:56.123456789: Notice A shell was spawned (user=root)',
    '12:34:56.123456789: Informational x',
    '12:34:56.1: Info x',
    '2026-01-31T12:34:56.123456789+0000: Warning Sensitive file opened',
    ' 2026-01-31T12:34:56.123456789Z: EMERGENCY x\n',
  ])('a text line of Falco says what to set: %s', (line) => {
    for (const raw of [line, Buffer.from(line)]) expect(failure(raw).message).toContain('set json_output: true')
  })

  it.each(['12:34:56.1: Hello there', 'Notice: x', 'plain text'])('any other text does not: %s', (line) => {
    expect(failure(line).message).toBe('the event is not valid JSON')
  })

  it('is one nested too deeply, or in itself', () => {
    const deep = '['.repeat(200_000)
    const self: Record<string, unknown> = { ...ALERT }
    self.self = self
    const text = JSON.stringify(ALERT).replace('{', `{"deep":${deep}${deep.replaceAll('[', ']')},`)
    for (const raw of [text, self]) expect(failure(raw).message).toBe('the event is nested too deeply')
  })

  it('is an object that cannot be read', () => {
    const trap = {
      get rule(): string {
        throw new TypeError('no')
      },
    }
    expect(failure(trap)).toMatchObject({ code: 'invalid', message: 'the members of the event cannot be read' })
  })
})

describe('numbers', () => {
  const withNumber = (digits: string) =>
    JSON.stringify(ALERT).replace('"user.uid":0', `"user.uid":0,"n":${digits},"deep":[{"n":${digits}}]`)

  it.each(['9007199254740993', '-9223372036854775808', '18446744073709551615', '1769860800123456789', '9'.repeat(400)])(
    '%s keeps its digits',
    (digits) => {
      const event = parseEvent(withNumber(digits), ORIGIN)
      expect(event.field('n')).toBe(BigInt(digits))
      expect(event.fields).toEqual({
        'proc.name': 'bash',
        'user.uid': 0,
        n: BigInt(digits),
        deep: [{ n: BigInt(digits) }],
      })
      expect(textOf(event.field('n'))).toBe(digits)
      expect(toJson(event).split(digits)).toHaveLength(3)
      expect(isDeeplyFrozen(event.fields)).toBe(true)
    },
  )

  it('of usual size stay numbers', () => {
    const event = parse({ output_fields: { a: 2 ** 53 - 1, b: -1.5, c: 1e300, d: 0 } })
    expect(event.fields).toEqual({ a: 2 ** 53 - 1, b: -1.5, c: 1e300, d: 0 })
  })

  it.each(['1e400', '-1e400', '7'.repeat(1_001)])('that nothing can hold are refused by name: %s', (digits) => {
    expect(failure(withNumber(digits)).message).toMatch(/^the number -?[1-7].* is too large$/)
  })

  it("are kept in members that are not Falco's", () => {
    const event = parseEvent(`{"big":12345678901234567890,${JSON.stringify(ALERT).slice(1)}`, ORIGIN)
    expect(event.extra).toEqual({ big: 12345678901234567890n })
    expect(toJson(event)).toContain('"big":12345678901234567890')
  })
})

describe('the event as JSON', () => {
  it("has its members in Falcosidekick's order, then those unknown", () => {
    const event = parse({ uuid: 'u', zone: 'a', message: 'm', nested: { b: [1] } })
    expect(Object.keys(event.toJSON())).toEqual(
      'uuid output message priority rule time output_fields source tags hostname zone nested'.split(' '),
    )
    expect(event.extra).toEqual({ zone: 'a', nested: { b: [1] } })
  })

  it.each(oddEvents())('is read again as the same event: $name', ({ event }) => {
    const again = parseEvent(toJson(event), event)
    expect(again.toJSON()).toEqual(event.toJSON())
    expect(toJson(again)).toBe(toJson(event))
  })

  it('can be indented', () => {
    expect(toJson({ a: 2n ** 64n }, 2)).toBe('{\n  "a": 18446744073709551616\n}')
  })

  it('has members named as those of objects', () => {
    const text = JSON.stringify(ALERT).replace('{', '{"__proto__":{"x":1},"toJSON":"y","constructor":1,')
    const event = parseEvent(text, ORIGIN)
    expect(JSON.parse(toJson(event))).toEqual(JSON.parse(text))
    expect(event.field('constructor')).toBeUndefined()
    expect(event.field('__proto__')).toBeUndefined()
  })
})

describe('any input', () => {
  const big = fc.bigInt({ min: -(10n ** 120n), max: 10n ** 120n })
  const { json } = fc.letrec((tie) => ({
    json: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom(null, true, false, '', 0),
      fc.string({ unit: 'binary' }),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      big,
      fc.array(tie('json'), { maxLength: 4 }),
      fc.dictionary(fc.string(), tie('json'), { maxKeys: 4 }),
    ),
  }))
  const members = fc.record(
    {
      rule: fc.oneof(fc.string(), json),
      priority: fc.oneof(fc.constantFrom(...PRIORITIES), json),
      time: fc.oneof(fc.constant(ALERT.time), fc.string()),
      output: json,
      output_fields: fc.oneof(fc.dictionary(fc.string(), json), json),
      tags: fc.oneof(fc.array(fc.string()), json),
      hostname: fc.oneof(fc.string(), json),
      other: json,
    },
    { requiredKeys: [] },
  )
  const isEventOrRefusal = (raw: unknown): boolean => {
    try {
      const event = parseEvent(raw, ORIGIN)
      return isDeeplyFrozen(event.fields) && toJson(event).length > 0
    } catch (error) {
      return error instanceof YarakError && error.code === 'invalid' && error.permanent && error.message.length > 0
    }
  }

  it.each([
    ['text', fc.string({ unit: 'binary' })],
    ['JSON', json.map((one) => toJson(one))],
    ['bytes', fc.uint8Array()],
    ['almost an event', members.map((one) => toJson(one))],
    ['an object', members],
    ['anything', fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true, withSet: true })],
  ])('gives an event or a coded error: %s', (_what, raws: fc.Arbitrary<unknown>) => {
    fc.assert(fc.property(raws, isEventOrRefusal), { numRuns: 300 })
  })

  it('keeps every value and every digit', () => {
    const plain = (value: unknown): string => toJson(value)
    fc.assert(
      fc.property(fc.dictionary(fc.string(), json), (fields) => {
        for (const raw of [toJson({ ...ALERT, output_fields: fields }), { ...ALERT, output_fields: fields }]) {
          const event = parseEvent(raw, ORIGIN)
          expect(plain(event.fields)).toBe(plain(fields))
          expect(plain(event.toJSON().output_fields)).toBe(plain(fields))
          for (const [name, value] of Object.entries(fields)) expect(plain(event.field(name))).toBe(plain(value))
        }
      }),
    )
  })
})

describe('a field as text', () => {
  it.each([
    ['text', 'text'],
    ['', ''],
    [null, ''],
    [undefined, ''],
    [0, '0'],
    [false, 'false'],
    [2n ** 64n, '18446744073709551616'],
    [['a', 1n], '["a",1]'],
    [{ a: null }, '{"a":null}'],
  ])('%#: %s', (value, text) => {
    expect(textOf(value)).toBe(text)
  })
})
