/** What happens when the disk fails: nothing is thrown, it is said aloud, and what could not be written is written later. */
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { groupCommit } from '../../src/journal/commit.ts'
import { openFile } from '../../src/journal/file.ts'
import { createJournal } from '../../src/journal/journal.ts'
import type { Thread } from '../../src/journal/thread.ts'
import { YarakError } from '../../src/plugin.ts'
import { child, event, journals, letter, noneLeft, notice, pendingOf, recordLog, report } from './_kit.ts'

const files = journals()
noneLeft()

const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

/** A journal on a disk that the test lets fail: `broken` is why it cannot be written, `unreadable` whether not even read,
 * `lying` whether it writes and says that it could not. */
const failing = async (retryAfter = 60_000, broken = '') => {
  const disk = { broken, unreadable: false, lying: false, starts: 0 }
  const start = async (): Promise<Thread> => {
    disk.starts++
    if (disk.broken) throw new YarakError('unavailable', disk.broken)
    const file = openFile({ path: files.path(), maxSize: 1024 ** 3 })
    let closed = false
    const close = async (): Promise<void> => {
      if (!closed) file.close()
      closed = true
    }
    closers.push(close)
    return {
      first: { type: 'opened', ...file },
      async run(batch) {
        if (disk.unreadable || (disk.broken && batch.writes.length > 0))
          throw new YarakError('unavailable', disk.broken)
        const done = file.run(batch)
        if (disk.lying && batch.writes.length > 0) throw new YarakError('unavailable', 'the thread ended with 1')
        return done
      },
      close,
    }
  }
  const { log, lines } = recordLog()
  const backend = await groupCommit({ start, maxSize: 1024 ** 3, retryAfter, log })
  return { disk, lines, journal: createJournal(backend, backend.opened) }
}

const FULL = 'database or disk is full'

describe('while the disk fails', () => {
  it('everything goes on in memory, and one line says so', async () => {
    const { disk, lines, journal } = await failing()
    disk.broken = FULL
    await Promise.all([journal.accept(event('a')), journal.note('a', 'x', 1), journal.keep(notice('1'))])
    journal.bury(letter())
    journal.settle('b', [report('b/1')], true)
    expect(lines).toEqual([
      { level: 'error', message: 'the journal failed: from now on it is kept in memory only', fields: { error: FULL } },
    ])
    expect(journal.health()).toMatchObject({ mode: 'degraded', reason: FULL, full: false })
    expect(await journal.read(['a'])).toEqual([event('a')])
    expect(journal.facts('a')).toEqual(new Map([['x', 1]]))
    expect(journal.wasSettled('b')).toBe(true)
    expect(await journal.kept('slack', 0, 9)).toMatchObject([notice('1')])
    expect(await journal.letters()).toMatchObject([{ reason: 'invalid' }])
    expect(await journal.stats()).toMatchObject({
      mode: 'degraded',
      unsettled: 1,
      notices: { slack: 1 },
      deadLetters: 1,
    })
    await journal.flush()
  })

  it('what the file holds is still there to be read', async () => {
    const { disk, journal } = await failing()
    await journal.accept(event('before'))
    for (const id of ['1', '2']) await journal.keep(notice(id))
    disk.broken = FULL
    await journal.accept(event('after'))
    await journal.keep(notice('3'))
    journal.drop(notice('1'))
    expect(await journal.read(['before', 'after'])).toHaveLength(2)
    expect(await journal.kept('slack', 0, 9)).toMatchObject([notice('2'), notice('3')])
    expect(await journal.kept('slack', 0, 1)).toMatchObject([notice('2')])
    expect(await journal.waiting()).toEqual({ slack: 3 })
  })

  it('and cannot even be read, memory alone answers', async () => {
    const { disk, journal } = await failing()
    await journal.accept(event('before'))
    await journal.keep(notice('1'))
    Object.assign(disk, { broken: 'disk I/O error', unreadable: true })
    await journal.accept(event('after'))
    expect(await journal.read(['before', 'after'])).toEqual([event('after')])
    expect(await journal.kept('slack', 0, 9)).toEqual([])
    expect(await journal.waiting()).toEqual({})
  })

  it('an event settled leaves memory', async () => {
    const { disk, journal } = await failing()
    disk.broken = FULL
    const body = 'x'.repeat(64 * 1024 ** 2)
    await journal.accept(event('a', { body }))
    await journal.accept(event('b'))
    await expect(journal.accept(event('c'))).rejects.toMatchObject({ reason: 'journal-full' })
    journal.settle('a', [], false)
    await journal.flush()
    await journal.accept(event('c'))
  })

  it('from the beginning, it begins in memory', async () => {
    const { lines, journal } = await failing(60_000, FULL)
    await journal.accept(event('a'))
    expect(await pendingOf(journal)).toEqual([])
    expect(journal.health()).toMatchObject({ mode: 'degraded', reason: FULL })
    expect(lines).toHaveLength(1)
  })
})

