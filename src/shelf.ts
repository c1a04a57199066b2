/** Where the notices of one output wait over a crash, or when there are too many for memory: in the journal. */
import { messageOf } from './errors.ts'
import type { Journal, StoredNotice } from './journal/index.ts'
import type { Log, Notice } from './plugin.ts'
import type { Delivered } from './deliver.ts'
import { noticeText, readNotice } from './stored.ts'
import type { Span } from './telemetry.ts'

/** A notice on its way. */
export interface Item {
  readonly notice: Notice
  /** A rule names the output. */
  readonly asked: boolean
  readonly span: Span
  /** When it was offered; milliseconds since the epoch. */
  readonly since: number
  attempts: number
  /** It is in the journal too. */
  kept: boolean
  readonly end: (how: Delivered) => void
}

export interface Taken {
  readonly notice: Notice
  readonly asked: boolean
  /** When it was offered first; milliseconds since the epoch. */
  readonly at: number
}

export interface Shelf {
  /** The journal outlives a crash. */
  readonly durable: boolean
  /** Notices that are in the journal and not in memory. */
  readonly backlog: number
  /** Makes items durable that stay in memory too; who waits for them is let go. Does nothing without a disk. */
  keep(items: readonly Item[]): Promise<void>
  /** Makes an item durable and forgets it until it is taken. */
  put(item: Item): Promise<void>
  /** The oldest of the backlog. Never two at once: the second gets none. */
  take(limit: number): Promise<readonly Taken[]>
  drop(item: Item): void
  /** So many were left by an earlier run. */
  restore(notices: number): void
}

export const createShelf = (output: string, { journal, log }: { journal: Journal; log: Log }): Shelf => {
  /** In memory and in the journal. */
  const here = new Set<string>()
  let backlog = 0
  let cursor = 0
  let taking = false

  const isDurable = (): boolean => journal.health().mode === 'durable'

  const write = async (item: Item): Promise<void> => {
    const { notice, asked, since } = item
    await journal.keep({ output, id: notice.id, at: since, body: noticeText(notice, asked) })
    item.kept = true
    item.end('kept')
  }

  /** What cannot be read is set aside, where somebody can look at it. */
  const read = ({ id, at, body }: StoredNotice): Taken[] => {
    try {
      here.add(id)
      return [{ ...readNotice(body), at }]
    } catch (error) {
      here.delete(id)
      journal.drop({ output, id })
      const message = `a notice in the journal cannot be read: ${messageOf(error)}`
      journal.bury({ at: Date.now(), kind: 'notice', from: output, reason: 'unreadable', message, body })
      log.error(message, { output })
      return []
    }
  }

  const takePages = async (limit: number): Promise<readonly Taken[]> => {
    while (backlog > 0) {
      const expected = backlog
      const rows = await journal.kept(output, cursor, limit)
      cursor = rows.at(-1)?.seq ?? cursor
      const fresh = rows.filter(({ id }) => !here.has(id))
      backlog = Math.max(0, backlog - (rows.length > 0 ? fresh.length : expected))
      const taken = fresh.flatMap(read)
      if (taken.length > 0) return taken
    }
    return []
  }

  return {
    get durable() {
      return isDurable()
    },
    get backlog() {
      return backlog
    },
    async keep(items) {
      if (!isDurable()) return
      const fresh = items.filter(({ kept }) => !kept)
      for (const { notice } of fresh) here.add(notice.id)
      await Promise.all(fresh.map(write))
    },
    async put(item) {
      backlog++
      await write(item)
      endKept(item)
    },
    async take(limit) {
      if (taking) return []
      taking = true
      return takePages(limit).finally(() => (taking = false))
    },
    drop({ notice, kept }) {
      if (!kept) return
      here.delete(notice.id)
      journal.drop({ output, id: notice.id })
    },
    restore(notices) {
      backlog = Math.max(backlog, notices - here.size)
      cursor = 0
    },
  }
}

/** The notice goes on another time. */
export const endKept = ({ span }: Item): void => {
  span.set({ 'yarak.outcome': 'kept' })
  span.end()
}
