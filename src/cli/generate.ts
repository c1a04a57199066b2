/** `node src/cli/generate.ts [--check]`: writes the files made from the declarations, or names those that are stale. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { generatedFiles } from '../config/docs.ts'
import type { Plugins } from '../config/plugins.ts'

/** The generated files below `root` that differ from what the declarations give. */
export const staleFiles = (root: string, plugins: Plugins): string[] =>
  Object.entries(generatedFiles(plugins)).flatMap(([path, text]) =>
    contentOf(join(root, path)) === text ? [] : [path],
  )

const contentOf = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Writes the stale ones and returns their paths. */
export const writeGenerated = (root: string, plugins: Plugins): string[] => {
  const stale = staleFiles(root, plugins)
  const files = generatedFiles(plugins)
  for (const path of stale) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), files[path] ?? '')
  }
  return stale
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '..', '..')
  const { builtin } = await import('../builtin.ts')
  const check = process.argv.includes('--check')
  const stale = check ? staleFiles(root, builtin) : writeGenerated(root, builtin)
  for (const path of stale) console.log(check ? `stale: ${path}; run node src/cli/generate.ts` : `wrote ${path}`)
  if (check && stale.length > 0) process.exitCode = 1
}
