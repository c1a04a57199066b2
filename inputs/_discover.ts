/** Finds the files that settings speak of, each once. */
import type { BigIntStats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { filesOf, isPattern, matcher } from './_glob.ts'
import { looksRotated } from './_rotated.ts'

/** A file to be read. */
export interface Found {
  readonly path: string
  /** The setting that it comes from: itself, or a pattern. */
  readonly pattern: string
  /** Absent: it is not there yet. */
  readonly stat: BigIntStats | undefined
}

export interface DiscoverOptions {
  /** Paths and patterns. */
  readonly paths: readonly string[]
  readonly exclude: readonly string[]
  /** Rotated files and archives are files of their own; else they belong to the one that was rotated. */
  readonly once: boolean
}

/** The paths that are followed already. */
type Followed = Pick<ReadonlySet<string>, 'has'>

/** Names of files that hold no lines as they are. */
const COMPRESSED = /\.(?:gz|zst|bz2|xz|zip)$/

/**
 * A function that looks once. What is named comes first, in its order; then what patterns find, oldest first.
 * @param unreadable told of each folder that may not be read
 * @example await createDiscovery({ paths: ['/var/log/containers/falco-*.log'], exclude: [], once: false }, () => {})()
 */
export const createDiscovery = (
  { paths, exclude, once }: DiscoverOptions,
  unreadable: (folder: string, error: unknown) => void,
): ((followed?: Followed) => Promise<Found[]>) => {
  const isExcluded = matcher(exclude)
  const patterns = paths.filter(isPattern)

  /** A file may be called as a pattern looks. */
  const matches = async (pattern: string): Promise<Found[]> => {
    const named = await look(pattern, pattern)
    if (named.stat?.isFile()) return [named]
    const found = (await filesOf(pattern, unreadable)).filter((path) => !isExcluded(path))
    const current = once ? found : found.filter((path) => !COMPRESSED.test(path))
    return Promise.all(current.map((path) => look(path, pattern)))
  }

  return async (followed = new Set()) => {
    const first = await Promise.all(paths.filter((path) => !isPattern(path)).map((path) => look(path, path)))
    const others = (await Promise.all(patterns.map(matches))).flat().sort(byAge)
    const all = [...first, ...others]
    return unique(once ? all : [...first, ...others.filter(isNoRotationOf(all))], followed)
  }
}

const look = async (path: string, pattern: string): Promise<Found> => ({
  path,
  pattern,
  stat: await stat(path, { bigint: true }).catch(() => undefined),
})

const byAge = ({ stat: a }: Found, { stat: b }: Found): number => Number((a?.mtimeNs ?? 0n) - (b?.mtimeNs ?? 0n))

/** A rotated form of a file that is found too is read by the one that follows that file, in order. */
const isNoRotationOf = (all: readonly Found[]): ((one: Found) => boolean) => {
  const bases = Map.groupBy(
    all.map(({ path }) => path),
    (path) => dirname(path),
  )
  return ({ path }) => !bases.get(dirname(path))?.some((base) => looksRotated(basename(base), basename(path)))
}

/** Each path once; of several names of one file the one that is followed, or else the first. */
const unique = (all: readonly Found[], followed: Followed): Found[] => {
  const paths = [...new Map(all.map((one) => [one.path, one])).values()]
  const best = new Map<string, string>()
  for (const one of paths) if (followed.has(one.path)) best.set(inodeOf(one), one.path)
  for (const one of paths) if (!best.has(inodeOf(one))) best.set(inodeOf(one), one.path)
  return paths.filter((one) => best.get(inodeOf(one)) === one.path)
}

/** What is not there has only its name. */
const inodeOf = ({ path, stat }: Found): string => (stat ? `${stat.dev}:${stat.ino}` : path)
