/** What every journal does, in memory and on disk. */
import { describe, expect, it } from 'vitest'
import type { Journal } from '../../src/journal/index.ts'
import { memoryJournal } from '../../src/journal/memory.ts'
import { event, journals, letter, notice, pendingOf, report } from './_kit.ts'

const files = journals()

describe.each<[string, () => Journal | Promise<Journal>]>([
  ['in memory', () => memoryJournal()],
  ['on disk', () => files.open()],
])('a journal %s', (_where, open) => {
  it('keeps an event until it is settled, as it came', async () => {
    const journal = await open()
    const [a, b] = [event('a', { authenticated: 'mtls', traceparent: '00-1-2-01' }), event('b')]
    await Promise.all([journal.accept(a), journal.accept(b)])
    expect(await journal.read(['b', 'none', 'a'])).toHaveLength(2)
    expect(await journal.read(['a'])).toEqual([a])
    journal.settle('a', [], false)
    expect(await journal.read(['a', 'b'])).toEqual([b])
    expect(await journal.read([])).toEqual([])
  })

  it('takes the same event twice as once', async () => {
    const journal = await open()
    await journal.accept(event('a'))
    await journal.accept(event('a', { body: 'other' }))
    expect(await journal.stats()).toMatchObject({ unsettled: 1 })
    expect(await journal.read(['a'])).toEqual([event('a')])
  })

  it('gives none of its own events as pending', async () => {
    const journal = await open()
    await journal.accept(event('a'))
    expect(await pendingOf(journal)).toEqual([])
  })

  it('notes facts, which replace each other, until the event is settled', async () => {
    const journal = await open()
    expect(journal.facts('a')).toBeUndefined()
    const noted = journal.note('a', 'step/1', { outcome: 'begun' })
    expect(journal.facts('a')).toEqual(new Map([['step/1', { outcome: 'begun' }]]))
    await noted
    await journal.note('a', 'step/1', { outcome: 'succeeded' })
    await journal.note('a', 'told/slack', true)
    await journal.note('b', 'x', undefined)
    expect(journal.facts('a')).toEqual(
      new Map<string, unknown>([
        ['step/1', { outcome: 'succeeded' }],
        ['told/slack', true],
      ]),
    )
    journal.settle('a', [], false)
    expect(journal.facts('a')).toBeUndefined()
    expect(journal.facts('b')).toEqual(new Map([['x', undefined]]))
  })

  it('remembers settled events of a source that may deliver them again', async () => {
    const journal = await open()
    journal.settle('pushed', [], false)
    journal.settle('pulled', [], true)
    expect(['pushed', 'pulled', 'none'].map((id) => journal.wasSettled(id))).toEqual([false, true, false])
  })

  it('remembers the last 20,000 of them', async () => {
    const journal = await open()
    for (let i = 0; i <= 20_000; i++) journal.settle(`e${i}`, [], true)
    expect([0, 1, 20_000].map((i) => journal.wasSettled(`e${i}`))).toEqual([false, true, true])
    await journal.flush()
  })

  it('makes history of the reports', async () => {
    const journal = await open()
    journal.settle('a', [report('a/1'), report('a/2')], false)
    expect(await journal.stats()).toMatchObject({ responses: 2 })
  })

  it('keeps notices for each output in order, until they are dropped', async () => {
    const journal = await open()
    await Promise.all(['1', '2', '3'].map((id) => journal.keep(notice(id))))
    await journal.keep(notice('1', 'loki'))
    await journal.keep(notice('2', 'slack', { body: 'again' }))
    expect(await journal.waiting()).toEqual({ slack: 3, loki: 1 })
    const [first, ...rest] = await journal.kept('slack', 0, 2)
    expect([first, ...rest]).toMatchObject([notice('1'), notice('2')])
    expect(await journal.kept('slack', rest[0]?.seq ?? 0, 9)).toMatchObject([notice('3')])
    journal.drop({ output: 'slack', id: '1' })
    journal.drop({ output: 'slack', id: 'none' })
    journal.drop({ output: 'none', id: '1' })
    expect(await journal.kept('slack', 0, 9)).toMatchObject([notice('2'), notice('3')])
    journal.drop({ output: 'loki', id: '1' })
    expect(await journal.waiting()).toEqual({ slack: 2 })
    expect(await journal.kept('loki', 0, 9)).toEqual([])
    expect(await journal.stats()).toMatchObject({ notices: { slack: 2 } })
  })

  it('puts a notice that is kept again after having been dropped at the end', async () => {
    const journal = await open()
    await journal.keep(notice('1'))
    await journal.keep(notice('2'))
    journal.drop(notice('1'))
    await journal.keep(notice('1'))
    expect((await journal.kept('slack', 0, 9)).map(({ id }) => id)).toEqual(['2', '1'])
  })

  it('keeps dead letters, to be found by kind, origin and reason', async () => {
    const journal = await open()
    const [a, b, c] = [
      letter({ message: 'a', position: 'falco/3/1042' }),
      letter({ kind: 'notice', from: 'slack', reason: 'http-404', attempts: 5 }),
      letter({ reason: 'tombstone', body: '\u0000{' }),
    ]
    for (const one of [a, b, c]) journal.bury(one)
    const all = await journal.letters()
    expect(all).toMatchObject([a, b, c])
    expect(Object.keys(all[0] ?? {}).sort()).toEqual([...Object.keys(a), 'id'].sort())
    expect(await journal.letters({ kind: 'notice' })).toMatchObject([b])
    expect(await journal.letters({ from: 'http' })).toMatchObject([a, c])
    expect(await journal.letters({ kind: 'event', from: 'http', reason: 'tombstone' })).toMatchObject([c])
    expect(await journal.letters({ limit: 1 })).toMatchObject([a])
    expect(await journal.letters({ after: all[1]?.id ?? 0 })).toMatchObject([c])
    expect(await journal.letters({ reason: 'none' })).toEqual([])
    expect(await journal.stats()).toMatchObject({ deadLetters: 3 })
  })

  it('shows 100 dead letters when not told how many', async () => {
    const journal = await open()
    for (let i = 0; i < 101; i++) journal.bury(letter())
    expect(await journal.letters()).toHaveLength(100)
  })

  it('removes dead letters, tells how many there were, and never gives an id again', async () => {
    const journal = await open()
    for (let i = 0; i < 3; i++) journal.bury(letter())
    const ids = (await journal.letters()).map(({ id }) => id)
    expect(await journal.unbury([ids[0] ?? 0, ids[2] ?? 0, 999])).toBe(2)
    expect((await journal.letters()).map(({ id }) => id)).toEqual([ids[1]])
    journal.bury(letter())
    expect(ids).not.toContain((await journal.letters())[1]?.id)
    expect(await journal.unbury([])).toBe(0)
  })

  it('keeps the first 256 KiB of the body of a dead letter, in whole characters', async () => {
    const journal = await open()
    journal.bury(letter({ body: 'x'.repeat(256 * 1024) }))
    journal.bury(letter({ body: `x${'é'.repeat(256 * 1024)}` }))
    const [whole, cut] = await journal.letters()
    expect([whole?.body.length, whole?.truncated]).toEqual([256 * 1024, undefined])
    expect([cut?.body, cut?.truncated]).toEqual([`x${'é'.repeat(128 * 1024 - 1)}`, true])
  })

  it('tells what there is', async () => {
    const journal = await open()
    expect(await journal.stats()).toEqual({
      ...journal.health(),
      unsettled: 0,
      notices: {},
      responses: 0,
      deadLetters: 0,
    })
    await journal.accept(event('late', { at: 2_000 }))
    await journal.accept(event('early', { at: 1_000 }))
    expect(await journal.stats()).toMatchObject({ unsettled: 2, oldest: expect.any(Number) as number })
  })

  it('reads what was written before, without waiting for it', async () => {
    const journal = await open()
    void journal.accept(event('a'))
    expect(await journal.read(['a'])).toEqual([event('a')])
    journal.settle('a', [], false)
    expect(await journal.read(['a'])).toEqual([])
    void journal.keep(notice('1'))
    expect(await journal.waiting()).toEqual({ slack: 1 })
    await journal.flush()
  })
})

