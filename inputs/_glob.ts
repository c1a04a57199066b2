/** Patterns of paths: `*` and `?` within a name, `**` for any folders, `{a,b}`; a backslash takes what follows as it is. */
import type { Dirent } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, isAbsolute, join } from 'node:path'
import { YarakError } from '../src/plugin.ts'

/** True for a text that is more than the name of one file. */
export const isPattern = (text: string): boolean => /[*?{]/.test(text)

/** Alternatives that one pattern may stand for. */
const MOST = 1_000

/**
 * The patterns without braces that a pattern stands for.
 * @throws YarakError `config` when they are more than 1,000
 * @example alternatives('a.{log,{json,txt}}') // ['a.log', 'a.json', 'a.txt']
 */
export const alternatives = (pattern: string): string[] => {
  const open = [pattern]
  for (let at = 0; at < open.length;) {
    const one = open[at] ?? ''
    const found = /(?<!\\)\{([^{}]*)\}/.exec(one)
    if (!found) at++
    else open.splice(at, 1, ...(found[1] ?? '').split(',').map((choice) => one.replace(found[0], () => choice)))
    if (open.length > MOST) throw new YarakError('config', `${pattern} stands for too many patterns`)
  }
  return [...new Set(open)]
}

const MEANING: Readonly<Record<string, string>> = { '**/': '(?:(?!\\.)[^/]+/)*', '*': '[^/]*', '?': '[^/]' }

/** As the shell does: a name that begins with a dot is only met by a pattern that does. */
const toRegExp = (pattern: string): RegExp => {
  const source = pattern.replaceAll(/\\(.)|\*\*\/|\*+|[^]/g, (all, escaped: string | undefined, at: number) => {
    const meaning = MEANING[all === '**/' ? all : all.charAt(0)]
    if (escaped !== undefined || meaning === undefined) return quoted(escaped ?? all)
    return (all === '**/' || (at > 0 && pattern[at - 1] !== '/') ? '' : '(?!\\.)') + meaning
  })
  return new RegExp(`^${source}$`, 's')
}

const quoted = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, String.raw`\$&`)

/**
 * A function that tells whether a path fits one of the patterns; one without a slash is about the name alone.
 * @example matcher(['*.gz'])('/var/log/a.log.gz') // true
 */
export const matcher = (patterns: readonly string[]): ((path: string) => boolean) => {
  const tests = patterns.flatMap(alternatives).map((one) => ({ fits: toRegExp(one), whole: one.includes('/') }))
  return (path) => tests.some(({ fits, whole }) => fits.test(whole ? path : basename(path)))
}

/**
 * The regular files that fit a pattern, sorted. Symbolic links to files and folders are followed, except by `**`.
 * @param unreadable told of each folder that may not be read
 * @example await filesOf('/var/log/containers/falco-*.log', () => {})
 */
export const filesOf = async (
  pattern: string,
  unreadable: (folder: string, error: unknown) => void,
): Promise<string[]> => {
  const found = new Set<string>()

  const entries = (folder: string): Promise<Dirent[]> =>
    readdir(folder || '.', { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') unreadable(folder, error)
      return []
    })

  const walk = async (folder: string, [name, ...rest]: readonly string[]): Promise<void> => {
    if (name === undefined) return
    if (name === '**' && rest.length > 0) return walkAll(folder, rest)
    const names = isPattern(name) ? await fitting(folder, toRegExp(name)) : [name.replaceAll(/\\(.)/g, '$1')]
    for (const one of names) {
      const path = join(folder, one)
      if (rest.length > 0) await walk(path, rest)
      else if (await isFile(path)) found.add(path)
    }
  }

  const walkAll = async (folder: string, rest: readonly string[]): Promise<void> => {
    await walk(folder, rest)
    for (const entry of await entries(folder)) {
      if (entry.isDirectory() && !entry.name.startsWith('.')) await walkAll(join(folder, entry.name), rest)
    }
  }

  const fitting = async (folder: string, fits: RegExp): Promise<string[]> =>
    (await entries(folder)).map(({ name }) => name).filter((name) => fits.test(name))

  for (const one of alternatives(pattern)) {
    await walk(
      isAbsolute(one) ? '/' : '',
      one
        .replace(/\/\*\*$/, '/**/*')
        .split('/')
        .filter(Boolean),
    )
  }
  return [...found].sort()
}

const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (status) => status.isFile(),
    () => false,
  )
