/** What waits in the journal: nothing stays there that was delivered, nothing is lost, and the order holds. */
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createGateway, type OutputInput, YarakError } from '../src/index.ts'
import type { Journal, JournalHealth } from '../src/journal/index.ts'
import { memoryJournal } from '../src/journal/memory.ts'
import { createShelf, type Item, type Taken } from '../src/shelf.ts'
import { noticeText } from '../src/stored.ts'
import { anEvent, aNotice } from '../src/testing.ts'
import { SILENT } from '../src/options.ts'
import { about, alert, gate, sink } from './kit.ts'

/** A journal that says that it is on disk. */
const durable = (over: Partial<Journal> = {}, mode: () => JournalHealth['mode'] = () => 'durable'): Journal => ({
  ...memoryJournal(),
  health: () => ({ mode: mode(), size: 0, maxSize: 0, full: false }),
  ...over,
})

const started = async (output: OutputInput, journal: Journal) => {
  const gateway = createGateway({ outputs: [output], journal })
  await gateway.start()
  return gateway
}

const unhandled: unknown[] = []
const note = (reason: unknown): void => void unhandled.push(reason)
beforeEach(() => {
  unhandled.length = 0
  process.on('unhandledRejection', note)
})
afterEach(() => {
  process.off('unhandledRejection', note)
  expect(unhandled).toEqual([])
})

const item = (id: string, end: Item['end'] = () => {}): Item => ({
  ...{ notice: aNotice({ id }), number: 0, key: undefined, asked: false, since: 1, attempts: 0, kept: false, end },
  span: { set() {}, end() {} } as unknown as Item['span'],
})

const take = async (shelf: ReturnType<typeof createShelf>, limit = 100): Promise<string[]> => {
  const taken: Taken[] = []
  await shelf.take(limit, (one) => taken.push(one))
  return taken.map(({ notice }) => notice.id)
}

const passed = async (ticks: number): Promise<void> => {
  for (let tick = 0; tick < ticks; tick++) await Promise.resolve()
}

