/** Where test cases stand. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const IS_TEST = /\.test\.ya?ml$/

/**
 * The files named, and the `*.test.yaml` of folders and of those inside; what begins with a dot and `node_modules` is
 * left out. Sorted, each once.
 */
export const findTests = (names: readonly string[]): string[] => [...new Set(names.flatMap(testsIn))]

const testsIn = (name: string): string[] => (isFolder(name) ? walk(name) : [name])

const isFolder = (name: string): boolean => statSync(name, { throwIfNoEntry: false })?.isDirectory() ?? false

const walk = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !name.startsWith('.') && name !== 'node_modules')
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return walk(path)
      return IS_TEST.test(entry.name) ? [path] : []
    })
