import { describe, expect, it, vi } from 'vitest'
import { createLog, type LogOptions } from '../src/log.ts'

const LEVELS = ['debug', 'info', 'warn', 'error'] as const

const written = (options: LogOptions, isTTY = false) => {
  const lines: string[] = []
  const log = createLog({ ...options, stream: { isTTY, write: (text: string) => lines.push(text) } })
  return { log, lines }
}

describe('the log', () => {
  it('writes one object of JSON per line', () => {
    const { log, lines } = written({ level: 'debug' })
    for (const level of LEVELS) log[level]('an event\ncame', { input: 'http', count: 3, big: 2n ** 64n })
    expect(lines.every((line) => line.endsWith('\n') && line.split('\n').length === 2)).toBe(true)
    expect(lines.map((line) => JSON.parse(line) as object)).toEqual(
      LEVELS.map((level) => ({
        level,
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
        message: 'an event\ncame',
        input: 'http',
        count: 3,
        big: expect.any(Number),
      })),
    )
    expect(lines[0]).toContain('"big":18446744073709551616')
  })

  it.each([
    ['debug', ['debug', 'info', 'warn', 'error']],
    [undefined, ['info', 'warn', 'error']],
    ['warn', ['warn', 'error']],
    ['error', ['error']],
    ['silent', []],
  ] as const)('at the level %s writes %s', (level, expected) => {
    const { log, lines } = written(level ? { level } : {})
    for (const one of LEVELS) log[one]('m')
    expect(lines.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(expected)
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

  it('for people is one readable line, from which nothing can break out', () => {
    const { log, lines } = written({ format: 'pretty' })
    log.warn('a rule\n\u001b[2Jof \u009bme', { rule: 'x\ny\u0007', count: 2, list: ['a', 'b\n'] })
    log.info('alone')
    expect(lines.map((line) => line.replace(/^\d\d:\d\d:\d\d /, ''))).toEqual([
      'WARN  a rule  [2Jof  me  rule=x y   count=2  list=["a","b\\n"]\n',
      'INFO  alone\n',
    ])
  })

  it('goes to standard error, unless told otherwise', () => {
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    createLog({ format: 'json' }).error('here')
    expect(write.mock.calls.map(([text]) => String(text))).toEqual([expect.stringContaining('"message":"here"')])
    write.mockRestore()
  })
})
