import { defineAction, type Result, type Step, YarakError, z } from '../../plugin.ts'
import { google, type Google } from '../../resources/google.ts'
import { fixed } from '../_fixed.ts'
import { answered, contextSetting, eventPayload, payloadSetting } from '../_invoke.ts'

const params = z
  .strictObject({
    gcp_function_name: z
      .string()
      .regex(/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/, 'must be the name of a function')
      .describe('Name of the function.'),
    gcp_function_location: z
      .string()
      .regex(/^[a-z]+-[a-z]+\d+$/, 'must be a region, e.g. us-central1')
      .default('us-central1')
      .describe('Region of the function. Default us-central1.'),
    gcp_function_timeout: z.int().min(1).max(3_600).default(30).describe('Seconds to wait for its answer. Default 30.'),
    project: z
      .string()
      .regex(/^[a-z0-9.:-]{4,64}$/, 'must be the id of a project')
      .optional()
      .describe('Project of the function. Default: that of `resources: google`.'),
    payload: payloadSetting(),
    context: contextSetting(),
  })
  .refine(...fixed('gcp_function_name'))
  .refine(...fixed('gcp_function_location'))
  .refine(...fixed('project'))

type Params = z.output<typeof params>

const TYPE = 'gcp:function'

/** Milliseconds, beside those that the function has, to find it and to get tokens. */
const AROUND = 20_000

/**
 * Calls a function of Google Cloud (2nd generation). Parameters and payload are those of Falco Talon.
 * @example cloudFunction({ gcp_function_name: 'quarantine', gcp_function_location: 'europe-west1' })
 */
export const cloudFunction = defineAction({
  type: TYPE,
  summary: 'Calls a function of Google Cloud with the event.',
  notes: [
    'The address is looked up by name, and an identity token for it is sent along. What the function answers is the output of the step, 64 KiB of it; any status but 2xx fails the step.',
    'Project and credentials are those of `resources: google`; they need `cloudfunctions.functions.get` and `run.routes.invoke`.',
    'Unlike in Falco Talon, the timeout is in seconds and for this call alone, and the location has its default.',
  ].join('\n'),
  config: params,
  changes: 'reversible',
  timeout: ({ gcp_function_timeout: seconds }) => seconds * 1_000 + AROUND,
  example: { gcp_function_name: 'quarantine', gcp_function_location: 'europe-west1' },
  async run(settings, step): Promise<Result> {
    const account = await step.use(google)
    const url = await addressOf(settings, account, step)
    const { gcp_function_name: name, gcp_function_location: location, gcp_function_timeout: seconds } = settings
    const body = settings.payload ?? eventPayload(TYPE, step, settings.context)
    const headers = { authorization: await account.identity(url) }
    const answer = await step.http({ url, headers, body, timeout: seconds * 1_000 }, step.signal)
    return answered(`function ${name}`, answer, { name, location })
  },
})

const TEMPLATE = '/v2/projects/{project}/locations/{location}/functions/{name}'

const addressOf = async (settings: Params, account: Google, step: Step): Promise<string> => {
  const { gcp_function_name: name, gcp_function_location: location } = settings
  const project = encodeURIComponent(await account.project(settings.project))
  const url = `https://cloudfunctions.googleapis.com/v2/projects/${project}/locations/${location}/functions/${name}`
  const headers = { authorization: await account.authorization() }
  const { body } = await step.http({ method: 'GET', url, template: TEMPLATE, headers }, step.signal)
  const uri = /"uri"\s*:\s*"(https:\/\/[^"\\\s]+)"/.exec(body)?.[1]
  if (uri !== undefined) return uri
  throw new YarakError('failed', `function ${name} has no address: is it of the 2nd generation, and deployed?`, {
    reason: 'no-address',
  })
}
