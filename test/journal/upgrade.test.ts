/** A journal of an older version: copied, then brought up to date; whole at every moment. */
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { backUp } from '../../src/journal/backup.ts'
import { openFile } from '../../src/journal/file.ts'
import { inspectJournal, removeLetters } from '../../src/journal/inspect.ts'
import { child, event, journals, letter, noneLeft, notice, report } from './_kit.ts'

const files = journals()
noneLeft()

const backup = (): string => `${files.path()}.v1.bak`

const query = (path: string, sql: string): unknown[] => {
  const db = new DatabaseSync(path)
  const found = db.prepare(sql).all()
  db.close()
  return found.map((row) => ({ ...row }))
}
const versionIn = (path: string): unknown => query(path, 'PRAGMA user_version')
const V1 = [{ user_version: 1 }]
const V2 = [{ user_version: 2 }]

const COLUMNS = 'ALTER TABLE events DROP COLUMN cluster; ALTER TABLE events DROP COLUMN shared;'

/** Leaves a file as version 1 had it, with one of each thing, and so many events. */
const leaveOld = async (events = 1, body = '{}'): Promise<void> => {
  const journal = await files.open()
  for (let i = 0; i < events; i++) void journal.accept(event(`old${i}`, { body }))
  await journal.keep(notice('n'))
  await journal.note('old0', 'step', { done: true })
  journal.settle('e', [report('r')], true)
  journal.bury(letter())
  await journal.flush()
  await files.close(journal)
  const db = new DatabaseSync(files.path())
  db.exec(`${COLUMNS} PRAGMA user_version = 1`)
  db.close()
}

const COUNTS = { unsettled: 1, notices: { slack: 1 }, responses: 1, deadLetters: 1 }

describe('opening a file of an older version', () => {
  it('keeps all that is in it, and a copy of how it was, and says so', async () => {
    await leaveOld()
    const journal = await files.open()
    expect(await journal.stats()).toMatchObject(COUNTS)
    expect(journal.facts('old0')).toEqual(new Map([['step', { done: true }]]))
    expect(journal.wasSettled('e')).toBe(true)
    expect(journal.lines).toEqual([
      {
        level: 'info',
        message: 'the journal was brought to a newer version; remove the backup when it is not needed',
        fields: { from: 1, to: 2, backup: backup() },
      },
    ])
    expect(versionIn(files.path())).toEqual(V2)
    expect(versionIn(backup())).toEqual(V1)
    expect(inspectJournal(backup(), ({ counts }) => counts())).toMatchObject(COUNTS)
  })

  it('makes the copy for its owner alone, whatever the file is', async () => {
    await leaveOld()
    chmodSync(files.path(), 0o644)
    await files.close(await files.open())
    expect(statSync(backup()).mode & 0o777).toBe(0o600)
  })

  it('is done once; the copy stays', async () => {
    await leaveOld()
    await files.close(await files.open())
    const before = readFileSync(backup())
    const again = await files.open()
    expect(again.lines).toEqual([])
    expect(readFileSync(backup())).toEqual(before)
  })

  it('puts the copy in the place of an earlier one of that version, and of one that a crash has cut', async () => {
    await leaveOld()
    writeFileSync(backup(), 'an earlier one')
    writeFileSync(`${backup()}.part`, 'half of one')
    await files.close(await files.open())
    expect(versionIn(backup())).toEqual(V1)
    expect(readdirSync(files.dir()).filter((name) => name.includes('.part'))).toEqual([])
  })

  it('is not what happens to a new one, or to one of this version', async () => {
    await files.close(await files.open())
    const journal = await files.open()
    expect(journal.lines).toEqual([])
    expect(readdirSync(files.dir()).filter((name) => name.endsWith('.bak'))).toEqual([])
  })

  it('can be taken back: the copy in its place is a journal again', async () => {
    await leaveOld()
    await files.close(await files.open())
    writeFileSync(files.path(), readFileSync(backup()))
    for (const suffix of ['-wal', '-shm']) rmSync(files.path() + suffix, { force: true })
    expect(await (await files.open()).stats()).toMatchObject(COUNTS)
  })

  it('is left to the gateway by who only looks, and by who removes dead letters', async () => {
    await leaveOld()
    expect(inspectJournal(files.path(), ({ letters }) => letters({}))).toHaveLength(1)
    expect(inspectJournal(files.path(), ({ responses }) => responses({}))).toHaveLength(1)
    expect(removeLetters(files.path(), [1])).toBe(1)
    expect(versionIn(files.path())).toEqual(V1)
    expect(existsSync(backup())).toBe(false)
  })
})

