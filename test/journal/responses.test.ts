/** The history of responses: kept, chosen, and told what was taken back. */
import { describe, expect, it } from 'vitest'
import { inspectJournal } from '../../src/journal/inspect.ts'
import type { Journal, ResponseQuery, Undone } from '../../src/journal/index.ts'
import { memoryJournal } from '../../src/journal/memory.ts'
import { createOutage } from '../../src/journal/outage.ts'
import type { Outcome } from '../../src/plugin.ts'
import { journals, report } from './_kit.ts'

const files = journals()

const undone = (more: Partial<Undone> = {}): Undone => ({
  ...{ action: 'test:mark', rule: 'r', response: 'aa1', step: 's', object: 'pod shop/web-1' },
  ...{ outcome: 'succeeded', summary: 'put back "a"', at: '2026-11-23T08:00:00.000Z' },
  ...more,
})

const fill = (journal: Journal): void => {
  const all: [string, string, Outcome][] = [
    ['aa1', 'shell', 'succeeded'],
    ['ab2', 'shell', 'failed'],
    ['b%_', "it's", 'refused'],
    ['ba4', 'shell', 'succeeded'],
  ]
  for (const [id, rule, outcome] of all) journal.settle(`event-${id}`, [report(id, { rule, outcome })], false)
}

describe.each([
  ['in memory', async () => memoryJournal()],
  ['on disk', () => files.open()],
])('responses %s', (_where, open) => {
  it('are listed, the latest first', async () => {
    const journal = await open()
    expect(await journal.responses()).toEqual([])
    fill(journal)
    const all = await journal.responses()
    expect(all.map(({ report: { id } }) => id)).toEqual(['ba4', 'b%_', 'ab2', 'aa1'])
    expect(all[3]).toEqual({ seq: all[3]?.seq, report: report('aa1', { rule: 'shell' }), undone: [] })
    expect(await journal.stats()).toMatchObject({ responses: 4 })
  })

  it('are chosen by all conditions together', async () => {
    const journal = await open()
    fill(journal)
    const ids = async (query: ResponseQuery): Promise<string[]> =>
      (await journal.responses(query)).map(({ report: { id } }) => id)
    expect(await ids({ rule: 'shell' })).toEqual(['ba4', 'ab2', 'aa1'])
    expect(await ids({ rule: "it's" })).toEqual(['b%_'])
    expect(await ids({ outcome: 'succeeded' })).toEqual(['ba4', 'aa1'])
    expect(await ids({ rule: 'shell', outcome: 'failed' })).toEqual(['ab2'])
    expect(await ids({ id: 'a' })).toEqual(['ab2', 'aa1'])
    expect(await ids({ id: 'aa1' })).toEqual(['aa1'])
    expect(await ids({ id: 'b%' })).toEqual(['b%_'])
    expect(await ids({ id: '%' })).toEqual([])
    expect(await ids({ id: 'aa1x' })).toEqual([])
    expect(await ids({ limit: 2 })).toEqual(['ba4', 'b%_'])
  })

  it('are chosen by their trace, or its beginning', async () => {
    const journal = await open()
    fill(journal)
    const traced: [string, string, Outcome][] = [
      ['c1', '4bf92f3577b34da6a3ce929d0e0e4736', 'succeeded'],
      ['c2', '4bf92f3577b34da6a3ce929d0e0e4736', 'failed'],
      ['c3', '4bf9ffffffffffffffffffffffffffff', 'succeeded'],
    ]
    for (const [id, traceId, outcome] of traced) journal.settle(id, [report(id, { traceId, outcome })], false)
    const ids = async (query: ResponseQuery): Promise<string[]> =>
      (await journal.responses(query)).map(({ report: { id } }) => id)
    expect(await ids({ trace: '4bf92f3577b34da6a3ce929d0e0e4736' })).toEqual(['c2', 'c1'])
    expect(await ids({ trace: '4bf9' })).toEqual(['c3', 'c2', 'c1'])
    expect(await ids({ trace: '4bf9', outcome: 'succeeded', limit: 1 })).toEqual(['c3'])
    expect(await ids({ trace: '4bf9', id: 'c2' })).toEqual(['c2'])
    const [, second] = await journal.responses({ trace: '4bf9' })
    expect(await ids({ trace: '4bf9', before: second?.seq ?? 0 })).toEqual(['c1'])
    expect(await ids({ trace: '5' })).toEqual([])
    expect(await ids({ trace: '%' })).toEqual([])
    journal.undone('c1', 'note', undone({ response: 'c1' }))
    expect((await journal.responses({ trace: '4bf92' })).map(({ undone }) => undone.length)).toEqual([0, 1])
  })

  it('are read page by page', async () => {
    const journal = await open()
    fill(journal)
    const [, second] = await journal.responses({ limit: 2 })
    const rest = await journal.responses({ before: second?.seq ?? 0 })
    expect(rest.map(({ report: { id } }) => id)).toEqual(['ab2', 'aa1'])
  })

  it('tell what was taken back of them, each change once', async () => {
    const journal = await open()
    fill(journal)
    journal.undone('aa1', 'note-1 uid', undone())
    journal.undone('aa1', 'note-1 uid', undone({ summary: 'again' }))
    journal.undone('aa1', `note-2 "'.[0]`, undone({ step: 't' }))
    journal.undone('nobody', 'note', undone())
    const [found] = await journal.responses({ id: 'aa1' })
    expect(found?.undone).toEqual([undone({ summary: 'again' }), undone({ step: 't' })])
    expect(found?.report).toEqual(report('aa1', { rule: 'shell' }))
    expect((await journal.responses({ id: 'ab2' }))[0]?.undone).toEqual([])
  })
})

