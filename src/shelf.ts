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
  /** Its place in the order in which notices were offered. */
  readonly number: number
  /** What of one key goes out in order; undefined: at any time. */
  readonly key: string | undefined
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

/** Never rejects: what the journal cannot take is in memory only. */
export interface Shelf {
  /** The journal outlives a crash. */
  readonly durable: boolean
  /** Notices that are in the journal and not in memory. */
  readonly backlog: number
  /** Makes items durable that stay in memory too; who waits for them is let go. Does nothing without a disk. */
  keep(items: readonly Item[]): Promise<void>
  /** Makes an item durable and forgets it until it is taken; false: the journal did not take it. */
  put(item: Item): Promise<boolean>
  /** Makes a notice durable that is no item yet; false: there is no disk. */
  hold(notice: Notice): Promise<boolean>
  /** Lets go of one that is held. */
  letGo(notice: Notice): void
  /** A notice that is both here and in the journal: resolves when it is durable. Undefined: it is not. */
  holding(id: string): Promise<unknown> | undefined
  /** Hands over the oldest of the backlog. Never two at once: the second gets none. */
  take(limit: number, give: (taken: Taken) => void): Promise<void>
  drop(item: Item): void
  /** So many were left by an earlier run. */
  restore(notices: number): void
}

export interface ShelfHost {
  readonly journal: Journal
  readonly log: Log
  /** Told of each notice that cannot be read. Default nobody. */
  lost?(reason: string): void
}

export const createShelf = (output: string, { journal, log, lost }: ShelfHost): Shelf => {
  /** In memory and in the journal, or on their way there; false: the journal did not take it. */
  const here = new Map<string, Promise<boolean>>()
  let backlog = 0
  /** There may be more than was counted. */
  let isUnsure = false
  let cursor = 0
  let taking = false
  /** A question to the journal that is not answered, and what was let go of meanwhile: the answer may still have it. */
  let reading: { readonly over: Promise<unknown>; readonly gone: Set<string> } | undefined

  const isDurable = (): boolean => journal.health().mode === 'durable'

  const write = async (notice: Notice, at: number, asked: boolean): Promise<boolean> => {
    try {
      await journal.keep({ output, id: notice.id, at, body: noticeText(notice, asked) })
      return true
    } catch (error) {
      log.error('a notice could not be kept in the journal', { output, error: messageOf(error) })
      return false
    }
  }

  const writeOnce = (notice: Notice, at: number, asked: boolean): Promise<boolean> => {
    const { id } = notice
    const known = here.get(id)
    if (known) return known
    const writing = write(notice, at, asked).then((isKept) => {
      if (!isKept && here.get(id) === writing) here.delete(id)
      return isKept
    })
    here.set(id, writing)
    return writing
  }

  const letGo = (id: string): void => {
    if (!here.delete(id)) return
    reading?.gone.add(id)
    journal.drop({ output, id })
  }

  const kept = (item: Item): void => {
    item.kept = true
    item.end('kept')
  }

  /** What cannot be read is set aside, where somebody can look at it. */
  const read = ({ id, at, body }: StoredNotice): Taken[] => {
    try {
      const taken = { ...readNotice(body), at }
      here.set(id, Promise.resolve(true))
      return [taken]
    } catch (error) {
      journal.drop({ output, id })
      const message = messageOf(error)
      journal.bury({ at: Date.now(), kind: 'notice', from: output, reason: 'unreadable', message, body })
      lost?.('unreadable')
      log.error('a notice in the journal cannot be read', { output, error: message })
      return []
    }
  }

  /** The next in the journal, and of these what is not here. */
  const page = async (limit: number): Promise<{ rows: readonly StoredNotice[]; fresh: readonly StoredNotice[] }> => {
    const asked = journal.kept(output, cursor, limit)
    const gone = new Set<string>()
    reading = { over: asked.catch(() => {}), gone }
    try {
      const rows = await asked
      cursor = rows.at(-1)?.seq ?? cursor
      return { rows, fresh: rows.filter(({ id }) => !here.has(id) && !gone.has(id)) }
    } finally {
      reading = undefined
    }
  }

  /** What is taken leaves the backlog and is handed over in one go: nothing new gets in between. */
  const takePages = async (limit: number, give: (taken: Taken) => void): Promise<void> => {
    while (backlog > 0) {
      const expected = backlog
      const { rows, fresh } = await page(limit)
      isUnsure &&= rows.length > 0
      backlog = Math.max(isUnsure ? 1 : 0, backlog - (rows.length > 0 ? fresh.length : expected))
      const taken = fresh.flatMap(read)
      taken.forEach(give)
      if (taken.length > 0) return
    }
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
      const keepOne = async (item: Item): Promise<void> => {
        if (!item.kept && (await writeOnce(item.notice, item.since, item.asked))) kept(item)
      }
      await Promise.all(items.map(keepOne))
    },
    hold: async (notice) => isDurable() && writeOnce(notice, Date.now(), false),
    letGo: ({ id }) => letGo(id),
    holding: (id) => here.get(id),
    async put(item) {
      const { notice, since, asked } = item
      backlog++
      if (here.has(notice.id)) {
        while (reading) await reading.over
        // where it stood in the journal may have been passed already
        letGo(notice.id)
      }
      if (!(await write(notice, since, asked))) {
        backlog = Math.max(0, backlog - 1)
        return false
      }
      kept(item)
      endKept(item)
      return true
    },
    async take(limit, give) {
      if (taking) return
      taking = true
      try {
        await takePages(limit, give)
      } catch (error) {
        log.error('the notices in the journal could not be read', { output, error: messageOf(error) })
      } finally {
        taking = false
      }
    },
    drop: ({ notice }) => letGo(notice.id),
    restore(notices) {
      isUnsure = notices > 0
      backlog = Math.max(isUnsure ? 1 : 0, backlog, notices - here.size)
      cursor = 0
    },
  }
}

/** The notice goes on another time. */
export const endKept = ({ span }: Item): void => {
  span.set({ 'yarak.outcome': 'kept' })
  span.end()
}
