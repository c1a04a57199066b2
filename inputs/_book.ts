/** What an input of files remembers over a restart: how far each path is settled, and what was read to its end. */
import type { InputIo } from '../src/plugin.ts'
import { createClaims, remember, type Claims } from './_claims.ts'
import { createSaver } from './_saver.ts'
import { parseMark, type Mark } from './_source.ts'

export interface Book {
  readonly claims: Claims
  /** Where the last run stopped. */
  mark(path: string): Promise<Mark | undefined>
  /** An earlier run looked for this path or pattern too: what is new has come meanwhile. */
  knew(pattern: string): boolean
  /** The path has something new to save, which `latest` gives then. */
  changed(path: string, latest: () => Mark | undefined): void
  /** A file is settled up to its end; should it appear under another path, it is not read again. */
  passed(mark: Mark): void
  /** Forgets a path that is gone. */
  forget(path: string): void
  /** Saves what is new. Never rejects. */
  flush(): Promise<void>
}

/** The key of what belongs to no path: the patterns of the last run, and the files that were read to their end. */
const COMMON = '*'

/**
 * Opens the book of an input, whose settings have these paths and patterns.
 * @param goOn false: what the last run left behind is not used
 */
export const openBook = async (io: InputIo, patterns: readonly string[], goOn: boolean): Promise<Book> => {
  const stored = goOn ? ((await io.state.get(COMMON)) as Partial<Record<'patterns' | 'passed', unknown>>) : undefined
  const known = listOf(stored?.patterns)
  let passed: readonly Mark[] = listOf(stored?.passed).flatMap((one) => parseMark(one) ?? [])
  const news = new Map<string, () => unknown>()

  const saver = createSaver(async () => {
    const all = [...news]
    news.clear()
    try {
      const paths = all.filter(([key]) => key !== COMMON)
      await Promise.all(paths.map(([key, latest]) => io.state.set(key, latest())))
      // last: a pattern is only known when its files have their marks
      if (paths.length < all.length) await io.state.set(COMMON, { patterns, passed })
    } catch (error) {
      for (const [key, latest] of all) if (!news.has(key)) news.set(key, latest)
      throw error
    }
  }, io.log)

  const changed = (key: string, latest: () => unknown): void => {
    news.set(key, latest)
    saver.changed()
  }

  const noteCommon = (): void => changed(COMMON, () => undefined)
  noteCommon()
  return {
    claims: createClaims(passed),
    async mark(path) {
      if (!goOn) return undefined
      const found = await io.state.get(path)
      const mark = parseMark(found)
      if (found !== undefined && !mark)
        io.log.warn('the checkpoint is not readable: starting as if there were none', { path })
      return mark
    },
    knew: (pattern) => known.includes(pattern),
    changed,
    passed(mark) {
      passed = remember(passed, mark)
      noteCommon()
    },
    forget: (path) => changed(path, () => undefined),
    flush: () => saver.flush(),
  }
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
