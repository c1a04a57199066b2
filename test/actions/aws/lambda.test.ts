import { describe, expect, it } from 'vitest'
import { lambda } from '../../../src/actions/aws/lambda.ts'
import { toJson } from '../../../src/plugin.ts'
import { actionCases, anEvent, type Answers, testStep } from '../../../src/testing.ts'
import { signatureFault } from '../../aws-signature.ts'

type Params = Parameters<typeof lambda.config.parse>[0]

const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const env = {
  AWS_ACCESS_KEY_ID: keys.accessKeyId,
  AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
  AWS_REGION: 'eu-central-1',
}
const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const response = { id: '7d0f4a2c9b1e', rule: 'Quarantine', step: 'call', traceparent }

const rig = (answer: Answers = { body: '{"ok":true}' }, more: object = {}) => {
  const step = testStep({ env, answer, response, ...more })
  const run = async (params: Params) => lambda.run(lambda.config.parse(params), step)
  return { step, run, sent: () => step.requests[0] ?? expect.fail('nothing was sent') }
}

describe('aws:lambda', () => {
  for (const { name, run } of actionCases(lambda)) it(name, run)

  it('invokes the function and keeps its answer', async () => {
    const { run, sent } = rig({ body: '{"ok":true}', headers: { 'X-Amz-Executed-Version': '7' } })
    expect(await run({ aws_lambda_name: 'quarantine' })).toEqual({
      summary: 'invoked function quarantine',
      objects: { name: 'quarantine', version: '7', status: '200' },
      output: '{"ok":true}',
    })
    expect(sent()).toMatchObject({
      method: 'POST',
      url: 'https://lambda.eu-central-1.amazonaws.com/2015-03-31/functions/quarantine/invocations?Qualifier=%24LATEST',
      headers: { 'x-amz-invocation-type': 'RequestResponse', 'content-type': 'application/json' },
    })
    expect(signatureFault(sent(), { ...keys, service: 'lambda', region: 'eu-central-1' })).toBeUndefined()
  })

  it('sends more of the context along, but no empty texts', async () => {
    const { run, sent } = rig()
    await run({ aws_lambda_name: 'quarantine', context: { 'aws.region': 'eu-central-1', 'node.role': '' } })
    const { context } = JSON.parse(sent().body) as { context: object }
    expect(context).toMatchObject({ 'falco-talon.actionner': 'aws:lambda', 'aws.region': 'eu-central-1' })
    expect(context).not.toHaveProperty('node.role')
  })

  it('sends the event as Falco Talon does, its trace, and every digit', async () => {
    const event = anEvent({ output_fields: { 'evt.time': 1_769_860_800_123_456_789n }, hostname: undefined })
    const { run, sent } = rig(undefined, { event })
    await run({ aws_lambda_name: 'quarantine' })
    expect(sent().body).toContain('"evt.time":1769860800123456789')
    const payload = JSON.parse(sent().body) as Record<string, unknown>
    expect(Object.keys(payload).slice(0, 10)).toEqual(
      'trace_id output priority rule hostname time source output_fields context tags'.split(' '),
    )
    expect(payload).toMatchObject({
      trace_id: '0af7651916cd43dd8448eb211c80319c',
      rule: 'Terminal shell in container',
      hostname: null,
      context: {
        'falco-talon.rule': 'Quarantine',
        'falco-talon.action': 'call',
        'falco-talon.actionner': 'aws:lambda',
      },
      response: '7d0f4a2c9b1e',
      traceparent,
    })
    const context = Buffer.from(sent().headers['x-amz-client-context'] ?? '', 'base64').toString()
    expect(JSON.parse(context)).toEqual({ custom: { traceparent } })
  })

  it('sends what it is told to instead, hostile text included', async () => {
    const { run, sent } = rig(undefined, { response: { ...response, traceparent: undefined } })
    const payload = { ip: '10.0.0.1', text: '"}$(reboot)\n{{ x }}' }
    await run({ aws_lambda_name: 'quarantine', payload })
    expect(sent().body).toBe(toJson(payload))
    expect(sent().headers).not.toHaveProperty('x-amz-client-context')
  })

  it.each([
    [{ aws_lambda_alias_or_version: 'live' }, 'functions/f/invocations?Qualifier=live', 'live'],
    [{ aws_lambda_alias_or_version: 3 }, 'functions/f/invocations?Qualifier=3', '3'],
  ])('calls the version of %j', async (more, end, version) => {
    const { run, sent } = rig()
    expect((await run({ aws_lambda_name: 'f', ...more })).objects?.version).toBe(version)
    expect(sent().url.endsWith(end)).toBe(true)
  })

  it.each([
    ['of its settings', { aws_lambda_name: 'f', region: 'us-east-2' }, 'us-east-2'],
    ['of the ARN', { aws_lambda_name: 'arn:aws:lambda:eu-north-1:123456789012:function:f' }, 'eu-north-1'],
    ['of the account', { aws_lambda_name: 'f' }, 'eu-central-1'],
  ])('calls in the region %s', async (_which, params, region) => {
    const { run, sent } = rig()
    await run(params)
    expect(new URL(sent().url).host).toBe(`lambda.${region}.amazonaws.com`)
    expect(signatureFault(sent(), { ...keys, service: 'lambda', region })).toBeUndefined()
  })

  it.each([
    ['Event', 202, 'handed over to function f'],
    ['DryRun', 204, 'would be allowed to invoke function f'],
  ] as const)('as %s is done with %i', async (type, status, summary) => {
    const { run, sent } = rig({ status })
    const result = await run({ aws_lambda_name: 'f', aws_lambda_invocation_type: type })
    expect(result).toMatchObject({ summary, objects: { status: String(status) } })
    expect(result).not.toHaveProperty('output')
    expect(sent().headers['x-amz-invocation-type']).toBe(type)
  })

  it('keeps 64 KiB of a long answer', async () => {
    const { run } = rig({ body: 'x'.repeat(70_000) })
    expect((await run({ aws_lambda_name: 'f' })).output).toMatch(/x\n\[cut: 65536 of 70000 bytes\]$/)
  })

  it.each([
    ['{"errorMessage":"no such \\"pod\\"","errorType":"Error"}', 'function f failed: no such \\"pod\\"'],
    ['{"errorType":"Runtime.ExitError"}', 'function f failed: {"errorType":"Runtime.ExitError"}'],
  ])('fails when the function does: %s', async (body, message) => {
    const { run } = rig({ body, headers: { 'X-Amz-Function-Error': 'Unhandled' } })
    await expect(run({ aws_lambda_name: 'f' })).rejects.toMatchObject({
      code: 'failed',
      reason: 'function-error',
      message,
    })
  })

  it.each([
    ['is not there', { status: 404, body: 'Function not found' }, { reason: '404', permanent: true }],
    ['may not be called', { status: 403, body: 'AccessDeniedException' }, { reason: '403', permanent: true }],
    ['is called too often', { status: 429, headers: { 'retry-after': '3' } }, { permanent: false, retryAfter: 3_000 }],
    ['is broken', { status: 502 }, { reason: '502', permanent: false }],
  ])('tells when the function %s', async (_what, answer, error) => {
    await expect(rig(answer).run({ aws_lambda_name: 'f' })).rejects.toMatchObject(error)
  })

  it('tells when there is no account', async () => {
    const { run } = rig(new Error('EHOSTUNREACH'), { env: { AWS_REGION: 'eu-central-1' } })
    await expect(run({ aws_lambda_name: 'f' })).rejects.toMatchObject({ code: 'config' })
  })

  it('is cut short with the step', async () => {
    const stop = new AbortController()
    const hang: Answers = () => {
      setImmediate(() => stop.abort())
      return 'hang'
    }
    await expect(rig(hang, { signal: stop.signal }).run({ aws_lambda_name: 'f' })).rejects.toMatchObject({
      code: 'interrupted',
    })
  })
})

describe('the settings of aws:lambda', () => {
  it.each<[unknown, string]>([
    [{}, 'aws_lambda_name is required'],
    [{ aws_lambda_name: '../x' }, 'name or the ARN'],
    [{ aws_lambda_name: '{{ proc.name }}' }, 'aws_lambda_name must be fixed text'],
    [{ aws_lambda_name: 'f', region: '{{ x }}' }, 'region must be fixed text'],
    [{ aws_lambda_name: 'f', aws_lambda_alias_or_version: 'a/b' }, 'an alias or a version'],
    [{ aws_lambda_name: 'f', aws_lambda_invocation_type: 'Now' }, 'aws_lambda_invocation_type'],
  ])('refuse %j', (params, message) => {
    expect(() => lambda(params as never)).toThrow(message)
  })

  it('say that only a dry run changes nothing', () => {
    const of = (type: 'Event' | 'DryRun') =>
      typeof lambda.changes === 'function' &&
      lambda.changes(lambda.config.parse({ aws_lambda_name: 'f', aws_lambda_invocation_type: type }))
    expect([of('Event'), of('DryRun')]).toEqual(['reversible', 'nothing'])
  })
})
