import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { YarakError } from '../src/errors.ts'
import { areaLog } from '../src/log-area.ts'
import type { LogLine } from '../src/log-form.ts'
import { createLog, type LogOptions } from '../src/log.ts'

const LEVELS = ['debug', 'info', 'warn', 'error'] as const
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

const written = (options: LogOptions = {}, isTTY = false) => {
  const lines: string[] = []
  const log = createLog({ ...options, stream: { isTTY, write: (text: string) => lines.push(text) } })
  const parsed = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  return { log, lines, parsed }
}

/** What a person sees of a line, behind its time. */
const shown = (options: LogOptions, say: (log: ReturnType<typeof createLog>) => void): string => {
  const { log, lines } = written({ format: 'pretty', ...options })
  say(log)
  return lines.join('').replaceAll(/^\d\d:\d\d:\d\d /gm, '')
}

describe('the log', () => {
  it('writes one object of JSON per line', () => {
    const { log, lines, parsed } = written({ level: 'debug' })
    for (const level of LEVELS) log[level]('an event\ncame', { input: 'http', count: 3, big: 2n ** 64n })
    expect(lines.every((line) => line.endsWith('\n') && line.split('\n').length === 2)).toBe(true)
    expect(parsed()).toEqual(
      LEVELS.map((level) => ({
        level,
        time: expect.stringMatching(TIME),
        message: 'an event\ncame',
        input: 'http',
        count: 3,
        big: '18446744073709551616',
      })),
    )
  })

  it('says first how bad it is, when, and what it is about, then what happened', () => {
    const { log, parsed } = written()
    log.info('done', { count: 1, area: 'undo', trace_id: 'a' })
    log.info('done', { count: 1, plugin: 'kafka' })
    expect(parsed().map((line) => Object.keys(line))).toEqual([
      ['level', 'time', 'area', 'message', 'count', 'trace_id'],
      ['level', 'time', 'plugin', 'message', 'count'],
    ])
  })

  it('lets no field stand for what a line says itself', () => {
    const { log, lines, parsed } = written()
    log.warn('true', { level: 'error', time: 'never', message: 'forged', ok: 1 })
    expect(parsed()).toEqual([
      {
        level: 'warn',
        time: expect.stringMatching(TIME),
        message: 'true',
        _level: 'error',
        _time: 'never',
        _message: 'forged',
        ok: 1,
      },
    ])
    expect(lines[0]?.match(/"(?:level|time|message)":/g)).toHaveLength(3)
  })

  it.each([
    ['debug', ['debug', 'info', 'warn', 'error']],
    [undefined, ['info', 'warn', 'error']],
    ['warn', ['warn', 'error']],
    ['error', ['error']],
    ['silent', []],
  ] as const)('at the level %s writes %s', (level, expected) => {
    const { log, parsed } = written(level ? { level } : {})
    for (const one of LEVELS) log[one]('m')
    expect(parsed().map(({ level }) => level)).toEqual(expected)
  })

  it.each([
    ['auto', true, false],
    ['auto', false, true],
    ['pretty', false, false],
    ['json', true, true],
    [undefined, true, false],
  ] as const)('in the format %s, on a terminal: %s, is JSON: %s', (format, isTTY, isJson) => {
    const { log, lines } = written(format ? { format } : {}, isTTY)
    log.info('started')
    expect(lines[0]?.startsWith('{')).toBe(isJson)
  })

  it('goes to standard error, unless told otherwise', () => {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    createLog({ format: 'json' }).error('here')
    expect(write.mock.calls.map(([text]) => String(text))).toEqual([expect.stringContaining('"message":"here"')])
    write.mockRestore()
  })

  it('tells an error by its message and code, and where it was thrown only at debug', () => {
    const error = new YarakError('unavailable', 'no answer', { cause: new Error('reset') })
    const plain = written()
    plain.log.error('failed', { error, inner: { error: new TypeError('odd') } })
    expect(plain.parsed()[0]).toMatchObject({
      error: { message: 'no answer: reset', code: 'unavailable' },
      inner: { error: { message: 'odd' } },
    })
    expect(plain.lines[0]).not.toContain('log.test.ts')
    const detailed = written({ levels: { kafka: 'debug' } })
    detailed.log.error('failed', { plugin: 'kafka', error })
    detailed.log.error('failed', { plugin: 'smtp', error })
    const stacks = detailed.parsed().map((line) => (line.error as { stack?: string }).stack)
    expect(stacks).toEqual([expect.stringContaining('log.test.ts'), undefined])
  })

  it('of a stream that fails loses the line and nothing else, and does not try it again', () => {
    const seen: string[] = []
    let full = true
    const write = (text: string): void => {
      seen.push(text)
      if (full) throw Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })
    }
    const log = createLog({ stream: { write } })
    log.info('one')
    full = false
    log.info('two')
    expect(seen.map((text) => (JSON.parse(text) as { message: string }).message)).toEqual(['one', 'two'])
  })
})

