import { writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { journalFindings } from '../../src/doctor/journal.ts'
import type { Journal } from '../../src/journal/index.ts'
import { sqliteJournal } from '../../src/journal/sqlite.ts'
import { SILENT } from '../../src/options.ts'
import { folder, lines } from './_kit.ts'

const files = folder()

const open = (): Promise<Journal> => sqliteJournal({ path: files.at('journal.db'), log: SILENT })
const left = async (fill: (journal: Journal) => unknown = () => {}): Promise<void> => {
  const journal = await open()
  await fill(journal)
  await journal.close()
}

const look = (more: { isRunning?: boolean; lives?: boolean; enabled?: boolean; maxSize?: number } = {}): string[] => {
  const { isRunning = false, lives = false, enabled = true, maxSize = 1024 ** 3 } = more
  return lines(
    journalFindings({ dataDir: files.at(''), journal: { enabled, maxSize } }, { lives: () => lives }, isRunning),
  )
}

describe('the journal', () => {
  it('that is off', () =>
    expect(look({ enabled: false })).toEqual([expect.stringMatching(/^warn file: the journal is off/)]))

  it('that is not there yet', () => expect(look()).toEqual([expect.stringMatching(/^skip file: there is none at/)]))

  it('that a gateway left in order', async () => {
    await left()
    expect(look()).toEqual([
      expect.stringMatching(/^ok file: .*journal.db can be read$/),
      'ok integrity: the file is whole',
      expect.stringMatching(/^ok size: .* KiB of at most 1 GiB$/),
      'ok work: 0 unfinished events, 0 waiting notices, 0 dead letters',
      'ok owner: no process has it open',
    ])
  })

  it('that is nearly full', async () => {
    await left()
    expect(look({ maxSize: 4_096 })).toContainEqual(expect.stringMatching(/^warn size/))
  })

  it('with an event that has waited for long', async () => {
    await left((journal) => journal.accept({ id: 'e', input: 'http', body: '{}', at: Date.now() - 7_500_000 }))
    expect(look()).toContainEqual(
      expect.stringMatching(/^warn work: 1 unfinished event, .*; the oldest event has waited for 2 h$/),
    )
  })

  it('that is no journal', () => {
    writeFileSync(files.at('journal.db'), 'not a database, but long enough to be taken for something else')
    expect(look()).toEqual([expect.stringMatching(/^fail file: cannot read the journal/)])
  })

  it('that a process has open: with a gateway that answers, and without', async () => {
    const journal = await open()
    try {
      const owner = (more: Parameters<typeof look>[0]) => look(more).at(-1)
      expect(owner({ lives: true, isRunning: true })).toBe(`ok owner: the process ${process.pid} has it open`)
      expect(owner({ lives: true })).toMatch(/^warn owner: .* but no gateway answers$/)
      expect(owner({})).toMatch(/^warn owner: .* has died/)
      expect(owner({ isRunning: true })).toMatch(/^ok owner: .* of another machine or container/)
    } finally {
      await journal.close()
    }
  })
})
