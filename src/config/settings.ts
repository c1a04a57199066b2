/** The settings at the top of a configuration file. */
import { z } from 'zod'
import { guardSettings } from '../guard.ts'

/** Where the gateway listens. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string }

const ADDRESS = 'must be host:port such as 127.0.0.1:2801 or [::]:2801, or unix:/path'

/**
 * The address that a text names; undefined when it names none. Port 0 takes any free port.
 * @example parseAddress('[::]:2801') // { host: '::', port: 2801 }
 */
export const parseAddress = (text: string): Address | undefined => {
  if (text.startsWith('unix:')) return text.length > 5 ? { path: text.slice(5) } : undefined
  const [, six, four, digits] = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([\w.-]+)):(\d{1,5})$/.exec(text) ?? []
  const host = six ?? four
  const port = Number(digits)
  return host !== undefined && port <= 65_535 ? { host, port } : undefined
}

/** The text of an address. */
export const addressText = (address: Address): string =>
  'path' in address
    ? `unix:${address.path}`
    : `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`

const listen = z
  .union([z.string(ADDRESS), z.array(z.string(ADDRESS), ADDRESS)])
  .superRefine((given, context) => {
    for (const [i, text] of [given].flat().entries()) {
      if (!parseAddress(text)) {
        context.addIssue({ code: 'custom', path: Array.isArray(given) ? [i] : [], message: ADDRESS })
      }
    }
  })
  .transform((given): Address[] => [given].flat().flatMap((text) => parseAddress(text) ?? []))
  .prefault('127.0.0.1:2801')

const plugins = () => z.record(z.string(), z.unknown()).nullish()

/** The whole file; what stands below `inputs`, `outputs`, `resources` and `rules` is checked by its own declarations. */
export const fileSettings = z.strictObject({
  version: z.literal(1).describe('The version of this file format.'),
  mode: z
    .enum(['observe', 'enforce'])
    .default('observe')
    .describe('`observe` only shows what the steps would do; `enforce` does it.'),
  cluster: z.string().min(1).optional().describe('The name of this cluster, for rules, messages and spans.'),
  listen: listen.describe('Where to listen: one address or a list; `host:port`, `[::]:port` or `unix:/path`.'),
  dataDir: z.string().min(1).default('./.yarak').describe('Where files are kept that must last.'),
  inputs: plugins().describe('Where events come from, by `type` or `type/label`.'),
  outputs: plugins().describe('Who is told, by `type` or `type/label`.'),
  resources: plugins().describe('Clients that several plugins share, by type.'),
  rules: z
    .array(z.union([z.string(), z.record(z.string(), z.unknown())]))
    .nullish()
    .describe('Rules files and globs, relative to this file, or rules written here.'),
  guards: guardSettings.prefault({}).describe('What no step may touch, whatever a rule says.'),
  telemetry: z
    .strictObject({ console: z.boolean().default(false).describe('Print each finished response as a tree.') })
    .prefault({})
    .describe('Beside the standard `OTEL_*` variables.'),
  log: z
    .strictObject({
      level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('The least that is logged.'),
      format: z
        .enum(['auto', 'json', 'pretty'])
        .default('auto')
        .describe('`auto` is `pretty` on a terminal, else `json`.'),
    })
    .prefault({})
    .describe('The log on standard error.'),
})
