import { describe, expect, it } from 'vitest'
import type { Journal } from '../src/journal/index.ts'
import { memoryJournal } from '../src/journal/memory.ts'
import { createRedact, redactSettings } from '../src/redact.ts'
import { redactedJournal, redactedLog } from '../src/redacted.ts'

const SECRET = 'ghp_abcdefghijklmnopqrstuvwxyz0123456789'
const redact = createRedact(redactSettings.parse({ fields: ['user.name'], patterns: ['ghp_[a-z0-9]+'] }))

/** Everything that is in a journal. */
const contents = async (journal: Journal): Promise<string> =>
  JSON.stringify([
    await journal.read(['1', '2']),
    [...(journal.facts('1') ?? [])],
    await journal.letters(),
    await journal.responses(),
  ])

const body = (user: string): string =>
  `{"rule":"r","priority":"Error","time":"2026-01-31T12:00:00Z","output":"by ${user}","output_fields":{"user.name":"${user}","evt.time":1763870000003770413}}`

describe('a journal without secrets', () => {
  it('has them in no event, fact or dead letter, and every digit as it was', async () => {
    const journal = memoryJournal()
    const clean = redactedJournal(journal, redact)
    await clean.accept({ id: '1', input: 'http', at: 1, body: body('confidential') })
    await clean.accept({ id: '2', input: 'http', at: 1, body: `no event ${SECRET}` })
    await clean.note('1', 'step/r/1', { summary: SECRET, list: [SECRET], count: 1 })
    clean.bury({ at: 1, kind: 'event', from: 'http', reason: 'invalid', message: SECRET, body: `{"x": "${SECRET}"` })
    const all = await contents(journal)
    expect(all).not.toMatch(/confidential|ghp_/)
    expect(all).toContain('1763870000003770413')
    expect(journal.facts('1')?.get('step/r/1')).toMatchObject({ count: 1 })
  })

  it('leaves text alone that has none, and does all else as the journal itself', async () => {
    const journal = memoryJournal()
    const clean = redactedJournal(journal, redact)
    const text = '{"rule": "r",  "priority":"Error","time":"2026-01-31T12:00:00Z","output":"o"}'
    await clean.accept({ id: '1', input: 'http', at: 1, body: text })
    expect((await clean.read(['1']))[0]?.body).toBe(text)
    const letter = { at: 1, kind: 'notice' as const, from: 'slack', reason: 'x', message: 'm', body: SECRET }
    clean.bury(letter)
    expect(await clean.letters()).toMatchObject([letter])
    expect(clean.health()).toEqual(journal.health())
    await clean.flush()
    await clean.close()
  })
})

describe('a log without secrets', () => {
  it('has them neither in a message nor in fields, at any level', () => {
    const lines: unknown[] = []
    const line = (message: string, fields?: object) => void lines.push([message, fields])
    const log = redactedLog({ debug: line, info: line, warn: line, error: line }, redact)
    for (const level of ['debug', 'info', 'warn', 'error'] as const)
      log[level](`a ${SECRET}`, { b: { c: SECRET }, n: 1 })
    log.info('plain')
    expect(JSON.stringify(lines)).not.toContain('ghp_')
    expect(lines).toHaveLength(5)
    expect(lines.slice(3)).toEqual([
      ['a [redacted]', { b: { c: '[redacted]' }, n: 1 }],
      ['plain', undefined],
    ])
  })

  it('has them in no error either, and takes whatever is logged', () => {
    const lines: unknown[] = []
    const line = (message: string, fields?: object) => void lines.push([message, fields])
    const log = redactedLog({ debug: line, info: line, warn: line, error: line }, redact)
    const circle: Record<string, unknown> = { text: SECRET }
    circle.self = circle
    const error = new Error(`no ${SECRET}`, { cause: new Error(`why: ${SECRET}`) })
    log.warn('m', {
      error,
      circle,
      get bad() {
        throw new Error(SECRET)
      },
    })
    expect(lines).toEqual([
      [
        'm',
        {
          error: { message: 'no [redacted]: why: [redacted]' },
          circle: { text: '[redacted]', self: '[circular]' },
          bad: '[unreadable]',
        },
      ],
    ])
  })

  it('has the ids of traces as they are, where they are ids', () => {
    const lines: unknown[] = []
    const line = (_message: string, fields?: object) => void lines.push(fields)
    const all = createRedact(redactSettings.parse({ patterns: ['[0-9a-f]{8,}'] }))
    const log = redactedLog({ debug: line, info: line, warn: line, error: line }, all)
    const ids = { trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16) }
    log.info('m', { ...ids, other: 'c'.repeat(32) })
    log.info('m', { trace_id: 'a'.repeat(31), span_id: ['b'.repeat(16)] })
    expect(lines).toEqual([
      { ...ids, other: '[redacted]' },
      { trace_id: '[redacted]', span_id: ['[redacted]'] },
    ])
  })

  it('redacts nothing of a line that is not written', () => {
    let looks = 0
    const counting = Object.assign((event: never) => event, redact, { text: (text: string) => `${++looks}${text}` })
    const line = () => {}
    const none = { debug: line, info: line, warn: line, error: line, wants: () => false }
    redactedLog(none, counting).error('m', { a: 'b' })
    expect(looks).toBe(0)
  })
})