describe('a journal in memory', () => {
  it('says so', () => {
    expect(memoryJournal().health()).toEqual({ mode: 'memory', size: 0, maxSize: 0, full: false })
  })

  it('can begin with what an earlier run left', async () => {
    const journal = memoryJournal({
      pending: [event('a'), event('b')],
      facts: { a: { 'step/1': 'begun' } },
      kept: [notice('1')],
      settled: ['z'],
    })
    await journal.accept(event('own'))
    expect(await pendingOf(journal)).toEqual([event('a'), event('b')])
    expect(await pendingOf(journal)).toEqual([])
    expect(journal.facts('a')).toEqual(new Map([['step/1', 'begun']]))
    await journal.keep(notice('2'))
    expect(await journal.kept('slack', 0, 9)).toMatchObject([notice('1'), notice('2')])
    expect(journal.wasSettled('z')).toBe(true)
    await journal.close()
  })

  it('takes no more than 64 MiB of events, and more again when some are settled', async () => {
    const journal = memoryJournal()
    const body = 'x'.repeat(16 * 1024 ** 2)
    for (const id of ['a', 'b', 'c', 'd']) await journal.accept(event(id, { body }))
    await journal.accept(event('e'))
    await expect(journal.accept(event('f'))).rejects.toMatchObject({ code: 'overloaded', reason: 'journal-full' })
    journal.settle('a', [], false)
    await journal.accept(event('f'))
    expect(journal.health().full).toBe(false)
  })

  it('keeps 1,000 dead letters of each kind, the newest', async () => {
    const journal = memoryJournal()
    journal.bury(letter({ kind: 'notice' }))
    for (let i = 0; i <= 1_000; i++) journal.bury(letter({ message: `${i}` }))
    const events = await journal.letters({ kind: 'event', limit: 9_999 })
    expect([events.length, events[0]?.message, events.at(-1)?.message]).toEqual([1_000, '1', '1000'])
    expect(await journal.letters({ kind: 'notice' })).toHaveLength(1)
  })
})
