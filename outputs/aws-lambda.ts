import { defineOutput, type HttpResponse, type Notice, YarakError, z } from '../src/plugin.ts'
import { completeKeys } from '../src/resources/aws.ts'
import { awsCall, awsCallSettings, awsService, regionOf } from './_aws-call.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { payload } from './_payload.ts'
import { jsonWithin } from './_shrink.ts'

const config = z
  .strictObject({
    functionName: z
      .string()
      .regex(/^[A-Za-z0-9:_$-]{1,170}$/, 'must be the name or the ARN of a function')
      .describe('Name or ARN of the function, with `:<alias or version>` where it is not the latest.'),
    invocationType: z
      .enum(['RequestResponse', 'Event', 'DryRun'])
      .default('RequestResponse')
      .describe('Wait for the answer, only hand over, or only check that it may be called. Default RequestResponse.'),
    logType: z
      .enum(['Tail', 'None'])
      .default('Tail')
      .describe('Whether the end of the log comes back with the answer, for the debug log. Default Tail.'),
    ...awsCallSettings,
  })
  .refine(...completeKeys())

type Settings = z.output<typeof config>

/** Bytes of a payload, by the quotas of Lambda. */
const MAX_BYTES = { RequestResponse: 6_291_456, Event: 1_000_000, DryRun: 1_000_000 } as const

const callOf = (notice: Notice, { functionName, invocationType, logType }: Settings) => ({
  path: `/2015-03-31/functions/${encodeURIComponent(functionName)}/invocations`,
  template: '/2015-03-31/functions/{name}/invocations',
  headers: {
    'content-type': 'application/json',
    'x-amz-invocation-type': invocationType,
    'x-amz-log-type': logType,
    ...(notice.traceparent && { 'x-amz-client-context': clientContext(notice.traceparent) }),
  },
  body: jsonWithin(payload(notice), MAX_BYTES[invocationType]),
})

/** What a function finds in `context.clientContext`. */
const clientContext = (traceparent: string): string =>
  Buffer.from(JSON.stringify({ custom: { traceparent } })).toString('base64')

/** A function that threw had the event, and would most likely throw again. */
const checked = (name: string, { headers, body }: HttpResponse): void => {
  const kind = headers['x-amz-function-error']
  if (kind === undefined) return
  const message = /"errorMessage"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(body)?.[1] ?? String(kind)
  throw new YarakError('failed', `function ${name} failed: ${message.slice(0, 200)}`, {
    permanent: true,
    reason: 'function-error',
  })
}

/**
 * Invokes a function of AWS Lambda with each notice.
 *
 * Source: the `awslambda` output of Falcosidekick 2.x (`outputs/aws.go`); `Invoke` of the Lambda API Reference.
 * @example awsLambda({ functionName: 'on-alert', region: 'eu-central-1', invocationType: 'Event' })
 */
export const awsLambda = defineOutput({
  type: 'aws.lambda',
  summary: 'Invokes a function of AWS Lambda with the event.',
  notes: `
The payload is the event as \`webhook\` sends it; for the report of a response with the member \`response\`. The trace
goes along as \`custom.traceparent\` of the client context. A payload over 6 MiB, with \`Event\` over 1 MB, is cut, with
\`truncated: true\`. The right that is needed is \`lambda:InvokeFunction\`. A function that takes longer than 10 s needs a
\`timeout\`.

Differences from Falcosidekick: keys, region and role that are set are used, where it ignores them; an error that the
function throws is a failed delivery, with the reason \`function-error\`, and is not tried again, where Falcosidekick
counts it as delivered.
`.trim(),
  config,
  http: true,
  async open(settings, io) {
    const { functionName } = settings
    const service = await awsService(settings, io, 'lambda', regionOf(functionName))
    return {
      async send(notices, signal) {
        for (const notice of notices) {
          const answer = await awsCall(service, callOf(notice, settings), io, signal)
          const log = answer.headers['x-amz-log-result']
          if (typeof log === 'string')
            io.log.debug('log of the function', { log: Buffer.from(log, 'base64').toString() })
          checked(functionName, answer)
        }
      },
    }
  },
  example: {
    config: {
      functionName: 'on-alert',
      region: 'eu-central-1',
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
      secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    },
    sends: {
      url: 'https://lambda.eu-central-1.amazonaws.com/2015-03-31/functions/on-alert/invocations',
      body: EXAMPLE_BODY,
    },
  },
})
