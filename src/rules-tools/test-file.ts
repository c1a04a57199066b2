/** What a file of test cases for rules may hold. */
import { z } from 'zod'
import { clusterSettings } from './cluster.ts'

const event = z
  .union(
    [z.record(z.string(), z.unknown()), z.string().min(1)],
    'must be an alert as a map, or the path of its JSON file',
  )
  .describe(
    'An alert as Falco emits it, or the path of a file with one. `priority`, `time` and `output` may be left out.',
  )

const contexts = z.record(z.string(), z.record(z.string(), z.unknown()))

const outcome = z.enum(['succeeded', 'failed', 'timed_out', 'refused', 'skipped', 'gone'])
const rule = z.string().optional().describe('The rule it is of. Default: any.')
const mode = z.enum(['observe', 'enforce'])

export const expectSettings = z.strictObject({
  rules: z.array(z.string()).optional().describe('The rules that match, all of them. Default: not compared.'),
  steps: z
    .array(
      z.strictObject({
        id: z.string().min(1).describe('The id of the step.'),
        rule,
        outcome: outcome.optional().describe('How it ends. Default: not compared.'),
        with: z.unknown().optional().describe('Its settings as rendered; only what is given is compared.'),
      }),
    )
    .optional()
    .describe('Steps and what becomes of them. Default: not compared.'),
  refused: z
    .array(
      z.strictObject({
        step: z.string().min(1).describe('The id of the step.'),
        rule,
        reason: z.string().optional().describe('The reason, e.g. `protected-namespace`. Default: not compared.'),
      }),
    )
    .optional()
    .describe('The steps that are refused, all of them. Default: not compared.'),
  notices: z
    .array(z.string())
    .optional()
    .describe('Ids of the outputs that are told of a response, all of them. Default: not compared.'),
})

export const caseSettings = z
  .strictObject({
    name: z.string().min(1).describe('What is tested.'),
    event: event.optional(),
    events: z.array(event).min(1).optional().describe('Several alerts, one after another.'),
    cluster: clusterSettings.optional().describe('Instead of the `cluster` of the file.'),
    contexts: contexts.default({}).describe('Beside the `contexts` of the file; of one type, instead of it.'),
    mode: mode.optional().describe('Instead of the `mode` of the file.'),
    authenticated: z
      .boolean()
      .default(true)
      .describe('Whether the sender of the events proved who it is. Default true.'),
    expect: expectSettings.describe('What must come of it.'),
  })
  .refine((one) => (one.event === undefined) !== (one.events === undefined), 'has either `event` or `events`')

export const testFileSettings = z.strictObject({
  rules: z
    .array(z.unknown())
    .optional()
    .describe('Rules files beside this one, or rules. Default: the file of the same name without `.test`.'),
  mode: mode.default('enforce').describe('Nothing is ever changed; but a rule sees it. Default enforce.'),
  guards: z.unknown().optional().describe('Settings of the guards. Default: as without a configuration.'),
  cluster: clusterSettings
    .optional()
    .describe('What there is in the simulated cluster. Default: what an event names is taken to be there.'),
  contexts: contexts
    .default({})
    .describe('What steps see as `context.<type>`. Default: what there is of it in the simulated cluster.'),
  cases: z.array(caseSettings).min(1, 'must list at least one case').describe('The cases.'),
})

export type TestFile = z.output<typeof testFileSettings>
export type TestCase = z.output<typeof caseSettings>
export type Expected = z.output<typeof expectSettings>
