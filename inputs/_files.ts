/** All the files of one input: begins with those that are found, ends with those that are gone. */
import { messageOf, YarakError, type InputIo } from '../src/plugin.ts'
import { createArchive } from './_archive.ts'
import type { Book } from './_book.ts'
import { createDiscovery, type DiscoverOptions, type Found } from './_discover.ts'
import { follow, type FollowOptions } from './_follow.ts'
import type { LineReader } from './_reader.ts'
import { pause } from './_sink.ts'
import { openAt, type Mark } from './_source.ts'
import { Tail } from './_tail.ts'

export interface FilesOptions extends DiscoverOptions, Omit<FollowOptions, 'path' | 'whenRead'> {
  readonly from: 'checkpoint' | 'beginning' | 'end'
  /** Milliseconds. */
  readonly discoverInterval: number
  readonly maxFiles: number
}

/** A file that is being read. */
interface Following {
  /** Resolves when it has been read to its end, if not settled. */
  readonly read: Promise<void>
  /** Gives where it ended. */
  readonly done: Promise<Mark | undefined>
  /** Nothing more will come. */
  finish(): void
  /** Looks at which it was not there any more, one after another. */
  missing: number
}

/** Looks after which a file is believed to be gone: a rotation has moments without one. */
const GONE = 2
/** Files that may be unsettled with `once`. They are read one after another. */
const UNSETTLED = 4

/**
 * Reads files until they end (`once`) or the gateway stops.
 * @throws the first error; with `once` after the other files have been read
 */
export const readFiles = async (options: FilesOptions, io: InputIo, book: Book): Promise<void> => {
  const discover = createDiscovery(options, warnOfFolders(io))
  const crowd = createCrowd(options, io, book)
  if (options.once) await readOnce(await discover(), crowd, options, io)
  else await keepReading(discover, crowd, options, io)
  await crowd.ended()
}

const readOnce = async (found: readonly Found[], crowd: Crowd, { paths }: FilesOptions, io: InputIo): Promise<void> => {
  if (found.length === 0) throw new YarakError('unavailable', `no file fits ${paths.join(', ')}`, { permanent: true })
  for (const { path, stat } of found) if (stat) io.measure('total_bytes', Number(stat.size), { path })
  const marks = await crowd.marksOf(found)
  for (const one of found) {
    await crowd.below(UNSETTLED)
    if (io.signal.aborted) return
    crowd.begin(one, marks, true)
    await crowd.open.get(one.path)?.read
  }
}

const keepReading = async (
  discover: ReturnType<typeof createDiscovery>,
  crowd: Crowd,
  { paths, maxFiles, discoverInterval }: FilesOptions,
  io: InputIo,
): Promise<void> => {
  let warned = false
  for (let isFirst = true; !crowd.signal.aborted; isFirst = false) {
    const found = await discover(crowd.open)
    crowd.finishOthers(new Set(found.map(({ path }) => path)))
    const fresh = found.filter(({ path }) => !crowd.open.has(path))
    const marks = await crowd.marksOf(fresh)
    for (const one of fresh) if (crowd.open.size < maxFiles) crowd.begin(one, marks, isFirst)
    const isFull = found.some(({ path }) => !crowd.open.has(path)) && crowd.open.size >= maxFiles
    if (isFull && !warned)
      io.log.warn('more files are found than may be read: raise maxFiles, or exclude some', { maxFiles })
    warned = isFull
    if (paths.every((path) => crowd.open.has(path))) return
    await pause(discoverInterval, crowd.signal)
  }
}

/** Where the last run stopped, by path. */
type Marks = ReadonlyMap<string, Mark>

interface Crowd {
  readonly open: ReadonlyMap<string, Following>
  /** Fires when the gateway stops or one of the files has failed. */
  readonly signal: AbortSignal
  marksOf(found: readonly Found[]): Promise<Marks>
  begin(found: Found, marks: Marks, isFirst: boolean): void
  /** Lets those end whose paths are gone. */
  finishOthers(paths: ReadonlySet<string>): void
  /** Resolves when fewer are open. */
  below(count: number): Promise<void>
  /** @throws the first error */
  ended(): Promise<void>
}

