/** The settings at the top of a configuration file. */
import { z } from 'zod'
import { guardSettings } from '../guard.ts'
import { secret, size } from '../settings.ts'
import { listenSetting } from './listen.ts'

const plugins = () => z.record(z.string(), z.unknown()).nullish()

/** The whole file; what stands below `inputs`, `outputs`, `resources` and `rules` is checked by its own declarations. */
export const fileSettings = z.strictObject({
  version: z.literal(1).describe('The version of this file format.'),
  mode: z
    .enum(['observe', 'enforce'])
    .default('observe')
    .describe('`observe` only shows what the steps would do; `enforce` does it.'),
  cluster: z.string().min(1).optional().describe('The name of this cluster, for rules, messages and spans.'),
  listen: listenSetting.describe(
    'Where to listen: one place or a list, each `host:port`, `[::]:port`, `unix:/path`, or a map with TLS and more.',
  ),
  dataDir: z.string().min(1).default('./.yarak').describe('Where files are kept that must last.'),
  inputs: plugins().describe('Where events come from, by `type` or `type/label`.'),
  outputs: plugins().describe('Who is told, by `type` or `type/label`.'),
  resources: plugins().describe('Clients that several plugins share, by type.'),
  rules: z
    .array(z.union([z.string(), z.record(z.string(), z.unknown())]))
    .nullish()
    .describe('Rules files and globs, relative to this file, or rules written here.'),
  guards: guardSettings.prefault({}).describe('What no step may touch, whatever a rule says.'),
  journal: z
    .strictObject({
      enabled: z.boolean().default(true).describe('False: what is accepted is in memory only, and lost in a crash.'),
      maxSize: size()
        .default(1024 ** 3)
        .describe('Bytes that it may take on disk, e.g. `1GiB`.'),
    })
    .prefault({})
    .describe('Keeps accepted events, responses, waiting notices and dead letters over a crash, in `dataDir`.'),
  admin: z
    .strictObject({
      token: secret().optional().describe('Bearer token for `/admin`. Without one, only this machine may ask.'),
    })
    .prefault({})
    .describe('Routes to look at and replay dead letters, for `yarak dlq`.'),
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
