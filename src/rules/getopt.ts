/** getopt(3) over the arguments of a process, as Falco's `getopt(proc.args, "ab:")` reads them. */

/** The options that a text like `ab:` allows, and whether each takes an argument. */
const allowed = (options: string): ReadonlyMap<string, boolean> =>
  new Map(Array.from(options.matchAll(/([^:])(:?)/g), ([, option = '', colon]) => [option, colon === ':']))

/**
 * The options among arguments, each followed by its own argument when it takes one; `?` for one that is not allowed, and
 * `""` for one whose argument is missing. It ends at `--` and at the first that is no option; long options are skipped.
 * @example readOptions(['-n', '-tx', 'file'], 'nt:') // ['n', 't', 'x']
 */
export const readOptions = (args: readonly string[], options: string): string[] =>
  found(args, options).flatMap(({ option, value }) => (value === undefined ? [option] : [option, value]))

/**
 * The argument of the last such option, or its name when it takes none; undefined when it is not given.
 * @example readOption(['-n', '-tx'], 'nt:', 't') // 'x'
 */
export const readOption = (args: readonly string[], options: string, wanted: string): string | undefined => {
  const last = found(args, options).findLast(({ key }) => key === wanted)
  return last && (last.value ?? last.option)
}

interface Found {
  /** The letter; none for one that is not allowed. */
  readonly key?: string
  readonly option: string
  readonly value?: string | undefined
}

const found = (args: readonly string[], options: string): Found[] => {
  const known = allowed(options)
  const all: Found[] = []
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] as string
    if (arg === '--' || !arg.startsWith('-') || arg === '-') break
    if (arg.startsWith('--')) continue
    for (let i = 1; i < arg.length; i++) {
      const key = arg[i] as string
      const takes = known.get(key)
      if (takes === undefined) all.push({ option: '?' })
      else if (!takes) all.push({ key, option: key })
      else {
        const value = i + 1 < arg.length ? arg.slice(i + 1) : args[++at]
        all.push(value === undefined ? { key, option: '' } : { key, option: key, value })
        break
      }
    }
  }
  return all
}
