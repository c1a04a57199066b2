import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import type { Journal } from '../../src/journal/index.ts'
import { event, letter, notice, report } from '../journal/_kit.ts'
import { journalled } from './_gateway.ts'
import { folder, yarak } from './_kit.ts'

const files = folder()
const { config, leave, run } = journalled(files)

const at = Date.UTC(2026, 10, 23, 8)

const some = async (journal: Journal): Promise<void> => {
  await journal.accept(event('a', { at }))
  for (const id of ['1', '2']) await journal.keep(notice(id))
  journal.settle('b', [report('b/1')], false)
  journal.bury(letter())
  await journal.flush()
}

const COUNTS = { unsettled: 1, oldest: at, notices: { slack: 2 }, responses: 1, deadLetters: 1 }

describe('journal stats', () => {
  it('tells of a running gateway', async () => {
    const { journal, url } = await run()
    await some(journal)
    const file = config()
    const { code, out, err } = await yarak(['journal', 'stats', '--config', file])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(/^gateway +unix:\/.*\/admin\.sock$/m)
    expect(out).toMatch(/^state +durable$/m)
    expect(out).toMatch(/^size +\d+(\.\d)? KiB of 1 GiB$/m)
    expect(out).toMatch(/^unfinished events +1, the oldest of 2026-11-23 08:00:00 UTC$/m)
    expect(out).toMatch(/^waiting notices +slack 2$/m)
    expect(out).toMatch(/^responses +1$/m)
    expect(out).toMatch(/^dead letters +1$/m)
    const json = JSON.parse((await yarak(['journal', 'stats', '--config', file, '--json'])).out) as object
    expect(json).toEqual({ gateway: url, ...(await journal.stats()) })
    expect(json).toMatchObject(COUNTS)
  })

  it('tells of one that has ended', async () => {
    await leave(some)
    const file = config()
    const { code, out } = await yarak(['journal', 'stats', '--config', file])
    expect(code).toBe(0)
    expect(out).toMatch(/^file +\/.*journal\.db$/m)
    expect(out).not.toContain('state')
    const json = await yarak(['journal', 'stats', '--config', file, '--json'])
    expect(JSON.parse(json.out)).toEqual({
      file: files.at('data/journal.db'),
      size: expect.any(Number) as number,
      ...COUNTS,
    })
  })

  it('tells of an empty one', async () => {
    await leave(() => {})
    const { out } = await yarak(['journal', 'stats', '--config', config()])
    expect(out).toMatch(/^unfinished events +0$/m)
    expect(out).toMatch(/^waiting notices +0$/m)
  })

  it('says that there is none', async () => {
    expect(await yarak(['journal', 'stats', '--config', config()])).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('there is no journal at') as string,
    })
  })

  it('says that the file is none, and does not touch it', async () => {
    await leave(() => {})
    files.write('data/journal.db', 'this is no database '.repeat(100))
    const { code, err } = await yarak(['journal', 'stats', '--config', config()])
    expect([code, err]).toEqual([1, expect.stringMatching(/^yarak: cannot read the journal .*not a database\n$/)])
  })

  it('says that the file is of a newer version', async () => {
    await leave(() => {})
    const db = new DatabaseSync(files.at('data/journal.db'))
    db.exec('PRAGMA user_version = 99')
    db.close()
    const { code, err } = await yarak(['journal', 'stats', '--config', config()])
    expect([code, err]).toEqual([
      1,
      expect.stringMatching(/is of version 99, this program knows \d+: run the newer/) as string,
    ])
  })

  it('shows how by example', async () => {
    const { code, out } = await yarak(['journal', 'stats', '--help'])
    expect(code).toBe(0)
    const examples = [...out.matchAll(/^ {2}yarak (.+)$/gm)]
    expect(examples).toHaveLength(3)
    for (const [, args = ''] of examples) expect((await yarak([...args.split(' '), '--help'])).code).toBe(0)
    expect((await yarak(['journal'])).code).toBe(2)
  })
})
