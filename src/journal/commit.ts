/** Writes gathered into one transaction while the last one runs; in memory while the disk fails. */
import { messageOf, YarakError } from '../errors.ts'
import type { Log } from '../plugin.ts'
import type { Backend } from './journal.ts'
import { createOutage, type Outage } from './outage.ts'
import type { Answers, Batch, Opened, Read, Space, Write } from './protocol.ts'
import type { Thread } from './thread.ts'

export interface CommitOptions {
  /** Opens the file. */
  start(): Promise<Thread>
  readonly maxSize: number
  /** Milliseconds after which a disk that failed is tried again. */
  readonly retryAfter: number
  readonly log: Log
}

/** Of a file that could not be opened nothing is known; when it can be later, no number may be one that it has given. */
const unknown = (): Opened => ({ facts: [], settled: [], lastEvent: 0, lastNotice: Date.now(), lastLetter: Date.now() })

/** @throws YarakError `config` as opening the file does; a disk that fails is no error */
export const groupCommit = async (options: CommitOptions): Promise<Backend & { readonly opened: Opened }> => {
  const disk = await openDisk(options)
  let gathered = emptyBatch()
  let flight: Promise<void> | undefined

  const fly = async (): Promise<void> => {
    while (gathered.writes.length + gathered.reads.length > 0) {
      const { writes, reads, done } = gathered
      gathered = emptyBatch()
      done.resolve(await disk.run({ writes, reads }))
    }
    flight = undefined
  }
  const depart = (): Promise<Answers> => {
    flight ??= Promise.resolve().then(fly)
    return gathered.done.promise
  }
  const ask = async (...read: Read): Promise<unknown> => {
    const index = gathered.reads.push(read) - 1
    return (await depart())[index]
  }
  return {
    opened: disk.opened,
    async write(write) {
      gathered.writes.push(write)
      await depart()
    },
    ask: ask as unknown as Backend['ask'],
    health: disk.health,
    async flush() {
      if (flight) await ask('read', [])
    },
    async close() {
      await flight
      await disk.close()
    },
  }
}

interface Gathered extends Batch {
  readonly writes: Write[]
  readonly reads: Read[]
  readonly done: PromiseWithResolvers<Answers>
}

const emptyBatch = (): Gathered => ({ writes: [], reads: [], done: Promise.withResolvers() })

interface Disk extends Pick<Backend, 'health' | 'close'> {
  readonly opened: Opened
  /** One batch at a time. Never rejects. */
  run(batch: Batch): Promise<Answers>
}

/** Whoever comes too late finds a journal in memory, which is not tried on the disk again. */
const closed = (): Failing => ({ reason: 'the journal is closed', at: Infinity, outage: createOutage() })

/** A disk that has failed. */
interface Failing {
  readonly reason: string
  /** When it was tried last. */
  at: number
  readonly outage: Outage
}

const openDisk = async ({ start, maxSize, retryAfter, log }: CommitOptions): Promise<Disk> => {
  let thread: Thread | undefined
  let failing: Failing | undefined
  let space: Space = { size: 0, full: false }
  let movedAside: string | undefined

  const fail = (error: unknown): Outage => {
    failing = { reason: messageOf(error), at: Date.now(), outage: createOutage() }
    log.error('the journal failed: from now on it is kept in memory only', { error: failing.reason })
    return failing.outage
  }
  const open = async (): Promise<Thread> => {
    const opened = await start()
    space = opened.first.space
    if (opened.first.movedAside !== undefined) {
      movedAside = opened.first.movedAside
      log.error('the journal could not be read: it was moved aside, and a new one is begun', { moved_to: movedAside })
    }
    const { migrated } = opened.first
    if (migrated) {
      const { from, to, backup } = migrated
      log.info('the journal was brought to a newer version; remove the backup when it is not needed', {
        from,
        to,
        backup,
      })
    }
    return opened
  }
  const commit = async (to: Thread, batch: Batch): Promise<Answers> => {
    const done = await to.run(batch)
    space = done.space
    return done.answers
  }
  /** What is on the disk can often still be read. */
  const readable = (reads: readonly Read[]): Promise<Answers | undefined> =>
    thread ? commit(thread, { writes: [], reads }).catch(() => undefined) : Promise.resolve(undefined)
  /** Tries the disk again, and writes what it has missed. */
  const recover = async (from: Failing): Promise<void> => {
    from.at = Date.now()
    try {
      await thread?.close()
      thread = undefined
      thread = await open()
      await commit(thread, { writes: from.outage.unwritten(), reads: [] })
      failing = undefined
      log.info('the journal is on disk again')
    } catch (error) {
      log.warn('the journal still fails', { error: messageOf(error) })
    }
  }

  try {
    thread = await open()
  } catch (error) {
    if (error instanceof YarakError && error.code === 'config') throw error
    fail(error)
  }
  return {
    opened: thread?.first.opened ?? unknown(),
    async run(batch) {
      if (failing && Date.now() - failing.at >= retryAfter) await recover(failing)
      if (failing || !thread) return (failing ?? closed()).outage.run(batch, readable)
      return commit(thread, batch).catch((error: unknown) => fail(error).run(batch, readable))
    },
    health: () => ({
      mode: failing ? 'degraded' : 'durable',
      ...(failing && { reason: failing.reason }),
      ...(movedAside !== undefined && { movedAside }),
      size: space.size,
      maxSize,
      full: failing ? failing.outage.full() : space.full,
    }),
    async close() {
      if (failing) await recover(failing)
      const lost = failing?.outage.unwritten().length ?? 0
      if (lost > 0) log.error('the journal is closed, and what was in memory only is lost', { writes: lost })
      const last = thread
      thread = undefined
      failing = closed()
      await last?.close()
    },
  }
}
