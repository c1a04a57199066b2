/** The file itself, in this thread. */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, describe, expect, it } from 'vitest'
import { failureOf, type JournalFile, openFile } from '../../src/journal/file.ts'
import { inspectJournal, removeLetters } from '../../src/journal/inspect.ts'
import type { Read, Write } from '../../src/journal/protocol.ts'
import { KEEP } from '../../src/journal/room.ts'
import { YarakError } from '../../src/plugin.ts'
import { event, journals, letter, notice } from './_kit.ts'

const files = journals()
const opened: JournalFile[] = []
afterEach(() => {
  for (const file of opened.splice(0)) file.close()
})
const open = (maxSize = 1024 ** 3): JournalFile => {
  const file = openFile({ path: files.path(), maxSize })
  opened.push(file)
  return file
}
const close = (file: JournalFile): void => opened.splice(opened.indexOf(file), 1).forEach((one) => one.close())

const COUNTS: Read = ['counts']
const bury = (id: number): Write => ['bury', { ...letter({ message: `${id}` }), id }]

describe('a batch', () => {
  it('is written, and then answered', () => {
    const { answers, space } = open().run({
      writes: [['accept', event('a')], ['keep', { ...notice('1'), seq: 7 }], ['note', 'a', 'x', '1', 5], bury(3)],
      reads: [['read', ['a']], ['kept', 'slack', 0, 9], COUNTS, ['waiting']],
    })
    expect(answers).toEqual([
      [event('a')],
      [{ ...notice('1'), seq: 7 }],
      { unsettled: 1, oldest: event('a').at, notices: { slack: 1 }, responses: 0, deadLetters: 1 },
      { slack: 1 },
    ])
    expect(space.full).toBe(false)
  })

  it('may be done again: nothing is there twice', () => {
    const file = open()
    const writes: Write[] = [
      ['accept', event('a')],
      ['accept', event('b')],
      ['keep', { ...notice('1'), seq: 1 }],
      bury(1),
      ['note', 'b', 'x', '1', 5],
      ['settle', 'a', 5, true, [{ id: 'r', rule: 'r', outcome: 'succeeded', body: '{}' }]],
    ]
    const first = file.run({ writes, reads: [COUNTS] }).answers
    expect(file.run({ writes, reads: [COUNTS] }).answers).toEqual(first)
    expect(first).toMatchObject([{ unsettled: 1, notices: { slack: 1 }, responses: 1, deadLetters: 1 }])
  })

  it('is written as a whole, or not at all', () => {
    const file = open()
    const wrong = { ...event('b'), body: {} } as unknown as ReturnType<typeof event>
    expect(() =>
      file.run({
        writes: [
          ['accept', event('a')],
          ['accept', wrong],
        ],
        reads: [],
      }),
    ).toThrow()
    expect(file.run({ writes: [], reads: [COUNTS] }).answers).toMatchObject([{ unsettled: 0 }])
    file.run({ writes: [['accept', event('c')]], reads: [] })
    expect(file.run({ writes: [], reads: [COUNTS] }).answers).toMatchObject([{ unsettled: 1 }])
  })
})

describe('opening', () => {
  it('tells the facts, the settled ids and the last numbers, also of what is gone', () => {
    const file = open()
    const at = Date.now()
    file.run({
      writes: [
        ['accept', event('a')],
        ['keep', { ...notice('1'), seq: 12 }],
        ['drop', 'slack', '1'],
        bury(9),
        ['note', 'a', 'x', '{"y":1}', at],
        ['settle', 'z', at, true, []],
      ],
      reads: [['unbury', [9]]],
    })
    close(file)
    expect(open().opened).toEqual({
      facts: [{ event: 'a', key: 'x', value: '{"y":1}' }],
      settled: [{ event: 'z', at }],
      lastEvent: 1,
      lastNotice: 12,
      lastLetter: 9,
    })
  })

  it('an empty file, as a crash at the first start leaves it, makes a journal of it', () => {
    writeFileSync(files.path(), '')
    const file = open()
    expect(file.movedAside).toBeUndefined()
    file.run({ writes: [['accept', event('a')]], reads: [] })
  })

  it('a damaged one takes its side files along', () => {
    const file = open()
    file.run({ writes: [['accept', event('a')]], reads: [] })
    close(file)
    for (const suffix of ['', '-wal', '-shm']) writeFileSync(files.path() + suffix, 'this is no database '.repeat(500))
    const { movedAside = '' } = open()
    const names = readdirSync(files.dir()).filter((name) => join(files.dir(), name).startsWith(movedAside))
    expect(names.length).toBeGreaterThan(0)
    expect(names[0]).toMatch(/^journal\.db\.corrupt-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z/)
  })
})