describe('when the disk works again', () => {
  it('what was missed is written, and only that', async () => {
    const { disk, lines, journal } = await failing(0)
    for (const id of ['old', 'ended']) {
      await journal.accept(event(id))
      await journal.note(id, 'x', 1)
      await journal.keep(notice(id))
    }
    disk.broken = FULL
    await journal.accept(event('new'))
    await journal.note('new', 'x', 2)
    await journal.note('old', 'x', 2)
    await journal.accept(event('short'))
    for (const id of ['ended', 'short']) journal.settle(id, [], false)
    journal.settle('pulled', [], true)
    for (const id of ['new', 'short']) await journal.keep(notice(id))
    for (const id of ['ended', 'short']) journal.drop(notice(id))
    for (const message of ['gone', 'kept']) journal.bury(letter({ message }))
    await journal.unbury((await journal.letters()).slice(0, 1).map(({ id }) => id))
    expect(journal.health().mode).toBe('degraded')
    disk.broken = ''
    await journal.keep(notice('last'))
    expect(journal.health()).toEqual({
      mode: 'durable',
      size: expect.any(Number) as number,
      maxSize: 1024 ** 3,
      full: false,
    })
    expect(lines.filter(({ level }) => level === 'info').map(({ message }) => message)).toEqual([
      'the journal is on disk again',
    ])
    await journal.close()

    const after = await files.open()
    expect((await pendingOf(after)).map(({ id }) => id)).toEqual(['old', 'new'])
    expect(['old', 'new', 'ended', 'short'].map((id) => after.facts(id)?.get('x'))).toEqual([
      2,
      2,
      undefined,
      undefined,
    ])
    expect(after.wasSettled('pulled')).toBe(true)
    expect((await after.kept('slack', 0, 9)).map(({ id }) => id)).toEqual(['old', 'new', 'last'])
    expect(await after.letters()).toMatchObject([{ message: 'kept' }])
  })

  it('notices kept meanwhile come after those that were read before', async () => {
    const { disk, journal } = await failing(0)
    await journal.keep(notice('1'))
    const [{ seq } = { seq: 0 }] = await journal.kept('slack', 0, 9)
    disk.broken = FULL
    await journal.keep(notice('2'))
    disk.broken = ''
    await journal.keep(notice('3'))
    expect((await journal.kept('slack', seq, 9)).map(({ id }) => id)).toEqual(['2', '3'])
  })

  it('that failed from the beginning, what came since stands beside what an earlier run left', async () => {
    const before = await files.open()
    await before.accept(event('left'))
    for (const id of ['1', '2']) await before.keep(notice(id))
    before.bury(letter({ message: 'left' }))
    await files.close(before)
    const { disk, journal } = await failing(0, FULL)
    await journal.keep(notice('3'))
    journal.bury(letter({ message: 'new' }))
    disk.broken = ''
    await journal.accept(event('new'))
    expect(journal.health().mode).toBe('durable')
    expect((await journal.kept('slack', 0, 9)).map(({ id }) => id)).toEqual(['1', '2', '3'])
    expect((await journal.letters()).map(({ message }) => message)).toEqual(['left', 'new'])
    await journal.close()
    expect((await pendingOf(await files.open())).map(({ id }) => id)).toEqual(['left', 'new'])
  })

  it('when it is closed, nothing was lost', async () => {
    const { disk, lines, journal } = await failing()
    disk.broken = FULL
    await journal.accept(event('a'))
    disk.broken = ''
    await journal.close()
    expect(lines.map(({ level }) => level)).toEqual(['error', 'info'])
    expect(await pendingOf(await files.open())).toEqual([event('a')])
  })

  it('only after it is closed, it is said how much was lost', async () => {
    const { disk, lines, journal } = await failing()
    disk.broken = FULL
    await journal.accept(event('a'))
    await journal.note('a', 'x', 1)
    await journal.close()
    expect(lines.at(-1)).toEqual({
      level: 'error',
      message: 'the journal is closed, and what was in memory only is lost',
      fields: { writes: 2 },
    })
  })

  it('what may have been written when it failed is ended in the file, too', async () => {
    const { disk, journal } = await failing(0)
    disk.lying = true
    await journal.accept(event('a'))
    await journal.keep(notice('1'))
    expect(journal.health().mode).toBe('degraded')
    expect(await journal.read(['a'])).toEqual([event('a')])
    disk.broken = FULL
    journal.settle('a', [], false)
    journal.drop(notice('1'))
    await journal.flush()
    Object.assign(disk, { broken: '', lying: false })
    await journal.accept(event('b'))
    await journal.close()
    const after = await files.open()
    expect(await pendingOf(after)).toEqual([event('b')])
    expect(await after.waiting()).toEqual({})
  })

  it('it is not tried all the time', async () => {
    const { disk, journal } = await failing()
    disk.broken = FULL
    for (let i = 0; i < 10; i++) await journal.accept(event(`e${i}`))
    expect(disk.starts).toBe(1)
  })

  it('and fails again, memory keeps everything', async () => {
    const { disk, lines, journal } = await failing(0)
    disk.broken = FULL
    await journal.accept(event('a'))
    await journal.accept(event('b'))
    expect(lines.map(({ level }) => level)).toEqual(['error', 'warn'])
    disk.broken = ''
    await journal.accept(event('c'))
    disk.broken = FULL
    await journal.accept(event('d'))
    expect(await journal.read(['d'])).toEqual([event('d')])
    disk.broken = ''
    await journal.accept(event('e'))
    expect((await journal.read(['a', 'b', 'c', 'd', 'e'])).map(({ id }) => id).sort()).toEqual([
      'a',
      'b',
      'c',
      'd',
      'e',
    ])
  })
})

