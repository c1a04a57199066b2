/** Settings that decide what an action is allowed to do, and so are never taken from an event. */

/** Of text in which braces stand for themselves. */
const RAW = /\{%-?\s*raw\s*-?%\}[^]*?\{%-?\s*endraw\s*-?%\}/g

const holdsTemplate = (value: unknown): boolean =>
  typeof value === 'string'
    ? /\{\{|\{%/.test(value.replaceAll(RAW, ' '))
    : typeof value === 'object' && value !== null && Object.values(value).some(holdsTemplate)

/** For a check that is not asked of settings that have been rendered; see `renderedSchema`. */
export const AS_WRITTEN = { asWritten: true } as const

type Step = string | number

/** What is at a path; `*` is every item of a list. A leaf on the way stands for all below it. */
const at = (value: unknown, [key, ...rest]: readonly Step[]): readonly unknown[] => {
  if (key === undefined || typeof value !== 'object' || value === null) return [value]
  if (key === '*') return Array.isArray(value) ? value.flatMap((one) => at(one, rest)) : []
  return at((value as Readonly<Record<Step, unknown>>)[key], rest)
}

/**
 * Arguments for a map's `.refine`: what is at `path` must hold no template. It belongs to the whole map because a leaf
 * that is a template is taken on trust, and it is asked even where another setting is wrong. It is asked of settings as
 * written: braces are fixed text in `{% raw %}`.
 * @example z.strictObject({ dir: z.string() }).refine(...fixed('dir'))
 * @example z.strictObject({ command: z.array(z.string()) }).refine(...fixed('command', 0))
 * @example z.strictObject({ patch: z.array(z.strictObject({ path: z.string() })) }).refine(...fixed('patch', '*', 'path'))
 */
export const fixed = (...path: readonly [string, ...Step[]]) =>
  [
    (settings: unknown) => !at(settings, path).some(holdsTemplate),
    { message: `${nameOf(path)} must be fixed text: an event may not choose it`, when: () => true, params: AS_WRITTEN },
  ] as const

const nameOf = (path: readonly Step[]): string =>
  path.map((key, i) => (key === '*' || typeof key === 'number' ? `[${key}]` : i === 0 ? key : `.${key}`)).join('')
