import { defineAction, type Result, z } from '../../plugin.ts'
import { google } from '../../resources/google.ts'
import { fixed } from '../_fixed.ts'
import { answered, eventPayload, functionUrl, payloadSetting } from '../_invoke.ts'

const params = z
  .strictObject({
    url: functionUrl().describe('Address of the service, with the path to post to.'),
    audience: z
      .string()
      .min(1)
      .optional()
      .describe('Whom the identity token is for. Default: scheme and host of `url`.'),
    payload: payloadSetting(),
  })
  .refine(...fixed('url'))
  .refine(...fixed('audience'))

const TYPE = 'gcp:cloud-run'

/**
 * Posts the event to a service of Google Cloud Run.
 * @example cloudRun({ url: 'https://quarantine-abcdef-ew.a.run.app/falco' })
 */
export const cloudRun = defineAction({
  type: TYPE,
  summary: 'Posts the event to a service of Google Cloud Run.',
  notes: [
    'An identity token for the service is sent along. What it answers is the output of the step, 64 KiB of it; any status but 2xx fails the step.',
    'The credentials are those of `resources: google`; they need `run.routes.invoke`.',
  ].join('\n'),
  config: params,
  changes: 'reversible',
  example: { url: 'https://quarantine-abcdef-ew.a.run.app/falco' },
  async run({ url, audience, payload }, step): Promise<Result> {
    const { origin } = new URL(url)
    const authorization = await (await step.use(google)).identity(audience ?? origin)
    const body = payload ?? eventPayload(TYPE, step)
    return answered(origin, await step.http({ url, headers: { authorization }, body }, step.signal))
  },
})
