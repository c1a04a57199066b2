/** How the journal's file is. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { plural } from '../cli/terminal.ts'
import { bytesText } from '../text-width.ts'
import type { ConfigOptions } from '../config/index.ts'
import { YarakError } from '../errors.ts'
import { inspectJournal } from '../journal/inspect.ts'
import { ownerOf } from '../journal/lock.ts'
import type { Counts } from '../journal/protocol.ts'
import type { Findings, ProcessFacts } from './context.ts'
import { about, type Finding, timeOf, words } from './finding.ts'

const { ok, warn, fail, skip } = about('journal')

/** Blocks while the disk works. */
export const journalFindings = (
  { journal, dataDir }: Pick<ConfigOptions, 'journal' | 'dataDir'>,
  facts: Pick<ProcessFacts, 'lives'>,
  isRunning: boolean,
): Findings => {
  const path = join(dataDir, 'journal.db')
  if (!journal.enabled)
    return [warn('file', 'the journal is off: a crash loses what was accepted', 'set journal.enabled: true')]
  if (!existsSync(path)) return [skip('file', `there is none at ${path} yet: it comes with the first start`)]
  try {
    const { counts, size } = inspectJournal(path, (open) => ({ counts: open.counts(), size: open.size() }))
    return [
      ok('file', `${path} can be read`),
      integrityFinding(path, size),
      sizeFinding(size, journal.maxSize),
      workFinding(counts, isRunning),
      ownerFinding(path, facts, isRunning),
    ]
  } catch (error) {
    const isNewer = error instanceof YarakError && error.reason === 'newer'
    const remedy = isNewer
      ? 'install the newer Yarak'
      : `move ${path} aside: a start begins a new one; or run as its owner`
    return [fail('file', words(error), remedy)]
  }
}

/** A larger file takes too long to go through. */
const QUICK = 256 * 1024 ** 2

const integrityFinding = (path: string, size: number): Finding => {
  const command = `sqlite3 ${path} 'PRAGMA quick_check'`
  if (size > QUICK) return skip('integrity', `at ${bytesText(size)} it takes long to look through`, command)
  const db = new DatabaseSync(path, { readOnly: true, timeout: 1_000 })
  try {
    const { quick_check: answer } = db.prepare('PRAGMA quick_check(1)').get() as { quick_check?: string }
    if (answer === 'ok') return ok('integrity', 'the file is whole')
    return fail('integrity', `the file is damaged: ${answer ?? ''}`, `stop the gateway, and move ${path} aside`)
  } finally {
    db.close()
  }
}

const sizeFinding = (size: number, maxSize: number): Finding => {
  const text = `${bytesText(size)} of at most ${bytesText(maxSize)}`
  return size > 0.8 * maxSize ? warn('size', text, 'raise journal.maxSize') : ok('size', text)
}

/** Milliseconds; chains and deliveries end sooner. */
const LONG = 3_600_000

const workFinding = ({ unsettled, oldest, deadLetters, notices }: Counts, isRunning: boolean): Finding => {
  const waiting = Object.values(notices).reduce((sum, one) => sum + one, 0)
  const text = `${plural(unsettled, 'unfinished event')}, ${plural(waiting, 'waiting notice')}, ${plural(deadLetters, 'dead letter')}`
  const age = oldest === undefined ? 0 : Date.now() - oldest
  if (age <= LONG) return ok('work', text)
  const remedy = isRunning ? 'yarak outputs status shows what holds it up' : 'yarak run goes on with it'
  return warn('work', `${text}; the oldest event has waited for ${timeOf(age)}`, remedy)
}

const ownerFinding = (path: string, { lives }: Pick<ProcessFacts, 'lives'>, isRunning: boolean): Finding => {
  const pid = ownerOf(`${path}.lock`)
  if (pid === undefined) return ok('owner', 'no process has it open')
  if (!lives(pid))
    return isRunning
      ? ok('owner', `the process ${pid} of another machine or container has it`)
      : warn(
          'owner',
          `the process ${pid} had it and has died: what it had not finished waits`,
          'yarak run goes on with it',
        )
  return isRunning
    ? ok('owner', `the process ${pid} has it open`)
    : warn(
        'owner',
        `the process ${pid} has it open, but no gateway answers`,
        `ps -p ${pid}; give --url where it listens`,
      )
}
