import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import type { Journal } from '../../src/journal/index.ts'
import { inspectJournal } from '../../src/journal/inspect.ts'
import { memoryStore } from '../../src/journal/memory-store.ts'
import { child, event, journals, letter, noneLeft, notice, pendingOf, report } from './_kit.ts'

const files = journals()
noneLeft()

const DAY = 86_400_000

/** Closes a journal and opens its file again. */
const reopened = async (journal: Journal) => {
  await files.close(journal)
  return files.open()
}

/** Looks into the file. */
const rows = (sql: string): unknown[] => {
  const db = new DatabaseSync(files.path(), { readOnly: true })
  const found = db.prepare(sql).all()
  db.close()
  return found
}

describe('a journal on disk, opened again', () => {
  it('gives what was not settled, oldest first, with its facts', async () => {
    const before = await files.open()
    for (const id of ['c', 'a', 'b']) await before.accept(event(id))
    await before.note('a', 'step/1', { done: [1, 'é'] })
    await before.note('pulled', 'told', null)
    before.settle('b', [], false)
    const journal = await reopened(before)
    expect(await pendingOf(journal)).toEqual([event('c'), event('a')])
    expect(await pendingOf(journal)).toEqual([])
    expect(journal.facts('a')).toEqual(new Map([['step/1', { done: [1, 'é'] }]]))
    expect(journal.facts('pulled')).toEqual(new Map([['told', null]]))
    expect(journal.facts('b')).toBeUndefined()
    expect(journal.health()).toMatchObject({ mode: 'durable', full: false, maxSize: 1024 ** 3 })
  })

  it('reads them page by page, without those accepted or settled in the meantime', async () => {
    const before = await files.open()
    const ids = Array.from({ length: 1_234 }, (_, i) => `e${i}`)
    await Promise.all(ids.map((id) => before.accept(event(id))))
    const journal = await reopened(before)
    const seen: string[] = []
    for await (const { id } of journal.pending()) {
      if (seen.push(id) !== 10) continue
      await journal.accept(event('new'))
      journal.settle('e1200', [], false)
    }
    expect(seen).toEqual(ids.filter((id) => id !== 'e1200'))
  })

  it('reads few large ones at a time', async () => {
    const before = await files.open()
    const body = 'x'.repeat(3 * 1024 ** 2)
    for (const id of ['a', 'b', 'c', 'd']) await before.accept(event(id, { body }))
    const journal = await reopened(before)
    const pages = journal.pending()[Symbol.asyncIterator]()
    for (const id of ['a', 'b', 'c']) expect((await pages.next()).value).toMatchObject({ id })
    journal.settle('d', [], false)
    expect(await pages.next()).toMatchObject({ done: true })
  })

  it('has the notices, the settled ids, the dead letters and the history', async () => {
    const before = await files.open()
    await before.keep(notice('1'))
    await before.keep(notice('2'))
    before.drop(notice('1'))
    before.settle('pulled', [report('r1')], true)
    before.bury(letter({ kind: 'notice' }))
    const journal = await reopened(before)
    expect(await journal.kept('slack', 0, 9)).toMatchObject([notice('2')])
    await journal.keep(notice('3'))
    expect(await journal.kept('slack', 0, 9)).toMatchObject([notice('2'), notice('3')])
    expect(journal.wasSettled('pulled')).toBe(true)
    journal.bury(letter())
    expect(await journal.letters()).toMatchObject([{ id: 1 }, { id: 2 }])
    expect(await journal.stats()).toMatchObject({ responses: 1, deadLetters: 2, notices: { slack: 2 } })
  })

  it('has forgotten what is old, but nothing that is unfinished', async () => {
    const before = await files.open()
    await before.accept(event('a', { at: 0 }))
    await before.keep(notice('1', 'slack', { at: 0 }))
    before.bury(letter({ at: Date.now() - 31 * DAY }))
    before.bury(letter({ at: Date.now() - 29 * DAY, message: 'young' }))
    before.settle('pulled', [report('r1')], true)
    for (const id of ['a', 'gone', 'young']) await before.note(id, 'x', 1)
    await files.close(before)
    const db = new DatabaseSync(files.path())
    db.exec(`UPDATE facts SET at = at - ${8 * DAY} WHERE event <> 'young'`)
    db.exec(`UPDATE responses SET at = at - ${8 * DAY}; UPDATE settled SET at = at - ${16 * 60_000}`)
    db.close()
    const journal = await files.open()
    expect(await pendingOf(journal)).toEqual([event('a', { at: 0 })])
    expect(['a', 'gone', 'young'].map((id) => journal.facts(id)?.get('x'))).toEqual([1, undefined, 1])
    expect(journal.wasSettled('pulled')).toBe(false)
    expect(await journal.letters()).toMatchObject([{ message: 'young' }])
    expect(await journal.stats()).toMatchObject({ unsettled: 1, notices: { slack: 1 }, responses: 0 })
  })

  it('keeps 10,000 dead letters of each kind, the newest', async () => {
    const before = await files.open()
    before.bury(letter({ kind: 'notice' }))
    for (let i = 0; i <= 10_000; i++) before.bury(letter({ message: `${i}` }))
    const journal = await reopened(before)
    const events = await journal.letters({ kind: 'event', limit: 99_999 })
    expect([events.length, events[0]?.message, events.at(-1)?.message]).toEqual([10_000, '1', '10000'])
    expect(await journal.letters({ kind: 'notice' })).toHaveLength(1)
  })

  it('has the reports as they were', async () => {
    const journal = await files.open()
    journal.settle('a', [report('a/1', { outcome: 'failed' })], false)
    await journal.flush()
    const [row] = rows('SELECT id, event, rule, outcome, report FROM responses') as Record<string, string>[]
    expect(row).toMatchObject({ id: 'a/1', event: 'a', rule: 'r', outcome: 'failed' })
    expect(JSON.parse(row?.['report'] ?? '')).toEqual(report('a/1', { outcome: 'failed' }))
  })
})