describe('without room for the copy', () => {
  it('a start is refused, and the file left as it was', async () => {
    await leaveOld()
    const before = readFileSync(files.path())
    const db = new DatabaseSync(files.path())
    const copy = (): string => backUp(db, files.path(), () => 4_000_000)
    expect(copy).toThrow(
      /journal\.db is of version 1, and cannot be copied to .*\.v1\.bak .* and 4000000 are free; it is/,
    )
    expect(copy).toThrow(expect.objectContaining({ code: 'config', reason: 'backup' }) as Error)
    db.close()
    expect(readFileSync(files.path())).toEqual(before)
    expect(existsSync(backup())).toBe(false)
  })

  it('also when the disk is full before anybody knew', async () => {
    await leaveOld(400, 'x'.repeat(2_000))
    const { code, err } = await child(['idle', files.path()], { limit: 200 }).ended
    expect(code).toBe(1)
    expect(err).toContain('cannot be copied')
    expect(versionIn(files.path())).toEqual(V1)
    expect(readdirSync(files.dir()).filter((name) => name.includes('.bak'))).toEqual([])
    expect(await (await files.open()).stats()).toMatchObject({ unsettled: 400 })
  })

  it('a copy that cannot be put in its place is a refusal too, not a journal in memory', async () => {
    await leaveOld()
    mkdirSync(backup())
    await expect(files.open()).rejects.toMatchObject({ code: 'config', reason: 'refused' })
    expect(versionIn(files.path())).toEqual(V1)
    expect(readdirSync(files.dir()).filter((name) => name.includes('.part'))).toEqual([])
  })
})

it('a change that fails half-way leaves the file of the old version, and the copy', async () => {
  await leaveOld()
  query(files.path(), 'ALTER TABLE events ADD COLUMN shared INTEGER')
  expect(() => openFile({ path: files.path(), maxSize: 1024 ** 3 })).toThrow('duplicate column name: shared')
  expect(versionIn(files.path())).toEqual(V1)
  expect(query(files.path(), "SELECT name FROM pragma_table_info('events') WHERE name = 'cluster'")).toEqual([])
  expect(versionIn(backup())).toEqual(V1)
})

it('SIGKILL at any moment leaves a file of one version or the other, with all that was in it', async () => {
  await leaveOld(4_000, 'x'.repeat(1_000))
  const old = readFileSync(files.path())
  const met = new Set<string>()
  for (let round = 0; round < 6; round++) {
    for (const suffix of ['-wal', '-shm', '.v1.bak', '.v1.bak.part']) rmSync(files.path() + suffix, { force: true })
    writeFileSync(files.path(), old)
    const { made, said, ended } = child(['hold', files.path()])
    const sign = [`${backup()}.part`, backup()][round % 3]
    const reached = (): boolean => (sign ? existsSync(sign) : said.out !== '')
    await expect.poll(reached, { timeout: 15_000, interval: 1 }).toBe(true)
    made.kill('SIGKILL')
    await ended
    const version = JSON.stringify(versionIn(files.path()))
    met.add(version)
    expect([JSON.stringify(V1), JSON.stringify(V2)]).toContain(version)
    expect(inspectJournal(files.path(), ({ counts }) => counts())).toMatchObject({ unsettled: 4_000 })
    if (existsSync(backup())) expect(query(backup(), 'SELECT count(*) AS n FROM events')).toEqual([{ n: 4_000 }])
    const after = await files.open()
    expect(await after.stats()).toMatchObject({ mode: 'durable', unsettled: 4_000 })
    await files.close(after)
    expect(versionIn(backup())).toEqual(V1)
  }
  expect(met).toContain(JSON.stringify(V2))
}, 60_000)

describe('a file of a newer version', () => {
  it('names the copy from before, when there is one', async () => {
    await files.close(await files.open())
    query(files.path(), 'PRAGMA user_version = 7')
    const look = (): unknown => inspectJournal(files.path(), ({ counts }) => counts())
    const text = `the journal ${files.path()} is of version 7, this program knows 2: run the newer Yarak, or move the file away`
    expect(look).toThrow(new RegExp(`^${text}$`))
    writeFileSync(`${files.path()}.v2.bak`, '')
    expect(look).toThrow(`${text}, or put ${files.path()}.v2.bak, the copy from before, in its place`)
  })
})
