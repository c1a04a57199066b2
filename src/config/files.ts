/** The files that a configuration may name. Everything else here takes this interface, so tests and hosts bring theirs. */
import { globSync, readFileSync, statSync } from 'node:fs'
import { dirname, isAbsolute, join } from 'node:path'
import { messageOf, YarakError } from '../errors.ts'

/** Reads configuration, rules and secrets. */
export interface Files {
  /** The text of a file. Throws one clear line when it cannot be read. */
  read(path: string): string
  /** The files that a glob matches, sorted. */
  list(pattern: string): string[]
}

/** The largest file that is read: room for tens of thousands of rules, which take seconds to parse. */
export const MAX_FILE = 8 * 1024 * 1024

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a folder',
  ENOTDIR: 'there is no such file',
}

/** Why a file cannot be read, in a few words. */
export const whyNot = (error: unknown): string => REASONS[(error as { code?: string }).code ?? ''] ?? messageOf(error)

/** The files of this machine. */
export const systemFiles = (): Files => ({
  read: (path) => {
    try {
      if (statSync(path).size > MAX_FILE) throw new YarakError('config', `it is larger than ${MAX_FILE} bytes`)
      return readFileSync(path, 'utf8')
    } catch (error) {
      throw error instanceof YarakError ? error : new YarakError('config', whyNot(error))
    }
  },
  list: (pattern) => globSync(pattern).sort(),
})

/** A path as written in a file: relative ones start from the folder of that file. */
export const beside = (file: string, path: string): string =>
  isAbsolute(path) || dirname(file) === '.' ? path : join(dirname(file), path)

export const isGlob = (path: string): boolean => /[*?[\]{}]/.test(path)