describe('levels by part', () => {
  const say = ({ log, parsed }: ReturnType<typeof written>, names: readonly string[]) => {
    for (const name of names) areaLog(log, name as 'event').debug(name)
    return parsed().map(({ message }) => message)
  }

  it('hold for an area, a plugin or all of a type, the most exact first', () => {
    const run = written({
      level: 'warn',
      levels: { journal: 'debug', kafka: 'debug', 'kafka/quiet': 'warn', kubernetes: 'debug' },
    })
    const names = [
      'journal',
      'input',
      'kafka',
      'kafka/loud',
      'kafka/quiet',
      'kubernetes:label',
      'kubernetes',
      'kubernetesx',
    ]
    expect(say(run, names)).toEqual(['journal', 'kafka', 'kafka/loud', 'kubernetes:label', 'kubernetes'])
  })

  it('change while it runs, and go back to what they were', () => {
    const { log, parsed } = written({ levels: { kafka: 'warn' } })
    log.levels.set('kafka', 'debug')
    expect(log.levels.get()).toEqual({ level: 'info', levels: { kafka: 'debug' } })
    log.debug('1', { plugin: 'kafka/x' })
    log.levels.set('kafka', undefined)
    log.info('2', { plugin: 'kafka/x' })
    log.levels.set(undefined, 'debug')
    log.debug('3')
    log.debug('4', { plugin: 'kafka/x' })
    log.levels.set(undefined, undefined)
    log.debug('5')
    log.levels.set('undo', 'error')
    log.levels.set('undo', undefined)
    expect(log.levels.get()).toEqual({ level: 'info', levels: { kafka: 'warn' } })
    expect(parsed().map(({ message }) => message)).toEqual(['1', '3'])
  })

  it('let a line that is not written cost nothing: its fields are not even looked at', () => {
    const { log, lines } = written({ levels: { journal: 'warn' } })
    const get = vi.fn(() => 1)
    const fields = Object.defineProperty({}, 'costly', { enumerable: true, get })
    areaLog(log, 'journal').info('no', fields)
    log.debug('no', fields)
    expect([get.mock.calls, lines]).toEqual([[], []])
    areaLog(log, 'input').info('yes', fields)
    expect(lines).toHaveLength(1)
  })

  it('let a name that is no level be none', () => {
    const { log } = written()
    log.info('m', { plugin: 'constructor' })
    log.levels.set('__proto__', 'debug')
    expect(log.wants('debug', 'toString')).toBe(false)
    expect(log.wants('debug', '__proto__')).toBe(true)
  })
})