describe('the process', () => {
  it('ends by itself with an open journal that is idle', async () => {
    const { code, out, err } = await child(['idle', files.path()]).ended
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(JSON.parse(out)).toMatchObject({ mode: 'durable' })
  })

  it('does not end while something is to be written', async () => {
    expect(await child(['unawaited', files.path()]).ended).toMatchObject({ code: 0 })
    expect(await pendingOf(await files.open())).toMatchObject([{ id: 'a' }])
  })
})

describe('the file', () => {
  it('belongs to one process, which the second is told of', async () => {
    const first = child(['hold', files.path()])
    await expect.poll(() => first.said.out).toContain('ready')
    const pid = readFileSync(`${files.path()}.lock.pid`, 'utf8').trim()
    await expect(files.open()).rejects.toMatchObject({
      code: 'config',
      reason: 'locked',
      message: `the process ${pid} uses this data directory; give each gateway a dataDir of its own`,
    })
    first.made.kill('SIGKILL')
    await first.ended
    expect((await files.open()).health().mode).toBe('durable')
  })

  it('belongs to one journal in a process, too', async () => {
    const first = await files.open()
    await expect(files.open()).rejects.toMatchObject({ reason: 'locked' })
    await first.accept(event('a'))
    expect(await pendingOf(await reopened(first))).toEqual([event('a')])
    expect(readdirSync(files.dir()).filter((name) => /-wal|-shm/.test(name))).toHaveLength(2)
  })

  it('can be read by its owner only', async () => {
    const journal = await files.open({ path: join(files.dir(), 'made', 'journal.db') })
    await journal.accept(event('a'))
    expect(statSync(join(files.dir(), 'made')).mode & 0o777).toBe(0o700)
    for (const suffix of ['', '-wal', '-shm', '.lock.pid']) {
      expect([suffix, statSync(join(files.dir(), 'made', `journal.db${suffix}`)).mode & 0o777]).toEqual([suffix, 0o600])
    }
  })

  it('commits to the disk, and gives room back', async () => {
    const journal = await files.open()
    await journal.accept(event('a'))
    expect(rows('PRAGMA journal_mode')).toEqual([{ journal_mode: 'wal' }])
    expect(rows('PRAGMA auto_vacuum')).toEqual([{ auto_vacuum: 2 }])
  })

  it('of the version before is brought up to date, and keeps what it has', async () => {
    const before = await files.open()
    await before.accept(event('old', { authenticated: 'bearer' }))
    await files.close(before)
    const db = new DatabaseSync(files.path())
    db.exec('ALTER TABLE events DROP COLUMN cluster; ALTER TABLE events DROP COLUMN shared; PRAGMA user_version = 1')
    db.close()
    expect(inspectJournal(files.path(), ({ counts }) => counts())).toMatchObject({ unsettled: 1 })
    const journal = await files.open()
    await journal.accept(event('new', { cluster: 'eu', shared: true }))
    expect(await journal.read(['old'])).toEqual([event('old', { authenticated: 'bearer' })])
    expect(await journal.read(['new'])).toEqual([event('new', { cluster: 'eu', shared: true })])
    expect(rows('PRAGMA user_version')).toEqual([{ user_version: 2 }])
  })

  it('of before traces could be looked up is read as it is, and gets the index when it is opened', async () => {
    const before = await files.open()
    before.settle('e', [report('r1', { traceId: 'abcd' })], false)
    await files.close(before)
    const db = new DatabaseSync(files.path())
    db.exec('DROP INDEX responses_by_trace')
    db.close()
    const found = [{ report: { id: 'r1' } }]
    expect(inspectJournal(files.path(), ({ responses }) => responses({ trace: 'ab' }))).toMatchObject(found)
    expect(await (await files.open()).responses({ trace: 'ab' })).toMatchObject(found)
    const plan = rows(`EXPLAIN QUERY PLAN SELECT seq FROM responses WHERE (NULL IS NULL OR seq < NULL)
      AND report ->> '$.traceId' >= 'ab' AND report ->> '$.traceId' < 'ab' || char(1114111) ORDER BY seq DESC`)
    expect(JSON.stringify(plan)).toContain('responses_by_trace')
    expect(rows('PRAGMA user_version')).toEqual([{ user_version: 2 }])
  })

  it('of a newer version is refused, and left as it is', async () => {
    await files.close(await files.open())
    const db = new DatabaseSync(files.path())
    db.exec('PRAGMA user_version = 99')
    db.close()
    const before = readFileSync(files.path())
    await expect(files.open()).rejects.toMatchObject({
      code: 'config',
      message: `the journal ${files.path()} is of version 99, this program knows 2: run the newer Yarak, or move the file away`,
    })
    expect(readFileSync(files.path())).toEqual(before)
  })

  it.each([
    ['that is none', () => 'this is no database, whatever its name says '.repeat(100)],
    [
      'that is damaged',
      () => {
        const bytes = readFileSync(files.path())
        return Buffer.concat([bytes.subarray(0, 4_096), Buffer.alloc(bytes.length - 4_096, 0x41)])
      },
    ],
  ])('%s is moved aside, loudly, and a new one begun', async (_what, content) => {
    const before = await files.open()
    for (let i = 0; i < 100; i++) await before.accept(event(`e${i}`))
    await files.close(before)
    const damaged = content()
    writeFileSync(files.path(), damaged)
    const journal = await files.open()
    const aside = readdirSync(files.dir()).find((name) => name.startsWith('journal.db.corrupt-')) ?? ''
    expect(readFileSync(join(files.dir(), aside))).toEqual(Buffer.from(damaged))
    const movedAside = join(files.dir(), aside)
    expect(journal.lines).toEqual([
      {
        level: 'error',
        message: 'the journal could not be read: it was moved aside, and a new one is begun',
        fields: { moved_to: movedAside },
      },
    ])
    expect(journal.health()).toMatchObject({ mode: 'durable', movedAside })
    await journal.accept(event('new'))
    expect((await (await reopened(journal)).stats()).unsettled).toBe(1)
  })

  it('that cannot be made is a wrong setting', async () => {
    writeFileSync(join(files.dir(), 'file'), '')
    const path = join(files.dir(), 'file', 'journal.db')
    await expect(files.open({ path })).rejects.toMatchObject({
      code: 'config',
      message: expect.stringMatching(/^cannot keep a journal in .*file: .*; set dataDir to a folder/) as string,
    })
  })

  it('that is a folder is a wrong setting', async () => {
    mkdirSync(files.path())
    await expect(files.open()).rejects.toMatchObject({
      code: 'config',
      message: `cannot use ${files.path()}: unable to open database file`,
    })
  })

  it.skipIf(process.getuid?.() === 0)('that may not be written is a wrong setting (skipped for root)', async () => {
    await files.close(await files.open())
    chmodSync(files.path(), 0o400)
    await expect(files.open()).rejects.toMatchObject({ code: 'config' })
  })
})

