/** The setting `log`. */
import { z } from 'zod'
import { LOG_AREAS } from '../log-area.ts'
import { levelNames } from '../log-levels.ts'
import type { Document } from './document.ts'
import type { Problems } from './problems.ts'
import { suggestion } from './suggest.ts'

const level = () => z.enum(['debug', 'info', 'warn', 'error'])

export const logSettings = z.strictObject({
  level: level().default('info').describe('The least that is logged.'),
  levels: z
    .record(z.string().min(1), level())
    .default({})
    .describe(
      'The least that is logged of one part: the id of a plugin (`http/falco`), its type (`kafka`; `kubernetes` is that of ' +
        'all `kubernetes:*`), or an area of the engine: `event`, `response`, `guard`, `delivery`, `journal`, `input`, ' +
        '`undo`, `listener`, `admin`, `config`, `trace`. The most exact holds. Default none.',
    ),
  format: z.enum(['auto', 'json', 'pretty']).default('auto').describe('`auto` is `pretty` on a terminal, else `json`.'),
})

interface Context {
  readonly document: Document
  readonly problems: Problems
}

/**
 * A level for something that there is not is a warning: it may be meant for what comes later.
 * @param ids of plugins and uses
 */
export const checkLevels = (
  { document, problems }: Context,
  levels: Readonly<Record<string, unknown>>,
  ids: readonly string[],
): void => {
  const known: readonly string[] = [...LOG_AREAS, ...ids.flatMap(levelNames)]
  for (const name of Object.keys(levels)) {
    if (known.includes(name)) continue
    const path = ['log', 'levels', name]
    problems.add(document, { path, key: true }, `log.levels: there is no ${name}${suggestion(name, known)}`, 'warning')
  }
}
