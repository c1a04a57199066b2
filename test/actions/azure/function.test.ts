import { describe, expect, it } from 'vitest'
import { azureFunction } from '../../../src/actions/azure/function.ts'
import { actionCases, type Answers, testStep } from '../../../src/testing.ts'

const url = 'https://secops.azurewebsites.net/api/quarantine'
const azure = { authorization: async (audience: string) => `Bearer for ${audience}` }

const rig = (answer: Answers = { body: 'done' }) => {
  const step = testStep({ answer, resources: { azure } })
  return {
    step,
    run: async (params: object) => azureFunction.run(azureFunction.config.parse({ url, ...params }), step),
  }
}

describe('azure:function', () => {
  for (const { name, run } of actionCases(azureFunction)) it(name, run)

  it('posts the event with the key of the function, which is told nowhere', async () => {
    const { step, run } = rig()
    expect(await run({ key: 'hush-hush==' })).toEqual({
      summary: 'https://secops.azurewebsites.net answered 200',
      objects: { status: '200' },
      output: 'done',
    })
    const [request] = step.requests
    expect(request).toMatchObject({ method: 'POST', url, headers: { 'x-functions-key': 'hush-hush==' } })
    expect(request?.headers).not.toHaveProperty('authorization')
    expect(JSON.parse(request?.body ?? '')).toMatchObject({ context: { 'falco-talon.actionner': 'azure:function' } })
    expect(JSON.stringify(step.spans)).not.toContain('hush')
  })

  it('posts with a token of the managed identity', async () => {
    const { step, run } = rig({ status: 202 })
    await run({ audience: 'api://secops', payload: { pod: 'web-1' } })
    expect(step.requests[0]?.headers.authorization).toBe('Bearer for api://secops')
    expect(step.requests[0]?.headers).not.toHaveProperty('x-functions-key')
    expect(step.requests[0]?.body).toBe('{"pod":"web-1"}')
  })

  it('asks for no identity where none is needed', async () => {
    const { step, run } = rig()
    await run({})
    expect(step.requests[0]?.headers).not.toHaveProperty('authorization')
  })

  it.each([
    [401, true],
    [429, false],
    [500, false],
  ])('fails with %i', async (status, permanent) => {
    await expect(rig({ status }).run({})).rejects.toMatchObject({ reason: String(status), permanent })
  })

  it('masks the key in what the other side says', async () => {
    const { run } = rig({ status: 401, body: 'bad key hush-hush==' })
    const error: unknown = await run({ key: 'hush-hush==' }).catch((thrown: unknown) => thrown)
    expect(String(error)).toContain('bad key ***')
  })

  it.each<[object, string]>([
    [{ url: 'http://x' }, 'must be an https address'],
    [{ url: 'https://{{ fd.rip }}/' }, 'url must be fixed text'],
    [{ url, key: '{{ proc.cmdline }}' }, 'key must be fixed text'],
    [{ url, audience: '{{ x }}' }, 'audience must be fixed text'],
    [{ url, key: 'a b' }, 'a key without spaces'],
  ])('refuses %j', (params, message) => {
    expect(() => azureFunction(params as never)).toThrow(message)
  })
})
