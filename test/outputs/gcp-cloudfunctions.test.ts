import { describe, expect, it } from 'vitest'
import { gcpCloudfunctions } from '../../outputs/gcp-cloudfunctions.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { BIG, rejection } from './_fake-aws.ts'
import { googleFault, googleRig } from './_fake-google.ts'

const NAME = 'projects/secops/locations/europe-west1/functions/on-alert'

const rig = (config: object = {}, answer?: Parameters<typeof googleRig>[2]) =>
  googleRig(gcpCloudfunctions, { name: NAME, ...config }, answer)

const dataIn = (body: string): string => (JSON.parse(body) as { data: string }).data

describe('gcp.cloudfunctions', () => {
  // https://cloud.google.com/functions/docs/reference/rest/v1/projects.locations.functions/call
  it('calls the function with the text of the event', async () => {
    const { io, send, only } = await rig()
    await send(aNotice({ event: anEvent({ output_fields: { 'evt.time': BIG } }) }))
    const { method, url, body } = only()
    expect([method, url]).toEqual(['POST', `https://cloudfunctions.googleapis.com/v1/${NAME}:call`])
    expect(dataIn(body)).toContain(`"evt.time":${BIG}`)
    expect(io.spans.map(({ name }) => name)).toEqual(['POST /v1/{name}:call'])
  })

  it('tells of a response, at another address', async () => {
    const { send, only } = await rig({ endpoint: 'http://fake:1/' })
    await send(aNotice({ report: aReport() }))
    expect(only().url).toBe(`http://fake:1/v1/${NAME}:call`)
    expect(JSON.parse(dataIn(only().body))).toMatchObject({ response: { id: '7d0f4a2c9b1e' } })
  })

  it('is delivered when the function answered', async () => {
    const { send } = await rig({}, () => ({ body: { executionId: 'abc', result: 'the "error" is mine' } }))
    await expect(send(aNotice())).resolves.toBeUndefined()
  })

  it('does not try again what the function failed on', async () => {
    const { send } = await rig({}, () => ({ body: { executionId: 'abc', error: 'TypeError: x' } }))
    expect(await rejection(send(aNotice()))).toMatchObject({
      permanent: true,
      reason: 'function-error',
      message: `function ${NAME} failed: TypeError: x`,
    })
  })

  // https://cloud.google.com/functions/quotas: API calls (CALL), 16 per 100 seconds.
  it('keeps to the rate of the call API', () => expect(gcpCloudfunctions.rate).toEqual({ count: 16, per: 100_000 }))

  it.each([
    [429, 'RESOURCE_EXHAUSTED', false],
    [503, 'UNAVAILABLE', false],
    [403, 'PERMISSION_DENIED', true],
    [404, 'NOT_FOUND', true],
  ])('is refused with %s %s: permanent %s', async (code, status, permanent) => {
    const { send } = await rig({}, () => googleFault(code, status))
    expect(await rejection(send(aNotice()))).toMatchObject({ permanent, reason: String(code) })
  })

  it('cuts what is over 10 MB with its escapes', async () => {
    const { send, only } = await rig()
    await send(aNotice({ event: anEvent({ output: '"'.repeat(2_600_000) }) }))
    expect(only().body.length).toBeLessThan(10_000_000)
    expect(JSON.parse(dataIn(only().body))).toMatchObject({ truncated: true })
  })

  it.each(['on-alert', 'projects/a/locations/b/functions/c/d', 'projects/../locations/b/functions/c?x'])(
    'refuses the name %s',
    (name) =>
      expect(() => gcpCloudfunctions({ name })).toThrow('projects/<project>/locations/<region>/functions/<name>'),
  )
})
