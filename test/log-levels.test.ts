import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { logSettings } from '../src/config/log.ts'
import { LOG_AREAS } from '../src/log-area.ts'
import { createLevels, levelNames, type LogLevel } from '../src/log-levels.ts'

const name = fc.constantFrom(
  'journal',
  'kafka',
  'kafka/a',
  'kubernetes',
  'kubernetes:label',
  'kubernetes:label/x',
  'aws.s3/x',
)
const level = fc.constantFrom<LogLevel>('debug', 'info', 'warn', 'error', 'silent')

describe('the names of a part', () => {
  it.each([
    ['journal', ['journal']],
    ['slack/secops', ['slack/secops', 'slack']],
    ['kubernetes:label', ['kubernetes:label', 'kubernetes']],
    ['kubernetes:label/x:y', ['kubernetes:label/x:y', 'kubernetes:label', 'kubernetes']],
    ['', ['']],
  ])('%s', (id, names) => {
    expect(levelNames(id)).toEqual(names)
  })
})

describe('levels', () => {
  it('after any changes are those of the last change of each name', () => {
    const change = fc.tuple(fc.option(name, { nil: undefined }), fc.option(level, { nil: undefined }))
    fc.assert(
      fc.property(level, fc.dictionary(name, level), fc.array(change), name, (all, some, changes, asked) => {
        const levels = createLevels({ level: all, levels: some })
        const expected = new Map<string | undefined, LogLevel>([[undefined, all], ...Object.entries(some)])
        const start = new Map(expected)
        for (const [one, to] of changes) {
          levels.wants('info', asked)
          levels.set(one, to)
          const now = to ?? start.get(one)
          if (now) expected.set(one, now)
          else expected.delete(one)
        }
        const found = levelNames(asked).find((one) => expected.has(one))
        const least = ['debug', 'info', 'warn', 'error', 'silent'].indexOf(expected.get(found) ?? 'debug')
        const wanted = (['debug', 'info', 'warn', 'error'] as const).map((one) => levels.wants(one, asked))
        expect(wanted).toEqual([0, 1, 2, 3].map((rank) => rank >= least))
        expect(levels.get().level).toBe(expected.get(undefined))
      }),
    )
  })
})

describe('the setting log', () => {
  it('takes levels by part', () => {
    expect(logSettings.parse({})).toEqual({ level: 'info', levels: {}, format: 'auto' })
    const levels = { kafka: 'debug', 'http/falco': 'warn', delivery: 'info' }
    expect(logSettings.parse({ levels }).levels).toEqual(levels)
  })

  it.each([[{ levels: { kafka: 'loud' } }], [{ levels: { '': 'debug' } }], [{ level: 'silent' }], [{ areas: {} }]])(
    'does not take %j',
    (settings) => {
      expect(logSettings.safeParse(settings).success).toBe(false)
    },
  )

  it('names every area of the engine', () => {
    const { description = '' } = logSettings.shape.levels
    expect(LOG_AREAS.filter((area) => !description.includes(`\`${area}\``))).toEqual([])
  })
})