describe('the size', () => {
  const MIB = 1024 ** 2
  const body = 'x'.repeat(50_000)

  it('is as of the last write', async () => {
    const journal = await files.open()
    const { size } = journal.health()
    await journal.accept(event('a', { body }))
    expect(journal.health().size).toBeGreaterThan(size + 45_000)
  })

  it('over its limit, history goes before anything else', async () => {
    const journal = await files.open({ maxSize: MIB })
    await journal.accept(event('mine'))
    await journal.keep(notice('1'))
    for (let i = 0; i < 40; i++) {
      journal.bury(letter({ body }))
      journal.settle(`e${i}`, [report(`r${i}`, { target: body })], false)
      await journal.flush()
    }
    expect(journal.health().full).toBe(false)
    expect(journal.health().size).toBeLessThan(MIB)
    expect((await journal.stats()).deadLetters).toBeLessThan(40)
    expect(await journal.stats()).toMatchObject({ unsettled: 1, notices: { slack: 1 } })
  })

  it('at its limit new events are refused, unfinished work goes on, and it recovers by itself', async () => {
    const journal = await files.open({ maxSize: MIB })
    let accepted = 0
    const refused = (async () => {
      for (; accepted < 100; accepted++) await journal.accept(event(`e${accepted}`, { body }))
    })()
    await expect(refused).rejects.toMatchObject({ code: 'overloaded', reason: 'journal-full', retryAfter: 1_000 })
    expect(accepted).toBeGreaterThan(10)
    expect(journal.health()).toMatchObject({ mode: 'durable', full: true })
    await journal.note('e1', 'step', 1)
    await journal.keep(notice('1'))
    expect(await journal.read(['e0', 'e1'])).toHaveLength(2)
    for (let i = 0; i < 5; i++) journal.settle(`e${i}`, [], false)
    await journal.flush()
    expect(journal.health().full).toBe(false)
    await journal.accept(event('again', { body }))
    expect((await journal.stats()).unsettled).toBe(accepted - 4)
  })
})

describe('what is held in memory for the file', () => {
  it('is nothing but facts and ids: no event', async () => {
    const store = memoryStore()
    store.note('a', 'x', '1', 1)
    expect(store.counts()).toEqual({ unsettled: 0, notices: {}, responses: 0, deadLetters: 0 })
  })
})

describe('a journal that was closed', () => {
  it('takes what comes too late without a word, and leaves the file alone', async () => {
    const journal = await files.open()
    await journal.accept(event('a'))
    await files.close(journal)
    await Promise.all([journal.accept(event('late')), journal.keep(notice('1'))])
    journal.settle('a', [], false)
    await journal.flush()
    expect(journal.lines).toEqual([])
    expect(await pendingOf(await files.open())).toEqual([event('a')])
  })
})
