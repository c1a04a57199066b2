import { defineAction, type Result, secret, type Step, z } from '../../plugin.ts'
import { azure } from '../../resources/azure.ts'
import { fixed } from '../_fixed.ts'
import { answered, eventPayload, functionUrl, payloadSetting } from '../_invoke.ts'

const params = z
  .strictObject({
    url: functionUrl().describe('Address of the function, without its key.'),
    key: secret()
      .regex(/^[\x21-\x7e]+$/, 'must be a key without spaces')
      .optional()
      .describe('Key of the function or of its app, sent as `x-functions-key`.'),
    audience: z
      .string()
      .min(1)
      .optional()
      .describe('Application id URI of the app, where it asks for a token of Microsoft Entra ID.'),
    payload: payloadSetting(),
  })
  .refine(...fixed('url'))
  .refine(...fixed('audience'))
  .refine(...fixed('key'))

type Params = z.output<typeof params>

const TYPE = 'azure:function'

/**
 * Calls a function of Azure.
 * @example azureFunction({ url: 'https://secops.azurewebsites.net/api/quarantine', audience: 'api://secops' })
 */
export const azureFunction = defineAction({
  type: TYPE,
  summary: 'Calls a function of Azure with the event.',
  notes: [
    'What the function answers is the output of the step, 64 KiB of it; any status but 2xx fails the step.',
    'With `audience` a token of the identity of `resources: azure` is sent along, with `key` that key; without both the function must be open to all.',
  ].join('\n'),
  config: params,
  changes: 'reversible',
  example: { url: 'https://secops.azurewebsites.net/api/quarantine', audience: 'api://secops' },
  async run(settings, step): Promise<Result> {
    const { url, payload } = settings
    const headers = await proofOf(settings, step)
    const answer = await step.http({ url, headers, body: payload ?? eventPayload(TYPE, step) }, step.signal)
    return answered(new URL(url).origin, answer)
  },
})

const proofOf = async ({ key, audience }: Params, step: Step): Promise<Record<string, string | undefined>> => ({
  'x-functions-key': key,
  ...(audience !== undefined && { authorization: await (await step.use(azure)).authorization(audience) }),
})
