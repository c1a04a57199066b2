/** Settings that decide what an action is allowed to do, and so are never taken from an event. */

const holdsTemplate = (value: unknown): boolean =>
  typeof value === 'string'
    ? /\{\{|\{%/.test(value)
    : typeof value === 'object' && value !== null && Object.values(value).some(holdsTemplate)

/**
 * Arguments for a map's `.refine`: what is at `path` must hold no template. It belongs to the whole map because a leaf
 * that is a template is taken on trust, and it is asked even where another setting is wrong.
 * @example z.strictObject({ dir: z.string() }).refine(...fixed('dir'))
 * @example z.strictObject({ command: z.array(z.string()) }).refine(...fixed('command', 0))
 */
export const fixed = (name: string, index?: number) =>
  [
    (settings: unknown) => {
      const value = (settings as Readonly<Record<string, unknown>> | undefined)?.[name]
      return !holdsTemplate(index !== undefined && Array.isArray(value) ? value[index] : value)
    },
    {
      message: `${name}${index === undefined ? '' : `[${index}]`} must be fixed text: an event may not choose it`,
      when: () => true,
    },
  ] as const