const createCrowd = (options: FilesOptions, io: InputIo, book: Book): Crowd => {
  const failed = new AbortController()
  const signal = options.once ? io.signal : AbortSignal.any([io.signal, failed.signal])
  const open = new Map<string, Following>()
  const errors: unknown[] = []

  const read = async (path: string, opening: Promise<LineReader>, whenRead: () => void): Promise<Mark | undefined> => {
    try {
      return await follow(await opening, { ...options, path, whenRead }, { ...io, signal }, book)
    } catch (error) {
      errors.push(error)
      failed.abort()
      return undefined
    } finally {
      whenRead()
      open.delete(path)
    }
  }

  return {
    open,
    signal,
    async marksOf(found) {
      const marks = await Promise.all(found.map(async ({ path }) => [path, await book.mark(path)] as const))
      return new Map(marks.flatMap(([path, mark]) => (mark ? [[path, mark] as const] : [])))
    },
    begin(found, marks, isFirst) {
      const { path } = found
      if (isOthers(found, marks, book)) return
      const opening = openReader(found, marks.get(path), isFirst, options, book)
      const { promise, resolve } = Promise.withResolvers<void>()
      const one: Following = {
        missing: 0,
        read: promise,
        done: read(path, opening, resolve),
        finish: () => void opening.then((reader) => reader.finish()).catch(() => {}),
      }
      open.set(path, one)
    },
    finishOthers(paths) {
      for (const [path, one] of open) {
        one.missing = paths.has(path) ? 0 : one.missing + 1
        if (one.missing !== GONE) continue
        one.finish()
        void one.done.then((mark) => {
          if (mark) book.passed(mark)
          book.forget(path)
        })
      }
    },
    async below(count) {
      while (open.size >= count) await Promise.race([...open.values()].map(({ done }) => done))
    },
    async ended() {
      await Promise.all([...open.values()].map(({ done }) => done))
      await book.flush()
      if (errors.length > 0) throw errors[0]
    },
  }
}

/** The file is read under another name, or is where another path stopped and goes on. */
const isOthers = ({ path, stat }: Found, marks: Marks, { claims }: Book): boolean => {
  if (!stat) return false
  if (!claims.isFree(stat)) return true
  const isMarked = ({ dev, ino }: Mark): boolean => dev === String(stat.dev) && ino === String(stat.ino)
  return !marks.has(path) && [...marks.values()].some(isMarked)
}

const openReader = async (
  { path, pattern }: Found,
  mark: Mark | undefined,
  isFirst: boolean,
  { once, maxLine, from }: FilesOptions,
  { claims, knew }: Book,
): Promise<LineReader> => {
  const archive = once ? await openArchive(path, mark, maxLine) : undefined
  if (archive) return archive
  const isNew = !isFirst || (from === 'checkpoint' && knew(pattern))
  const begin = isNew || (once && from === 'checkpoint') ? 'beginning' : from === 'checkpoint' ? 'end' : from
  return new Tail({ path, mark, from: begin, history: isNew && !once, once, maxLine, claims })
}

const openArchive = async (path: string, mark: Mark | undefined, maxLine: number): Promise<LineReader | undefined> => {
  const opened = await openAt(path).catch(() => undefined)
  const archive = opened && createArchive(opened, mark, maxLine)
  if (!archive) await opened?.handle.close()
  return archive
}

/** Tells once of each folder. */
const warnOfFolders = ({ log }: InputIo): ((folder: string, error: unknown) => void) => {
  const told = new Set<string>()
  return (folder, error) => {
    if (told.has(folder)) return
    told.add(folder)
    log.warn('a folder cannot be looked into', { folder, error: messageOf(error) })
  }
}
