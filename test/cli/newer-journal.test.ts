/** A journal that a newer version has written, as each command meets it. */
import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { journalled } from './_gateway.ts'
import { folder, yarak } from './_kit.ts'

const files = folder()
const { config, leave } = journalled(files)

const leaveNewer = async (): Promise<void> => {
  await leave(() => {})
  const db = new DatabaseSync(files.at('data/journal.db'))
  db.exec('PRAGMA user_version = 9')
  db.close()
}

it.each([
  ['run'],
  ['journal', 'stats'],
  ['dlq', 'ls'],
  ['dlq', 'show', '1'],
  ['dlq', 'rm', '1'],
  ['responses', 'ls'],
  ['responses', 'show', 'x'],
  ['trace', '4bf92f35'],
])('yarak %s %s names the file, both versions and what to do', async (...words) => {
  await leaveNewer()
  const [command = '', ...rest] = words.filter((word) => typeof word === 'string')
  const { code, err } = await yarak([command, ...rest, '--config', config()])
  expect(code).toBe(1)
  expect(err).toContain(
    `the journal ${files.at('data/journal.db')} is of version 9, this program knows 2: run the newer Yarak, or move the file away`,
  )
})

it('yarak doctor finds it', async () => {
  await leaveNewer()
  const { code, out } = await yarak(['doctor', '--config', config()])
  expect(code).toBe(1)
  expect(out).toMatch(/journal\.db is of version 9, this program knows 2/)
  expect(out).toContain('install the newer Yarak')
})
