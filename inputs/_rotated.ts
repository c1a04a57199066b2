/** Finds what a log file has become: renamed, copied, or followed by others while nobody looked. */
import type { BigIntStats } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { HEAD, holds, openAt, readAt, type Mark, type Opened } from './_source.ts'

/** Files looked at in one folder. */
const MOST = 10_000
/** Looks before it is taken as it is seen: a rotation may be under way. */
const LOOKS = 5

/**
 * True for the names that log rotation gives: `a.log.1`, `a.log-20260131`, `a-2026-01-31T12.00.log`. Compressed files
 * are not among them.
 */
export const looksRotated = (base: string, name: string): boolean => {
  const extension = extname(base)
  const stem = base.slice(0, base.length - extension.length)
  return [middle(name, base, ''), middle(name, stem, extension)].some((text) => /^[._-]\d[\dTZ._:-]*$/.test(text))
}

const middle = (name: string, start: string, end: string): string =>
  name.length > start.length + end.length && name.startsWith(start) && name.endsWith(end)
    ? name.slice(start.length, name.length - end.length)
    : ''

interface Sibling {
  readonly path: string
  readonly stat: BigIntStats
  readonly rotated: boolean
}

/** The regular files beside `path` and beside where `real` was; the file at `real` itself first. */
const siblings = async (path: string, real?: string): Promise<Sibling[]> => {
  const here = await realpath(path).catch(() => path)
  const bases = new Set([real, here, path].flatMap((one) => (one ? [basename(one)] : [])))
  const folders = new Set([real, here, path].flatMap((one) => (one ? [dirname(one)] : [])))
  const found: Sibling[] = []
  for (const folder of folders) {
    const names = await readdir(folder).catch(() => [])
    for (const name of names.slice(0, MOST)) {
      const status = await stat(join(folder, name), { bigint: true }).catch(() => undefined)
      if (!status?.isFile()) continue
      const rotated = bases.has(name) || [...bases].some((base) => looksRotated(base, name))
      found.push({ path: join(folder, name), stat: status, rotated })
    }
  }
  return found
}

/** The same, when two looks agree: names that move between listing and looking would hide a file. */
const agreedSiblings = async (path: string, real?: string): Promise<Sibling[]> => {
  let found = await siblings(path, real)
  for (let looks = 1; looks < LOOKS; looks++) {
    const again = await siblings(path, real)
    if (namesOf(again) === namesOf(found)) return again
    found = again
  }
  return found
}

const namesOf = (all: readonly Sibling[]): string => all.map(({ path, stat }) => `${stat.ino} ${path}`).join('\n')

const firstThat = async (
  candidates: readonly Sibling[],
  fits: (opened: Opened) => Promise<boolean>,
): Promise<Opened | undefined> => {
  for (const { path } of candidates) {
    const opened = await openAt(path).catch(() => undefined)
    if (opened && (await fits(opened).catch(() => false))) return opened
    await opened?.handle.close()
  }
  return undefined
}

/** The file that a mark speaks of, under whatever name it has now: the same inode with the same first bytes. */
export const findSame = async (path: string, mark: Mark): Promise<Opened | undefined> => {
  const all = await siblings(path, mark.real)
  return firstThat(
    all.filter(({ stat }) => String(stat.ino) === mark.ino),
    async (opened) => String(opened.stat.ino) === mark.ino && holds(opened, mark),
  )
}

/**
 * A copy of the file that a mark speaks of, as `copytruncate` leaves one, or a restored volume: another inode with the
 * same first bytes and a line end just before the mark. Fewer than {@link HEAD} of them are all up to the mark.
 */
export const findCopy = async (path: string, mark: Mark): Promise<Opened | undefined> => {
  if (mark.head.length < HEAD && mark.offset === 0) return undefined
  const all = await siblings(path, mark.real)
  return firstThat(
    all.filter(({ stat, rotated }) => rotated && String(stat.ino) !== mark.ino),
    async (opened) => holds(opened, mark) && (await endsLine(opened, mark.offset)),
  )
}

const endsLine = async ({ handle }: Opened, offset: number): Promise<boolean> =>
  offset === 0 || (await readAt(handle, offset - 1, 1))[0] === 10

/**
 * Rotated files that were written to after `mtime` (in nanoseconds) and that nobody has opened: what several rotations
 * between two looks leave behind. With a mark in an empty file, that file too. Oldest first. What is at `path` itself is
 * not among them.
 */
export const missedAfter = async (
  path: string,
  mark: Mark,
  mtime: bigint,
  known: ReadonlySet<bigint>,
): Promise<Opened[]> => {
  const isMissed = ({ stat, rotated }: Sibling): boolean =>
    rotated &&
    !known.has(stat.ino) &&
    (stat.mtimeNs > mtime || (mark.head.length === 0 && String(stat.ino) === mark.ino))
  for (let tries = 1; ; tries++) {
    const missed = (await agreedSiblings(path, mark.real)).filter((one) => one.path !== path && isMissed(one))
    missed.sort((a, b) => (a.stat.mtimeNs < b.stat.mtimeNs ? -1 : 1))
    const files = [...new Map(missed.map((one) => [one.stat.ino, one])).values()]
    const opened = await Promise.all(files.map((one) => openAt(one.path).catch(() => undefined)))
    const isAsSeen = opened.every((one, i) => one?.stat.ino === files[i]?.stat.ino)
    const all = opened.filter((one) => one !== undefined)
    if (isAsSeen || tries === LOOKS) return all
    await Promise.all(all.map(({ handle }) => handle.close()))
  }
}
