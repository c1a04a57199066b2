/** A journal on disk for a test, opened again as after a restart. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import type { Journal } from '../src/journal/index.ts'
import { sqliteJournal } from '../src/journal/sqlite.ts'
import { SILENT } from '../src/options.ts'

/** Call once in a test file: each test has a folder of its own. */
export const disk = () => {
  const folders: string[] = []
  const journals = new Set<Journal>()
  let folder = ''
  afterEach(async () => {
    await Promise.all([...journals].map((journal) => journal.close()))
    journals.clear()
    for (const one of folders.splice(0)) rmSync(one, { recursive: true, force: true })
    folder = ''
  })
  return {
    async open(options: { maxSize?: number } = {}): Promise<Journal> {
      if (!folder) folders.push((folder = mkdtempSync(join(tmpdir(), 'yarak-journal-'))))
      const journal = await sqliteJournal({ path: join(folder, 'journal.db'), log: SILENT, ...options })
      journals.add(journal)
      return journal
    },
    async close(journal: Journal): Promise<void> {
      journals.delete(journal)
      await journal.close()
    },
  }
}
