/** Where plugins keep small things over restarts, e.g. read offsets: in memory, or one JSON file for each plugin. */
import { createHash } from 'node:crypto'
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { messageOf, YarakError } from './errors.ts'
import type { State } from './plugin.ts'

/** The states of all plugins. */
export interface StateStore {
  /** The state of the plugin with this id; the same one each time. */
  of(id: string): State
}

/** A store that forgets with the process. Values are copied in and out. */
export const memoryState = (): StateStore =>
  byId(() => {
    const values = new Map<string, string>()
    return {
      get: async (key) => parse(values.get(key)),
      set: async (key, value) => void put(values, key, value),
    }
  })

/**
 * A store with one file for each plugin, `<dataDir>/state/<id>.json`. A write replaces the file: written aside, synced,
 * renamed, and the folder synced, so that after any crash the file is the old one or the new one. Calls of `set` while a
 * write is under way share the next write.
 * @param dataDir made on the first write
 * @param report told once of each file that could not be read as JSON; it is kept aside, and the plugin starts without
 * @example fileState('./.yarak', (problem) => log.warn(problem.message)).of('file/alerts')
 */
export const fileState = (dataDir: string, report: (problem: YarakError) => void): StateStore =>
  byId((id) => createFileState(join(dataDir, 'state', fileNameOf(id)), report))

const byId = (make: (id: string) => State): StateStore => {
  const states = new Map<string, State>()
  return {
    of(id) {
      const state = states.get(id) ?? make(id)
      states.set(id, state)
      return state
    },
  }
}

/** Values are kept as JSON text: a later change to the object that was set is not seen. */
const put = (values: Map<string, string>, key: string, value: unknown): void => {
  const text = JSON.stringify(value) as string | undefined
  if (text === undefined) values.delete(key)
  else values.set(key, text)
}

const parse = (text: string | undefined): unknown => (text === undefined ? undefined : (JSON.parse(text) as unknown))

/**
 * A safe file name, different for different ids on every file system, also one that ignores case.
 * @example fileNameOf('file/alerts') // 'file%2Falerts.json'
 */
export const fileNameOf = (id: string): string => {
  const safe = Array.from(Buffer.from(id), (byte, i) => (isPlain(byte, i) ? String.fromCharCode(byte) : escaped(byte)))
  const name = safe.join('')
  return `${name.length <= LONGEST ? name : `${name.slice(0, 100)}%${sha256(id)}`}.json`
}

const LONGEST = 200

const isPlain = (byte: number, index: number): boolean =>
  /[a-z0-9_-]/.test(String.fromCharCode(byte)) || (byte === 0x2e && index > 0)

const escaped = (byte: number): string => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

const createFileState = (path: string, report: (problem: YarakError) => void): State => {
  let loaded: Promise<Map<string, string>> | undefined
  let writing: Promise<void> = Promise.resolve()
  let waiting: Promise<void> | undefined

  /** Read once; after a failure it is read again by the next call. */
  const values = (): Promise<Map<string, string>> =>
    (loaded ??= load(path, report).catch((error: unknown) => {
      loaded = undefined
      throw error
    }))

  /** The write that has not begun yet: it will hold whatever is set before it begins. */
  const nextWrite = (current: ReadonlyMap<string, string>): Promise<void> =>
    (waiting ??= writing =
      writing
        .catch(() => {})
        .then(() => {
          waiting = undefined
          return replace(path, toText(current))
        }))

  return {
    get: async (key) => parse((await values()).get(key)),
    async set(key, value) {
      const current = await values()
      put(current, key, value)
      await nextWrite(current)
    },
  }
}

const toText = (values: ReadonlyMap<string, string>): string =>
  `{${[...values].map(([key, text]) => `\n  ${JSON.stringify(key)}: ${text}`).join(',')}\n}\n`

const load = async (path: string, report: (problem: YarakError) => void): Promise<Map<string, string>> => {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw new YarakError('unavailable', `cannot read ${path}`, { cause: error })
  })
  if (text === undefined) return new Map()
  try {
    const members = JSON.parse(text) as unknown
    if (typeof members !== 'object' || members === null || Array.isArray(members))
      throw new Error('it is not an object')
    return new Map(Object.entries(members).map(([key, value]) => [key, JSON.stringify(value)]))
  } catch (cause) {
    report(await setAside(path, cause))
    return new Map()
  }
}

const setAside = async (path: string, cause: unknown): Promise<YarakError> => {
  const aside = `${path}.corrupt-${Date.now()}`
  const kept = await rename(path, aside).then(
    () => `it is kept as ${aside}`,
    (error: unknown) => `it could not be kept aside (${messageOf(error)})`,
  )
  return new YarakError('unavailable', `${path} is damaged, ${kept}, and the state starts empty`, {
    cause,
    reason: 'corrupt',
  })
}

const replace = async (path: string, text: string): Promise<void> => {
  const temporary = `${path}.tmp`
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    await withHandle(temporary, 'w', async (handle) => {
      await handle.writeFile(text)
      await handle.sync()
    })
    await rename(temporary, path)
    await withHandle(dirname(path), 'r', (handle) => handle.sync())
  } catch (cause) {
    throw new YarakError('unavailable', `cannot write ${path}`, { cause })
  }
}

const withHandle = async (
  path: string,
  flags: 'r' | 'w',
  use: (handle: Awaited<ReturnType<typeof open>>) => Promise<void>,
): Promise<void> => {
  const handle = await open(path, flags, 0o600)
  try {
    await use(handle)
  } finally {
    await handle.close()
  }
}
