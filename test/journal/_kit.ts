/** Journals for tests: things to keep, journals in a folder of their own, and processes that write one. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import type { DeadLetter, Journal, StoredEvent, StoredNotice } from '../../src/journal/index.ts'
import { sqliteJournal, type SqliteJournalOptions } from '../../src/journal/sqlite.ts'
import type { Log, LogFields, Report } from '../../src/plugin.ts'

export const event = (id: string, more: Partial<StoredEvent> = {}): StoredEvent => ({
  id,
  input: 'http',
  body: JSON.stringify({ rule: id, output: 'naïve 🦅 \u0000' }),
  at: 1_700_000_000_000,
  ...more,
})

export const notice = (id: string, output = 'slack', more: Partial<StoredNotice> = {}): StoredNotice => ({
  output,
  id,
  at: 1_700_000_000_000,
  body: '{}',
  ...more,
})

export const letter = (more: Partial<DeadLetter> = {}): DeadLetter => ({
  at: Date.now(),
  kind: 'event',
  from: 'http',
  reason: 'invalid',
  message: 'not JSON',
  body: '{',
  ...more,
})

export const report = (id: string, more: Partial<Report> = {}): Report => ({
  id,
  event: 'e',
  rule: 'r',
  mode: 'enforce',
  outcome: 'succeeded',
  steps: [],
  startedAt: '2026-11-23T08:00:00.000Z',
  duration: 1,
  ...more,
})

/** All that an earlier run left. */
export const pendingOf = async (journal: Journal): Promise<StoredEvent[]> => {
  const all: StoredEvent[] = []
  for await (const one of journal.pending()) all.push(one)
  return all
}

export interface Line {
  readonly level: keyof Log
  readonly message: string
  readonly fields: LogFields | undefined
}

export const recordLog = (): { log: Log; lines: Line[] } => {
  const lines: Line[] = []
  const at =
    (level: keyof Log) =>
    (message: string, fields?: LogFields): void =>
      void lines.push({ level, message, fields })
  return { lines, log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } }
}

/** A folder, empty for each test, and the journals opened in it, closed after it. */
export const journals = () => {
  let dir = ''
  let open: Journal[] = []
  beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'yarak-journal-'))))
  afterEach(async () => {
    await Promise.all(open.splice(0).map((journal) => journal.close()))
    rmSync(dir, { recursive: true, force: true })
  })
  const path = (): string => join(dir, 'journal.db')
  return {
    path,
    dir: () => dir,
    async open(options: Partial<SqliteJournalOptions> = {}) {
      const { log, lines } = recordLog()
      const journal = await sqliteJournal({ path: path(), log, ...options })
      open.push(journal)
      return Object.assign(journal, { lines })
    },
    /** Closes one, so that it can be opened again. */
    async close(journal: Journal) {
      open = open.filter((one) => one !== journal)
      await journal.close()
    },
  }
}

const children = new Set<ChildProcess>()

/** Runs `test/journal/_child.ts`; `limit` is the size of the files it may write, in KiB. */
export const child = (args: readonly string[], { limit }: { limit?: number } = {}) => {
  const script = resolve(import.meta.dirname, '_child.ts')
  // the unit of `ulimit -f` is 512 bytes
  const command = limit === undefined ? 'exec "$@"' : `ulimit -f ${limit * 2}; exec "$@"`
  const made = spawn('/bin/sh', ['-c', command, 'sh', process.execPath, script, ...args], {
    env: { PATH: `${dirname(process.execPath)}:${process.env.PATH}` },
  })
  children.add(made)
  const said = { out: '', err: '' }
  made.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text))
  made.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text))
  const ended = new Promise<{ code: number | null; signal: string | null; out: string; err: string }>((done) =>
    made.on('close', (code, signal) => {
      children.delete(made)
      done({ code, signal, ...said })
    }),
  )
  return { made, said, ended }
}

/** Call in a test file that starts processes: none outlives its test. */
export const noneLeft = (): void => {
  afterEach(() => {
    for (const one of children) one.kill('SIGKILL')
  })
}