describe('the shelf', () => {
  it('leaves nothing behind of what is delivered while it is written', async () => {
    const [writing, journal] = [gate(), durable()]
    const keep: Journal['keep'] = async (notice) => {
      await journal.keep(notice)
      await writing.promise
    }
    const shelf = createShelf('sink', { journal: { ...journal, keep }, log: SILENT })
    const one = item('1')
    const kept = shelf.keep([one])
    shelf.drop(one)
    writing.resolve()
    await kept
    expect(await journal.waiting()).toEqual({})
  })

  it('writes each notice once, and who keeps it again waits for that', async () => {
    const writing = gate()
    const keep = vi.fn(() => writing.promise)
    const shelf = createShelf('sink', { journal: durable({ keep }), log: SILENT })
    const one = item('1')
    const [first, second] = [shelf.keep([one]), shelf.keep([one])]
    expect(keep).toHaveBeenCalledTimes(1)
    expect(one.kept).toBe(false)
    writing.resolve()
    await Promise.all([first, second])
    expect(one.kept).toBe(true)
  })

  it('stays usable when the journal rejects: what it could not write is not kept', async () => {
    const keep = () => Promise.reject(new Error('disk'))
    const shelf = createShelf('sink', { journal: durable({ keep }), log: SILENT })
    const [one, other] = [item('1'), item('2')]
    await shelf.keep([one])
    expect([one.kept, await shelf.put(other), shelf.backlog]).toEqual([false, false, 0])
    expect(await shelf.hold(aNotice())).toBe(false)
  })

  it('finds again what was in memory and is put behind others', async () => {
    const shelf = createShelf('sink', { journal: durable(), log: SILENT })
    await shelf.hold(aNotice({ id: 'digest' }))
    for (const id of ['1', '2']) await shelf.put(item(id))
    expect(await take(shelf)).toEqual(['1', '2'])
    await shelf.put(Object.assign(item('digest'), { kept: true }))
    expect(await take(shelf)).toEqual(['digest'])
    expect(shelf.backlog).toBe(0)
  })

  it('takes up all that waits, also when there is more than was counted', async () => {
    const kept = [1, 2, 3, 4, 5].map((n) => ({
      ...{ output: 'sink', id: String(n), at: 1, body: noticeText(aNotice({ id: String(n) }), false) },
    }))
    const journal = { ...memoryJournal({ kept }) }
    const shelf = createShelf('sink', { journal, log: SILENT })
    shelf.restore(2)
    expect([await take(shelf, 2), await take(shelf, 2), await take(shelf, 2)]).toEqual([['1', '2'], ['3', '4'], ['5']])
    expect(await take(shelf, 2)).toEqual([])
    expect(shelf.backlog).toBe(0)
  })

  it('takes none that is delivered while the journal is read', async () => {
    const journal = durable()
    const read = gate()
    const kept: Journal['kept'] = async (...args) => {
      const rows = await journal.kept(...args)
      await read.promise
      return rows
    }
    const shelf = createShelf('sink', { journal: { ...journal, kept }, log: SILENT })
    const inMemory = [item('1'), item('2')]
    await shelf.keep(inMemory)
    for (const id of ['3', '4', '5']) await shelf.put(item(id))
    const first = take(shelf, 4)
    inMemory.forEach(shelf.drop)
    read.resolve()
    expect([await first, shelf.backlog]).toEqual([['3', '4'], 1])
    expect([await take(shelf), shelf.backlog]).toEqual([['5'], 0])
  })

  it('loses nothing and hands nothing over twice, whatever happens while the journal works', async () => {
    const step = fc.oneof(
      fc.record({ do: fc.constantFrom('keep', 'put', 'hold') }),
      fc.record({ do: fc.constantFrom('drop', 'putHeld'), which: fc.nat(100) }),
      fc.record({ do: fc.constant('take'), limit: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ do: fc.constant('wait'), ticks: fc.integer({ min: 1, max: 6 }) }),
    )
    const journalOf = (ticks: number): Journal => {
      const journal = durable()
      /** As the file's: what is asked is answered in its order, some time later. */
      const kept: Journal['kept'] = async (...args) => {
        const rows = await journal.kept(...args)
        await passed(ticks)
        return rows
      }
      return { ...journal, kept }
    }
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.nat(5), async (steps, ticks) => {
        const shelf = createShelf('sink', { journal: journalOf(ticks), log: SILENT })
        const [given, put, held, here]: [string[], string[], string[], Item[]] = [[], [], [], []]
        const working: Promise<unknown>[] = []
        const taken = ({ notice }: Taken): void => {
          given.push(notice.id)
          here.push(item(notice.id))
        }
        for (const [n, one] of steps.entries()) {
          const id = String(n)
          if (one.do === 'keep') working.push(shelf.keep([here[here.push(item(id)) - 1] as Item]))
          else if (one.do === 'hold') working.push(shelf.hold(aNotice({ id: held[held.push(id) - 1] as string })))
          else if (one.do === 'put') working.push(shelf.put(item(put[put.push(id) - 1] as string)))
          else if ('limit' in one) working.push(shelf.take(one.limit, taken))
          else if ('ticks' in one) await passed(one.ticks)
          else if (one.do === 'drop') for (const gone of here.splice(one.which % here.length, 1)) shelf.drop(gone)
          else if ('which' in one)
            for (const back of held.splice(one.which % held.length, 1))
              working.push(shelf.put(item(put[put.push(back) - 1] as string)))
        }
        await Promise.all(working)
        for (let n = 0; shelf.backlog > 0 && n < 100; n++) await shelf.take(3, taken)
        expect([...given].sort()).toEqual([...put].sort())
      }),
      { numRuns: 1_000 },
    )
  })

  it('hands over before anybody can see that nothing is left', async () => {
    const shelf = createShelf('sink', { journal: durable(), log: SILENT })
    await shelf.put(item('1'))
    let seen: number | undefined
    await shelf.take(10, () => (seen = shelf.backlog))
    expect(seen).toBe(0)
  })
})