it('in memory the last 1,000 are kept', async () => {
  const journal = memoryJournal()
  for (let i = 0; i < 1_005; i++) journal.settle(`e${i}`, [report(`r${i}`)], false)
  const all = await journal.responses({ limit: 2_000 })
  expect([all.length, all[0]?.report.id, all.at(-1)?.report.id]).toEqual([1_000, 'r1004', 'r5'])
})

it('on disk they are there after a restart, and for who looks into the file', async () => {
  const journal = await files.open()
  fill(journal)
  journal.undone('aa1', 'note', undone())
  await files.close(journal)
  const again = await files.open()
  const found = await again.responses({ rule: 'shell' })
  expect(found.map(({ report: { id } }) => id)).toEqual(['ba4', 'ab2', 'aa1'])
  expect(found[2]?.undone).toEqual([undone()])
  expect(inspectJournal(files.path(), (file) => file.responses({ rule: 'shell' }))).toEqual(found)
})

describe('while the disk fails', () => {
  const stored = (id: string) => ({ id, rule: 'r', outcome: 'succeeded', body: JSON.stringify(report(id)) })
  const ids = (answer: unknown): string[] => (answer as { id: string }[]).map(({ id }) => id)

  it('those of now come first, those on the disk follow where it can be read', async () => {
    const outage = createOutage()
    const onDisk = [{ seq: 7, id: 'old', body: JSON.stringify(report('old')) }]
    const writes = [['settle', 'e', 1, false, [stored('new')]]] as const
    const reads = [
      ['responses', {}],
      ['responses', { limit: 1 }],
    ] as const
    const [all, one] = await outage.run({ writes: [...writes], reads: [...reads] }, async () => [onDisk, onDisk])
    expect([ids(all), ids(one)]).toEqual([['new', 'old'], ['new']])
    const [alone] = await outage.run({ writes: [], reads: [['responses', {}]] }, async () => undefined)
    expect(ids(alone)).toEqual(['new'])
    const seq = (all as { seq: number }[])[0]?.seq ?? 0
    expect(seq).toBeGreaterThan(1_000_000)
  })

  it('what was taken back is written once it works again', async () => {
    const outage = createOutage()
    const value = JSON.stringify(undone())
    await outage.run({ writes: [['undone', 'aa1', 'note', value]], reads: [] }, async () => undefined)
    expect(outage.unwritten()).toEqual([['undone', 'aa1', 'note', value]])
  })
})
