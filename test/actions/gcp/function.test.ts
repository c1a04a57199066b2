import { describe, expect, it } from 'vitest'
import { cloudFunction } from '../../../src/actions/gcp/function.ts'
import { actionCases, type Answer, type Answers, testStep } from '../../../src/testing.ts'

type Params = Parameters<typeof cloudFunction.config.parse>[0]

const URI = 'https://quarantine-abcdef-uc.a.run.app'
const google = {
  project: async (wanted?: string) => wanted ?? 'secops-1',
  authorization: async () => 'Bearer access',
  identity: async (audience: string) => `Bearer for ${audience}`,
}
const found: Answer = { body: { name: 'x', serviceConfig: { uri: URI, service: 's' }, url: 'https://other.example' } }

const rig = (answer: Answers = { body: 'done' }, lookup: Answer = found, more: object = {}) => {
  const step = testStep({
    resources: { google },
    answer: (request) => {
      if (request.url.startsWith('https://cloudfunctions.googleapis.com/')) return lookup
      return typeof answer === 'function' ? answer(request) : answer
    },
    ...more,
  })
  const run = async (params: Params) => cloudFunction.run(cloudFunction.config.parse(params), step)
  return { step, run }
}

describe('gcp:function', () => {
  for (const { name, run } of actionCases(cloudFunction)) it(name, run)

  it('finds the function, shows who we are, posts the event, keeps the answer', async () => {
    const { step, run } = rig()
    expect(await run({ gcp_function_name: 'quarantine' })).toEqual({
      summary: 'function quarantine answered 200',
      objects: { name: 'quarantine', location: 'us-central1', status: '200' },
      output: 'done',
    })
    const [lookup, call] = step.requests
    expect(lookup).toMatchObject({
      method: 'GET',
      url: 'https://cloudfunctions.googleapis.com/v2/projects/secops-1/locations/us-central1/functions/quarantine',
      headers: { authorization: 'Bearer access' },
    })
    expect(call).toMatchObject({ method: 'POST', url: `${URI}/`, headers: { authorization: `Bearer for ${URI}` } })
    expect(JSON.parse(call?.body ?? '')).toMatchObject({
      rule: 'Terminal shell in container',
      context: { 'falco-talon.actionner': 'gcp:function' },
    })
  })

  it('calls in another project and place, with what it is told to send', async () => {
    const { step, run } = rig()
    const payload = { pod: 'web-1' }
    await run({ gcp_function_name: 'f', gcp_function_location: 'europe-west1', project: 'other-1', payload })
    expect(step.requests[0]?.url).toMatch(/projects\/other-1\/locations\/europe-west1\/functions\/f$/)
    expect(step.requests[1]?.body).toBe('{"pod":"web-1"}')
  })

  it('sends more of the context along', async () => {
    const { step, run } = rig()
    await run({ gcp_function_name: 'f', context: { 'node.hostname': 'n1', 'node.role': '' } })
    const { context } = JSON.parse(step.requests[1]?.body ?? '') as { context: object }
    expect(context).toMatchObject({ 'falco-talon.actionner': 'gcp:function', 'node.hostname': 'n1' })
    expect(context).not.toHaveProperty('node.role')
  })

  it('passes the trace on', async () => {
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
    const { step, run } = rig(undefined, found, { headers: { traceparent } })
    await run({ gcp_function_name: 'f' })
    expect(step.requests.map(({ headers }) => headers.traceparent)).toEqual([traceparent, traceparent])
    expect(step.spans.map(({ name }) => name)).toEqual([
      'GET /v2/projects/{project}/locations/{location}/functions/{name}',
      'POST',
    ])
  })

  it.each([
    ['is not there', { status: 404 }, { body: '' }, { reason: '404', permanent: true }],
    ['has no address', { body: { state: 'DEPLOYING' } }, { body: '' }, { reason: 'no-address', permanent: false }],
    ['has one without TLS', { body: { uri: 'http://x' } }, { body: '' }, { reason: 'no-address' }],
    ['fails', found, { status: 500, body: 'boom' }, { reason: '500', permanent: false }],
    ['refuses', found, { status: 403 }, { reason: '403', permanent: true }],
    ['is called too often', found, { status: 429 }, { permanent: false }],
  ])('fails when the function %s', async (_what, lookup, answer, error) => {
    await expect(rig(answer, lookup).run({ gcp_function_name: 'f' })).rejects.toMatchObject(error)
  })

  it('is given time in seconds: those of its setting, and some to find it', () => {
    const timeoutOf = (params: Params) =>
      typeof cloudFunction.timeout === 'function' && cloudFunction.timeout(cloudFunction.config.parse(params))
    expect(timeoutOf({ gcp_function_name: 'f' })).toBe(50_000)
    expect(timeoutOf({ gcp_function_name: 'f', gcp_function_timeout: 300 })).toBe(320_000)
  })

  it('is timed out when the function takes longer than it was given', async () => {
    const { run } = rig('hang')
    await expect(run({ gcp_function_name: 'f', gcp_function_timeout: 1 })).rejects.toMatchObject({ code: 'timed_out' })
  })
})

describe('the settings of gcp:function', () => {
  it.each<[unknown, string]>([
    [{}, 'gcp_function_name is required'],
    [{ gcp_function_name: 'a/b' }, 'name of a function'],
    [{ gcp_function_name: '{{ rule }}' }, 'gcp_function_name must be fixed text'],
    [{ gcp_function_name: 'f', gcp_function_location: 'x/y' }, 'must be a region'],
    [{ gcp_function_name: 'f', project: '{{ x }}' }, 'project must be fixed text'],
    [{ gcp_function_name: 'f', gcp_function_timeout: 0 }, 'gcp_function_timeout'],
  ])('refuse %j', (params, message) => {
    expect(() => cloudFunction(params as never)).toThrow(message)
  })
})
