/** The files that a configuration was read from, to notice when they change. */
import { realpathSync, statSync } from 'node:fs'
import type { Files } from './files.ts'

export interface WatchedFiles extends Files {
  /** Differs once any of the files, or what a glob matches, has changed; also when a link on the way was swapped. */
  signature(): string
  /** The signature of what was read, as it was then. */
  readonly known: string
}

/**
 * Remembers what is read.
 * @example
 * const files = watchedFiles(systemFiles())
 * const { options } = loadConfig({ file, env, plugins, files })
 * if (files.signature() !== files.known) // something has changed since
 */
export const watchedFiles = (files: Files): WatchedFiles => {
  const read = new Map<string, string>()
  const listed = new Map<string, readonly string[]>()
  return {
    read(path) {
      if (!read.has(path)) read.set(path, stateOf(path))
      return files.read(path)
    },
    list(pattern) {
      const found = files.list(pattern)
      if (!listed.has(pattern)) listed.set(pattern, found)
      return found
    },
    signature: () => signed([...listed.keys()].map(files.list), [...read.keys()].map(stateOf)),
    get known() {
      return signed([...listed.values()], [...read.values()])
    },
  }
}

const signed = (lists: readonly (readonly string[])[], states: readonly string[]): string =>
  [...lists.flat(), ...states].join('\n')

/** Links are followed: Kubernetes swaps the folder `..data` to change all files of a ConfigMap at once. */
const stateOf = (path: string): string => {
  try {
    const { ino, mtimeMs, size } = statSync(path)
    return [realpathSync(path), ino, mtimeMs, size].join(' ')
  } catch (error) {
    return `${path} ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`
  }
}
