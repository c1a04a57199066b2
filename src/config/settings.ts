/** The settings at the top of a configuration file. */
import { z } from 'zod'
import { clusterSetting } from '../cluster.ts'
import { metricsSettings } from '../compat-metrics.ts'
import { enrichSettings } from '../enrich.ts'
import { guardSettings } from '../guard.ts'
import { redactSettings } from '../redact.ts'
import { duration, size } from '../settings.ts'
import { traceSettings } from '../trace-settings.ts'
import { adminSettings } from './admin.ts'
import { listenSetting } from './listen.ts'
import { logSettings } from './log.ts'

const section = () => z.record(z.string(), z.unknown()).nullish()

/** The whole file; what stands below `inputs`, `outputs`, `resources`, `contexts` and `rules` is checked by its own declarations. */
export const fileSettings = z.strictObject({
  version: z.literal(1).describe('The version of this file format.'),
  mode: z
    .enum(['observe', 'enforce'])
    .default('observe')
    .describe('`observe` only shows what the steps would do; `enforce` does it.'),
  cluster: clusterSetting
    .optional()
    .describe(
      'The name of this cluster, or `{name, field}` with the field that names it in an event. Events of other clusters ' +
        'are told to the outputs, and not answered.',
    ),
  listen: listenSetting.describe(
    'Where to listen: one place or a list, each `host:port`, `[::]:port`, `unix:/path`, or a map with TLS and more.',
  ),
  stopTimeout: duration()
    .prefault('15s')
    .describe(
      'How long a stop lets what runs finish; the journal goes on with the rest at the next start. It then takes up to ' +
        '10 s more to close. Default 15s.',
    ),
  dataDir: z.string().min(1).default('./.yarak').describe('Where files are kept that must last.'),
  plugins: z
    .array(z.string().min(1))
    .nullish()
    .describe('Files or packages with further inputs, outputs, actions, contexts: `./my-action.ts`, `acme-yarak`.'),
  inputs: section().describe('Where events come from, by `type` or `type/label`.'),
  outputs: section().describe('Who is told, by `type` or `type/label`.'),
  resources: section().describe('Clients that several plugins share, by type.'),
  contexts: section().describe('Settings of what steps see as `context.<type>`, by type.'),
  rules: z
    .array(z.union([z.string(), z.record(z.string(), z.unknown())]))
    .nullish()
    .describe('Rules files and globs, relative to this file, or rules written here.'),
  claims: z
    .string()
    .min(1)
    .optional()
    .describe(
      'For several replicas: the resource in which they agree on who answers what, `kubernetes`. Default: there is one.',
    ),
  redact: redactSettings
    .optional()
    .describe('What is made unreadable in all that outputs are told, in journal, spans and logs.'),
  traceUrl: z
    .url({ protocol: /^https?$/, error: 'must be an http or https address' })
    .refine((text) => text.includes('{traceId}'), 'must have {traceId} in it')
    .optional()
    .describe('Where a person looks at a trace, e.g. `http://jaeger:16686/trace/{traceId}`: reports link to it.'),
  enrich: enrichSettings.optional().describe('What is done to every event before anybody sees it.'),
  metrics: metricsSettings.optional().describe('What is counted besides what `/metrics` has anyway.'),
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
  admin: adminSettings
    .prefault({})
    .describe(
      'Routes for `yarak dlq` and `yarak responses`: to look at dead letters and responses, to replay and to undo.',
    ),
  telemetry: traceSettings
    .extend({ console: z.boolean().default(false).describe('Print each finished response as a tree.') })
    .prefault({})
    .describe('Beside the standard `OTEL_*` variables.'),
  log: logSettings.prefault({}).describe('The log on standard error.'),
})