describe('an output over a journal', () => {
  it('keeps no notice that another delivery has settled meanwhile', async () => {
    const journal = durable()
    const writing = gate()
    const keep: Journal['keep'] = async (notice) => {
      await journal.keep(notice)
      await writing.promise
    }
    const slow = gate()
    let tries = 0
    const { told, use } = sink(([notice]) => {
      if (notice?.event.output === 'slow') return slow.promise
      if (tries++ === 0) throw new YarakError('unavailable', 'down', { retryAfter: 1 })
    })
    const gateway = await started(use, { ...journal, keep })
    await gateway.emit(alert({ output: 'slow' }))
    await gateway.emit(alert({ output: 'fails' }))
    await expect.poll(async () => (await journal.waiting())['sink']).toBe(2)
    slow.resolve()
    await expect.poll(() => told.length).toBe(1)
    writing.resolve()
    await expect.poll(() => told.length).toBe(2)
    await gateway.stop()
    expect(await journal.waiting()).toEqual({})
  })

  it('goes on, and lets nobody wait, when the journal rejects', async () => {
    let down = true
    const { told, use } = sink(() => {
      if (down) throw new YarakError('unavailable', 'down', { retryAfter: 1 })
    })
    const journal = durable({ keep: () => Promise.reject(new Error('disk')) })
    const gateway = await started({ output: use, queue: 2, concurrency: 1 }, journal)
    const receipts = await Promise.all([1, 2, 3, 4].map((n) => gateway.emit(about(`web-${n}`))))
    await expect.poll(async () => (await journal.letters()).length).toBe(1)
    down = false
    await Promise.all(receipts.map(({ done }) => done))
    await gateway.stop()
    expect(told).toHaveLength(3)
    expect(await journal.letters()).toMatchObject([{ reason: 'queue-full' }])
  })

  it('goes on after a journal that could not be read', async () => {
    const journal = durable()
    let broken = true
    const kept: Journal['kept'] = (...args) => (broken ? Promise.reject(new Error('disk')) : journal.kept(...args))
    const hold = gate()
    const { told, use } = sink(() => hold.promise)
    const gateway = await started({ output: use, queue: 1, concurrency: 1 }, { ...journal, kept })
    for (const n of [1, 2, 3]) await gateway.emit(about(`web-${n}`))
    hold.resolve()
    await expect.poll(() => told.length).toBe(2)
    broken = false
    await gateway.emit(about('web-4'))
    await expect.poll(() => told.length).toBe(4)
    await gateway.stop()
  })

  it('keeps the order over a stop, also of what waited in memory before the queue was full', async () => {
    const journal = durable()
    const { use } = sink(
      (_, signal) => new Promise((_resolve, reject) => void signal.addEventListener('abort', reject)),
    )
    const first = await started({ output: use, queue: 3, concurrency: 1 }, journal)
    for (let n = 0; n < 8; n++) await first.emit(alert({ output: String(n) }))
    await first.stop({ deadline: 20 })
    const next = sink()
    const second = await started({ output: next.use, concurrency: 1 }, journal)
    await expect.poll(() => next.told.map(({ event }) => event.output).join('')).toBe('01234567')
    await second.stop()
  })

  it('tells a digest whose window ends while others wait in the journal', async () => {
    const journal = durable()
    let hold = gate()
    const { told, use } = sink(() => hold.promise)
    const output = { output: use, queue: 1, concurrency: 1, digest: { window: '50ms' } }
    const gateway = await started(output, journal)
    await gateway.emit(about('a'))
    await gateway.emit(about('a'))
    for (const pod of ['b', 'c', 'd']) await gateway.emit(about(pod))
    const before = gateway.health().outputs[0]?.queued ?? 0
    await expect.poll(() => gateway.health().outputs[0]?.queued).toBe(before + 1)
    hold.resolve()
    hold = gate()
    hold.resolve()
    await expect.poll(() => told.filter(({ digest }) => digest).length).toBe(1)
    await gateway.stop()
    expect(await journal.waiting()).toEqual({})
  })

  it('loses nothing new when the disk fails while some wait in the journal', async () => {
    let mode: JournalHealth['mode'] = 'durable'
    const journal = durable({}, () => mode)
    const hold = gate()
    const { told, use } = sink(() => hold.promise)
    const gateway = await started({ output: use, queue: 4, concurrency: 4 }, journal)
    for (let n = 0; n < 9; n++) await gateway.emit(about(`web-${n}`))
    const unread = gate()
    const { kept } = journal
    journal.kept = async (...args) => {
      await unread.promise
      return kept(...args)
    }
    mode = 'degraded'
    hold.resolve()
    await expect.poll(() => told.length).toBe(8)
    await gateway.emit(about('web-9'))
    unread.resolve()
    await expect.poll(() => told.length).toBe(10)
    await gateway.stop()
    expect(await journal.letters()).toEqual([])
  })

  it('redacts what an earlier run left as the output says now', async () => {
    const event = anEvent({ output: 'by confidential', output_fields: { 'user.name': 'confidential' } })
    const body = noticeText(aNotice({ id: '1', event }), false)
    const journal = memoryJournal({ kept: [{ output: 'sink', id: '1', at: Date.now(), body }] })
    const { told, use } = sink()
    const gateway = await started({ output: use, redact: { fields: ['user.name'] } }, journal)
    await expect.poll(() => told.length).toBe(1)
    await gateway.stop()
    expect(told[0]?.event.output).toBe('by [redacted]')
  })

  it('takes no second time what waits here already', async () => {
    const journal = durable()
    let down = true
    const { told, use } = sink(() => {
      if (down) throw new YarakError('unavailable', 'down', { retryAfter: 1 })
    })
    const gateway = await started(use, journal)
    await (
      await gateway.emit(alert())
    ).done
    const [stored] = await journal.kept('sink', 0, 1)
    const letter = {
      ...{ at: 1, kind: 'notice' as const, from: 'sink', reason: 'x', message: 'x' },
      body: stored!.body,
    }
    expect(await gateway.replay(letter)).toEqual({ outcome: 'kept' })
    down = false
    await expect.poll(() => gateway.health().outputs[0]?.queued).toBe(0)
    await gateway.stop()
    expect(told).toHaveLength(1)
  })
})