describe('a line for people', () => {
  it('is aligned, says what it is about, and puts in quotes what could be taken for another field', () => {
    const text = shown({ level: 'debug' }, (log) => {
      log.info('response ended', { area: 'response', rule: 'Note', target: 'shop/web-1', ms: 3, none: undefined })
      log.error('cannot', { plugin: 'kubernetes:networkpolicy', error: 'no  outcome=succeeded', list: ['a', 'b\n'] })
      log.debug('alone')
      log.warn('both', { plugin: 'slack', area: 'EMEA' })
    })
    expect(text).toBe(
      [
        'INFO  response   response ended  rule=Note  target=shop/web-1  ms=3',
        'ERROR kubernetes:networkpolicy cannot  error="no  outcome=succeeded"  list=["a","b\\n"]',
        'DEBUG            alone',
        'WARN  slack      both  area=EMEA',
        '',
      ].join('\n'),
    )
  })

  it('puts text of several lines below it, indented', () => {
    const text = shown({}, (log) => log.warn('odd', { answer: 'one\r\n  two\n', count: 2, end: 'x\n' }))
    expect(text).toBe('WARN             odd  count=2  end="x\\n"\n    answer:\n      one\n        two\n')
  })

  it('puts where an error was thrown below it', () => {
    const text = shown({ level: 'debug' }, (log) => log.error('bad', { error: new YarakError('failed', 'why') }))
    expect(text).toMatch(
      /^ERROR {12}bad {2}error={"message":"why","code":"failed"}\n {4}error\.stack:\n {6}YarakError: why\n {10}at /,
    )
  })

  it('has colours only when asked for', () => {
    const say = (log: ReturnType<typeof createLog>) => log.warn('hot', { area: 'guard' })
    expect(shown({ colours: true }, say)).toMatch(/^\u001b\[33mWARN \u001b\[39m \u001b\[2mguard {5}\u001b\[22m hot\n$/)
    expect(shown({}, say)).toBe('WARN  guard      hot\n')
  })
})

/** Everything that a terminal, or a reader of lines, could obey. */
const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/

const NASTY = [
  '\n',
  '\r',
  '\u001b[2J',
  '\u001b]0;x\u0007',
  '\u009b1A',
  '\u0085',
  '\u2028',
  '\u202e',
  '\u2067',
  '\u0000',
  '\ud800',
  '12:00:00 INFO  forged',
  '"}\n{"level":"error"}',
  '    ',
]
const nasty = fc
  .array(fc.oneof(fc.constantFrom(...NASTY), fc.string({ unit: 'binary' })), { maxLength: 6 })
  .map((all) => all.join(''))
const anything = fc.oneof(
  nasty,
  fc.anything({
    key: nasty,
    values: [nasty, fc.double(), fc.boolean()],
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withNullPrototype: true,
    withSparseArray: true,
    withTypedArray: true,
  }),
  nasty.map((text) => new Error(text)),
)
const fields = fc.dictionary(
  fc.oneof(fc.constantFrom('level', 'plugin', 'area', 'error', '__proto__'), nasty),
  anything,
  { maxKeys: 6 },
)

describe('whatever is logged', () => {
  it('is one line of JSON that moves no cursor, and of at most 16 KiB', () => {
    fc.assert(
      fc.property(nasty, fields, (message, given) => {
        const { log, lines } = written({ level: 'debug' })
        log.error(message, given)
        expect(lines).toHaveLength(1)
        const [line = ''] = lines
        expect(line.indexOf('\n')).toBe(line.length - 1)
        expect(line).not.toMatch(OBEYED)
        expect(JSON.parse(line)).toMatchObject({ level: 'error', message: message.toWellFormed() })
        expect(Buffer.byteLength(line)).toBeLessThanOrEqual(16_384)
      }),
    )
  })

  it('begins one line for people, moves no cursor, and is indented where it goes on', () => {
    fc.assert(
      fc.property(nasty, fields, fc.boolean(), (message, given, isDetailed) => {
        const { log, lines } = written({ format: 'pretty', level: isDetailed ? 'debug' : 'info' })
        log.warn(message, given)
        expect(lines).toHaveLength(1)
        const [line = ''] = lines
        expect(line).not.toMatch(OBEYED)
        const [first = '', ...rest] = line.slice(0, -1).split('\n')
        expect(first).toMatch(/^\d\d:\d\d:\d\d WARN {2}/)
        for (const one of rest) expect(one).toMatch(/^ {4}/)
      }),
    )
  })

  it.each(['json', 'pretty'] as const)(
    'as %s is cut where it is huge, and what comes after it is still told',
    (format) => {
      const { log, lines } = written({ format })
      const huge = '\u0000ü"'.repeat(100_000)
      log.error(huge, {
        a: huge,
        b: [huge, huge],
        c: { d: huge },
        trace_id: 'f'.repeat(32),
        many: Array.from({ length: 50_000 }, () => 'x'),
      })
      const [line = ''] = lines
      expect(Buffer.byteLength(line)).toBeLessThanOrEqual(16_384)
      expect(line).toContain('f'.repeat(32))
      expect(line.match(/… \d+ more/g)?.length).toBeGreaterThanOrEqual(5)
    },
  )
})

describe('a sink', () => {
  it('gets each line that is written, as data, until it is ended', () => {
    const { log, lines } = written()
    const got: LogLine[] = []
    log.info('before')
    const end = log.sink((line) => got.push(line))
    log.debug('not written')
    log.warn('told', { plugin: 'slack', error: new Error('no'), level: 1 })
    end()
    log.info('after')
    expect(lines).toHaveLength(3)
    expect(got).toEqual([
      {
        level: 'warn',
        time: expect.any(Number),
        message: 'told',
        fields: { plugin: 'slack', error: { message: 'no' }, _level: 1 },
      },
    ])
    expect(Math.abs(Date.now() - (got[0]?.time ?? 0))).toBeLessThan(60_000)
  })

  it('that throws, or logs itself, harms neither the line nor other sinks', () => {
    const { log, parsed } = written()
    const levels: string[] = []
    log.sink(() => {
      log.error('the sink fails')
      throw new Error('no')
    })
    log.sink(({ level }) => levels.push(level))
    log.info('a fact')
    log.warn('another')
    expect(levels).toEqual(['info', 'warn'])
    expect(parsed().map(({ message }) => message)).toEqual(['the sink fails', 'a fact', 'the sink fails', 'another'])
  })

  it('gets a line that the stream did not take', () => {
    const got: string[] = []
    const log = createLog({
      stream: {
        write: () => {
          throw new Error('ENOSPC')
        },
      },
    })
    log.sink(({ message }) => got.push(message))
    log.info('kept')
    expect(got).toEqual(['kept'])
  })
})