describe('a real disk', () => {
  it('on which a file cannot grow any more degrades the journal, not the process', async () => {
    const { code, out, err } = await child(['fill', files.path()], { limit: 3 * 1024 }).ended
    expect(code).toBe(0)
    expect(err).toMatch(
      /^the journal failed: from now on .*\nthe journal still fails .*\nthe journal is closed, and .* is lost \{"writes":\d+\}\n$/,
    )
    const [stats, read] = out.trim().split('\n')
    expect(JSON.parse(stats ?? '')).toMatchObject({ mode: 'degraded', full: false })
    expect(read).toBe('2')
    const journal = await files.open()
    const left = await pendingOf(journal)
    expect(left.length).toBeGreaterThan(100)
    expect(left.map(({ id }) => id)).toEqual(left.map((_, i) => `e${i}`))
  })

  const mount = (path: string): boolean =>
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', path]).status === 0

  it.skipIf(process.getuid?.() !== 0)(
    'that is full, and has room again, loses nothing (skipped where nothing can be mounted)',
    async (context) => {
      const small = join(files.dir(), 'small')
      mkdirSync(small)
      if (!mount(small)) return context.skip()
      closers.push(() => spawnSync('umount', ['-l', small]))
      const path = join(small, 'journal.db')
      const journal = await files.open({ path, retryAfter: 0 })
      await journal.accept(event('first'))
      let n = 0
      for (; journal.health().mode === 'durable'; n++)
        await journal.accept(event(`e${n}`, { body: 'x'.repeat(10_000) }))
      expect(journal.health().reason).toMatch(/full|I\/O/)
      for (let i = 0; i < n; i++) journal.settle(`e${i}`, [], false)
      await journal.accept(event('meanwhile'))
      spawnSync('mount', ['-o', 'remount,size=20m', small])
      await journal.accept(event('last'))
      expect(journal.health().mode).toBe('durable')
      await files.close(journal)
      expect((await pendingOf(await files.open({ path }))).map(({ id }) => id)).toEqual(['first', 'meanwhile', 'last'])
    },
  )

  it('that is full at the start is no reason not to start', async () => {
    const { code, out, err } = await child(['idle', files.path()], { limit: 0 }).ended
    expect({ code, health: JSON.parse(out) as unknown }).toMatchObject({ code: 0, health: { mode: 'degraded' } })
    expect(err).toContain('the journal failed')
  })
})
