import { describe, expect, it } from 'vitest'
import { cloudRun } from '../../../src/actions/gcp/cloud-run.ts'
import { actionCases, type Answers, testStep } from '../../../src/testing.ts'

const url = 'https://quarantine-abcdef-ew.a.run.app/falco?x=1'
const google = { identity: async (audience: string) => `Bearer for ${audience}` }

const rig = (answer: Answers = { body: 'done' }) => {
  const step = testStep({ answer, resources: { google } })
  return { step, run: async (params: object) => cloudRun.run(cloudRun.config.parse({ url, ...params }), step) }
}

describe('gcp:cloud-run', () => {
  for (const { name, run } of actionCases(cloudRun)) it(name, run)

  it('posts the event with an identity token for the service', async () => {
    const { step, run } = rig()
    expect(await run({})).toEqual({
      summary: 'https://quarantine-abcdef-ew.a.run.app answered 200',
      objects: { status: '200' },
      output: 'done',
    })
    const [request] = step.requests
    expect(request).toMatchObject({
      method: 'POST',
      url,
      headers: { authorization: 'Bearer for https://quarantine-abcdef-ew.a.run.app' },
    })
    expect(JSON.parse(request?.body ?? '')).toMatchObject({ context: { 'falco-talon.actionner': 'gcp:cloud-run' } })
  })

  it('shows another audience the token, and sends what it is told to', async () => {
    const { step, run } = rig({ status: 204 })
    expect(await run({ audience: 'https://secops.example.com', payload: { a: 1 } })).not.toHaveProperty('output')
    expect(step.requests[0]?.headers.authorization).toBe('Bearer for https://secops.example.com')
    expect(step.requests[0]?.body).toBe('{"a":1}')
  })

  it.each([
    [403, true],
    [429, false],
    [503, false],
  ])('fails with %i', async (status, permanent) => {
    await expect(rig({ status }).run({})).rejects.toMatchObject({ reason: String(status), permanent })
  })

  it.each([
    ['http://x.run.app', 'must be an https address'],
    ['https://user:hush@x.run.app', 'must be an https address'],
    ['https://x.run.app/{{ rule }}', 'url must be fixed text'],
  ])('does not call %s', (address, message) => {
    expect(() => cloudRun({ url: address })).toThrow(message)
  })
})