describe('the limits', () => {
  /** Fills a table, without going through the journal. */
  const fill = (sql: string, number: number): void => {
    const db = new DatabaseSync(files.path())
    const insert = db.prepare(sql)
    db.exec('BEGIN')
    for (let i = 1; i <= number; i++) insert.run(i)
    db.exec('COMMIT')
    db.close()
  }

  it('keep 100,000 responses and 20,000 settled ids, the newest', () => {
    close(open())
    const at = Date.now()
    fill(
      `INSERT INTO responses (id, event, rule, outcome, at, report) VALUES (?, 'e', 'r', 'succeeded', ${at}, '{}')`,
      KEEP.responses.number + 5,
    )
    fill(
      `INSERT INTO settled (event, at) VALUES (CAST(CAST(?1 AS INTEGER) AS TEXT), ${at - 30_000} + ?1)`,
      KEEP.settled.number + 5,
    )
    const file = open()
    expect(file.run({ writes: [], reads: [COUNTS] }).answers).toMatchObject([{ responses: KEEP.responses.number }])
    expect(file.opened.settled).toHaveLength(KEEP.settled.number)
    expect(file.opened.settled[0]).toEqual({ event: '6', at: at - 30_000 + 6 })
    expect(new DatabaseSync(files.path()).prepare('SELECT min(seq) AS first FROM responses').get()).toEqual({
      first: 6,
    })
  })

  it('give the room of what was deleted back to the disk', () => {
    const file = open()
    const body = 'x'.repeat(100_000)
    const { space } = file.run({ writes: [['accept', event('a', { body })]], reads: [] })
    const after = file.run({ writes: [['settle', 'a', 1, false, []]], reads: [] })
    expect(after.space.size).toBeLessThan(space.size - 90_000)
  })
})

describe('what an error means', () => {
  it.each([
    [Object.assign(new Error('database or disk is full'), { errcode: 13 }), 'disk'],
    [Object.assign(new Error('disk I/O error'), { errcode: 778 }), 'disk'],
    [Object.assign(new Error('attempt to write a readonly database'), { errcode: 8 }), 'denied'],
    [Object.assign(new Error('attempt to write a readonly database'), { errcode: 1544 }), 'denied'],
    [Object.assign(new Error('unable to open database file'), { errcode: 14 }), 'denied'],
    [new YarakError('config', 'newer', { reason: 'newer' }), 'refused'],
    [new YarakError('config', 'no room', { reason: 'backup' }), 'refused'],
    [new YarakError('unavailable', 'it hangs'), 'disk'],
    [new TypeError('wrong'), 'disk'],
    ['anything', 'disk'],
  ])('%s: %s', (error, kind) => {
    expect(failureOf(error)).toMatchObject({ kind })
  })
})

describe('from outside', () => {
  it('it can be read while it is written', () => {
    const file = open()
    file.run({ writes: [bury(1), bury(2), ['accept', event('a')]], reads: [] })
    const found = inspectJournal(files.path(), ({ letters, counts, size }) => ({
      ids: letters({}).map(({ id }) => id),
      counts: counts(),
      size: size(),
    }))
    expect(found).toMatchObject({ ids: [1, 2], counts: { unsettled: 1 } })
    expect(found.size).toBeGreaterThan(10_000)
  })

  it('dead letters can be removed when nobody has it', () => {
    const file = open()
    file.run({ writes: [bury(1), bury(2)], reads: [] })
    close(file)
    expect(removeLetters(files.path(), [2, 3])).toBe(1)
    expect(removeLetters(files.path(), [2])).toBe(0)
    expect(inspectJournal(files.path(), ({ letters }) => letters({}))).toMatchObject([{ id: 1 }])
  })

  it('dead letters cannot be removed while a gateway has it', async () => {
    const journal = await files.open()
    journal.bury(letter())
    await journal.flush()
    expect(() => removeLetters(files.path(), [1])).toThrow('uses this data directory')
    expect(await journal.letters()).toHaveLength(1)
  })

  it.each([
    ['none', () => {}, 'there is no journal at'],
    ['an empty one', () => writeFileSync(files.path(), ''), 'there is no journal at'],
    ['another file', () => writeFileSync(files.path(), 'this is no database '.repeat(100)), 'cannot read the journal'],
  ])('%s is told, and nothing is made or moved', (_what, make, message) => {
    make()
    const before = readdirSync(files.dir())
    expect(() => inspectJournal(files.path(), ({ counts }) => counts())).toThrow(message)
    expect(readdirSync(files.dir())).toEqual(before)
    expect(() => removeLetters(files.path(), [1])).toThrow(message)
  })
})
