import { defineAction, type HttpResponse, type Result, type Step, toJson, YarakError, z } from '../../plugin.ts'
import { aws, awsRegion } from '../../resources/aws.ts'
import { fixed } from '../_fixed.ts'
import { contextSetting, eventPayload, payloadSetting } from '../_invoke.ts'
import { cut } from '../_text.ts'

const params = z
  .strictObject({
    aws_lambda_name: z
      .string()
      .regex(/^[A-Za-z0-9:_-]{1,170}$/, 'must be the name or the ARN of a function')
      .describe('Name or ARN of the function.'),
    aws_lambda_alias_or_version: z
      .union([z.string().regex(/^\$LATEST$|^[A-Za-z0-9_-]{1,128}$/, 'must be an alias or a version'), z.int().min(1)])
      .default('$LATEST')
      .describe('Alias or version. Default $LATEST.'),
    aws_lambda_invocation_type: z
      .enum(['RequestResponse', 'Event', 'DryRun'])
      .default('RequestResponse')
      .describe('Wait for the answer, only hand over, or only check that it may be called. Default RequestResponse.'),
    region: awsRegion().optional().describe('Region of the function. Default: that of its ARN or of `resources: aws`.'),
    payload: payloadSetting(),
    context: contextSetting(),
  })
  .refine(...fixed('aws_lambda_name'))
  .refine(...fixed('aws_lambda_alias_or_version'))
  .refine(...fixed('aws_lambda_invocation_type'))
  .refine(...fixed('region'))

type Params = z.output<typeof params>

const TYPE = 'aws:lambda'

/**
 * Invokes a function of AWS Lambda. Parameters and payload are those of Falco Talon.
 * @example lambda({ aws_lambda_name: 'quarantine', aws_lambda_alias_or_version: 'live' })
 */
export const lambda = defineAction({
  type: TYPE,
  summary: 'Invokes a function of AWS Lambda with the event.',
  notes: [
    'What the function answers is the output of the step, 64 KiB of it; an error that it throws fails the step with the reason `function-error`. With `Event` its answer is not waited for.',
    'The trace goes along as `traceparent` in the payload and, as `custom.traceparent`, in the client context.',
    'Account and keys are those of `resources: aws`; they need `lambda:InvokeFunction`. A function that runs longer than 30 s needs a `timeout` on the step.',
  ].join('\n'),
  config: params,
  changes: (settings) => (settings.aws_lambda_invocation_type === 'DryRun' ? 'nothing' : 'reversible'),
  example: { aws_lambda_name: 'quarantine', aws_lambda_alias_or_version: 'live' },
  async run(settings, step): Promise<Result> {
    const answer = await invoke(settings, step)
    const { aws_lambda_name: name, aws_lambda_alias_or_version: asked } = settings
    if (answer.headers['x-amz-function-error'] !== undefined) throw functionError(name, answer.body)
    const version = answer.headers['x-amz-executed-version'] ?? asked
    return {
      summary: `${HAS_BEEN[settings.aws_lambda_invocation_type]} function ${name}`,
      objects: { name, version: String(version), status: String(answer.status) },
      ...(answer.body && { output: cut(answer.body) }),
    }
  },
})

const HAS_BEEN = { RequestResponse: 'invoked', Event: 'handed over to', DryRun: 'would be allowed to invoke' } as const

const ARN_REGION = /^arn:[a-z-]+:lambda:([a-z0-9-]+):/

const invoke = async (settings: Params, step: Step): Promise<HttpResponse> => {
  const account = await step.use(aws)
  const { aws_lambda_name: name, aws_lambda_alias_or_version: version, payload } = settings
  const place = {
    service: 'lambda',
    region: account.region(settings.region ?? ARN_REGION.exec(name)?.[1]),
  }
  const path = `/2015-03-31/functions/${encodeURIComponent(name)}/invocations`
  const request = {
    url: `${account.endpoint(place)}${path}?Qualifier=${encodeURIComponent(version)}`,
    template: '/2015-03-31/functions/{name}/invocations',
    headers: {
      'content-type': 'application/json',
      'x-amz-invocation-type': settings.aws_lambda_invocation_type,
      'x-amz-client-context': clientContext(step),
    },
    body: toJson(payload ?? eventPayload(TYPE, step, settings.context)),
  }
  return step.http(await account.sign(request, place), step.signal)
}

/** What a function finds in `context.clientContext`, whatever its payload is. */
const clientContext = ({ response: { traceparent } }: Step): string | undefined =>
  traceparent && Buffer.from(JSON.stringify({ custom: { traceparent } })).toString('base64')

const functionError = (name: string, body: string): YarakError => {
  const message = /"errorMessage"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(body)?.[1] ?? body
  return new YarakError('failed', `function ${name} failed: ${message.slice(0, 200)}`, { reason: 'function-error' })
}
