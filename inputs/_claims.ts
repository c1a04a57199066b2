/** Who reads which file, so that one with several names is read once, and one that comes back goes on where it was left. */
import type { BigIntStats } from 'node:fs'
import { holds, type Mark, type Opened } from './_source.ts'

type Inode = Pick<BigIntStats, 'dev' | 'ino'>

export interface Claims {
  /** Reserves a file for `owner`; false when another one reads it. */
  take(file: Inode, owner: object): boolean
  /** True unless somebody other than `owner` reads it. */
  isFree(file: Inode, owner?: object): boolean
  /** The owner reads it no more; with a mark, it has read up to there. */
  leave(file: Inode, owner: object, mark?: Mark): void
  /** Where a file was left that is this one. */
  leftAt(opened: Opened): Mark | undefined
}

/** Files left behind that are remembered. */
const REMEMBERED = 64

/** @param before files that were left in an earlier run */
export const createClaims = (before: readonly Mark[] = []): Claims => {
  const owners = new Map<string, object>()
  let left = before

  const isFree = (file: Inode, owner?: object): boolean => {
    const found = owners.get(keyOf(file))
    return found === undefined || found === owner
  }

  return {
    isFree,
    take(file, owner) {
      const free = isFree(file, owner)
      if (free) owners.set(keyOf(file), owner)
      return free
    },
    leave(file, owner, mark) {
      if (owners.get(keyOf(file)) === owner) owners.delete(keyOf(file))
      if (mark) left = remember(left, mark)
    },
    leftAt: (opened) =>
      left.find(
        (one) => one.ino === String(opened.stat.ino) && one.dev === String(opened.stat.dev) && holds(opened, one),
      ),
  }
}

/** The marks with one more, newest first, one for each file. An empty file cannot be told from another one. */
export const remember = (marks: readonly Mark[], mark: Mark): readonly Mark[] =>
  mark.head.length === 0 ? marks : [mark, ...marks.filter(isNot(mark))].slice(0, REMEMBERED)

const keyOf = ({ dev, ino }: Inode): string => `${dev}:${ino}`

const isNot =
  ({ dev, ino }: Mark) =>
  (other: Mark): boolean =>
    other.dev !== dev || other.ino !== ino
