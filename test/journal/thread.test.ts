/** What happens when the journal's thread dies. */
import type * as threads from 'node:worker_threads'
import { beforeEach, expect, it, vi } from 'vitest'
import { event, journals, letter, notice, pendingOf } from './_kit.ts'

const made = vi.hoisted(() => [] as threads.Worker[])
vi.mock('node:worker_threads', async (original) => {
  const real = await original<typeof threads>()
  return {
    ...real,
    Worker: class extends real.Worker {
      constructor(...args: ConstructorParameters<typeof real.Worker>) {
        super(...args)
        made.push(this)
      }
    },
  }
})

const files = journals()
beforeEach(() => void made.splice(0))

const RESTARTED = { level: 'warn', message: 'the journal’s thread died and is started again' }

it('a thread that dies while it writes is started again, and what was in the air is written once', async () => {
  const journal = await files.open()
  await journal.accept(event('before'))
  const writes = Array.from({ length: 100 }, (_, i) => {
    journal.bury(letter({ message: `${i}` }))
    return Promise.all([journal.accept(event(`e${i}`)), journal.note(`e${i}`, 'x', i), journal.keep(notice(`${i}`))])
  })
  await Promise.resolve()
  const dying = made[0]?.terminate()
  await Promise.all(writes)
  await dying
  expect(made).toHaveLength(2)
  expect(journal.lines).toMatchObject([RESTARTED])
  expect(journal.health().mode).toBe('durable')
  expect(await journal.stats()).toMatchObject({ unsettled: 101, deadLetters: 100, notices: { slack: 100 } })
  await files.close(journal)
  const after = await files.open()
  expect(await pendingOf(after)).toHaveLength(101)
  expect(after.facts('e7')).toEqual(new Map([['x', 7]]))
})

it('a thread that dies while idle is started by the next write', async () => {
  const journal = await files.open()
  await made[0]?.terminate()
  await journal.accept(event('a'))
  expect(journal.health().mode).toBe('durable')
  expect(journal.lines).toMatchObject([RESTARTED])
})

it('what an earlier run left is not given twice because of it', async () => {
  const before = await files.open()
  for (let i = 0; i < 600; i++) void before.accept(event(`e${i}`))
  await files.close(before)
  const journal = await files.open()
  const seen: string[] = []
  for await (const { id } of journal.pending()) {
    seen.push(id)
    if (seen.length !== 100) continue
    await journal.accept(event('new'))
    await made[1]?.terminate()
  }
  expect(seen).toEqual(Array.from({ length: 600 }, (_, i) => `e${i}`))
})

it('one that dies twice leaves the journal in memory, which says so', async () => {
  const journal = await files.open()
  await made[0]?.terminate()
  await journal.accept(event('a'))
  await made[1]?.terminate()
  await journal.accept(event('b'))
  await journal.keep(notice('1'))
  expect(journal.health()).toMatchObject({
    mode: 'degraded',
    reason: expect.stringContaining('the thread ended') as string,
  })
  expect(journal.lines).toMatchObject([RESTARTED, { level: 'error' }])
  expect(await journal.read(['b'])).toEqual([event('b')])
  expect(made).toHaveLength(2)
})

it('and is on disk again after a while, with what came in between', async () => {
  const journal = await files.open({ retryAfter: 0 })
  await made[0]?.terminate()
  await journal.accept(event('a'))
  await made[1]?.terminate()
  await journal.accept(event('b'))
  expect(journal.health().mode).toBe('degraded')
  await journal.accept(event('c'))
  expect(journal.health().mode).toBe('durable')
  await files.close(journal)
  expect((await pendingOf(await files.open())).map(({ id }) => id)).toEqual(['a', 'b', 'c'])
})

it('a thread that cannot be started again leaves the journal in memory', async () => {
  const journal = await files.open()
  await journal.accept(event('a'))
  await made[0]?.terminate()
  const { rmSync } = await import('node:fs')
  rmSync(files.dir(), { recursive: true, force: true })
  await journal.accept(event('b'))
  expect(journal.health().mode).toBe('degraded')
  expect(await journal.read(['b'])).toEqual([event('b')])
})

it('closing is done when a dead thread has nothing to close', async () => {
  const journal = await files.open()
  await made[0]?.terminate()
  await files.close(journal)
  expect((await files.open()).health().mode).toBe('durable')
})
