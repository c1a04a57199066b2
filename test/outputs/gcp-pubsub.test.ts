import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { gcpPubsub } from '../../outputs/gcp-pubsub.ts'
import type { YarakError } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport, testIo } from '../../src/testing.ts'
import { BIG, NEVER, rejection } from './_fake-aws.ts'
import { decoded, googleFault, googleRig, serviceAccount } from './_fake-google.ts'

interface Body {
  readonly messages: readonly { readonly data: string; readonly attributes: Record<string, string> }[]
}

const rig = (config: object = {}, answer?: Parameters<typeof googleRig>[2]) =>
  googleRig(gcpPubsub, { projectId: 'secops', topic: 'falco', ...config }, answer)

const bodies = (requests: readonly { readonly body: string }[]) => requests.map(({ body }) => JSON.parse(body) as Body)

describe('gcp.pubsub', () => {
  // https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/publish
  it('publishes events with their attributes', async () => {
    const { io, send, only } = await rig({ customAttributes: { cluster: 'prod', team: '' } })
    await send(aNotice({ event: anEvent({ output_fields: { 'evt.time': BIG } }) }), aNotice({ report: aReport() }))
    expect(only()).toMatchObject({
      method: 'POST',
      url: 'https://pubsub.googleapis.com/v1/projects/secops/topics/falco:publish',
    })
    const [{ messages } = expect.fail()] = bodies(io.requests)
    expect(messages.map(({ attributes }) => attributes)).toEqual(
      Array(2).fill({
        cluster: 'prod',
        team: '',
        googclient_traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      }),
    )
    expect(decoded(messages[0]?.data)).toContain(`"evt.time":${BIG}`)
    expect(JSON.parse(decoded(messages[1]?.data))).toMatchObject({ response: { outcome: 'succeeded' } })
    expect(io.spans.map(({ name }) => name)).toEqual(['POST /v1/projects/{project}/topics/{topic}:publish'])
  })

  it('has no attributes where nothing is set and nothing traced', async () => {
    const { io, send } = await rig()
    const { id, event } = aNotice()
    await send({ id, event })
    expect(bodies(io.requests)[0]?.messages[0]?.attributes).toEqual({})
  })

  it('takes the project of the credentials where none is set, and another address', async () => {
    const { send, only } = await googleRig(gcpPubsub, { topic: 'falco', endpoint: 'http://localhost:8085/' })
    await send(aNotice())
    expect(only().url).toBe('http://localhost:8085/v1/projects/the-project-of-the-credentials/topics/falco:publish')
  })

  it('makes its own token of a key that is set', async () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const key = serviceAccount(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
    const credentials = Buffer.from(JSON.stringify(key)).toString('base64')
    const io = testIo({
      answer: ({ url }) => (url.endsWith('/token') ? { body: { access_token: 'mine', expires_in: 3_600 } } : {}),
    })
    const sender = await gcpPubsub.open(gcpPubsub.config.parse({ topic: 'falco', credentials }), io)
    await sender.send([aNotice()], NEVER)
    expect(io.requests.map(({ url }) => url)).toEqual([
      'https://oauth2.googleapis.com/token',
      'https://pubsub.googleapis.com/v1/projects/secops/topics/falco:publish',
    ])
    expect(io.requests[1]?.headers.authorization).toBe('Bearer mine')
  })

  // https://cloud.google.com/pubsub/quotas: 1,000 messages and 10 MB in a request.
  it('keeps a request below 10 MB and 1,000 messages', async () => {
    const { io, send } = await rig()
    const large = aNotice({ event: anEvent({ output: 'x'.repeat(3_000_000) }) })
    await send(large, large, large)
    expect(bodies(io.requests).map(({ messages }) => messages.length)).toEqual([2, 1])
    const many = await rig()
    await many.send(...Array.from({ length: 1_001 }, () => aNotice()))
    expect(bodies(many.io.requests).map(({ messages }) => messages.length)).toEqual([1_000, 1])
  })

  it('cuts what is too large by itself', async () => {
    const { io, send, only } = await rig()
    await send(aNotice({ event: anEvent({ output: 'é'.repeat(6_000_000) }) }))
    expect(Buffer.byteLength(only().body)).toBeLessThan(10_000_000)
    expect(JSON.parse(decoded(bodies(io.requests)[0]?.messages[0]?.data))).toMatchObject({ truncated: true })
  })

  it.each([
    [429, 'RESOURCE_EXHAUSTED', false],
    [503, 'UNAVAILABLE', false],
    [500, 'INTERNAL', false],
    [403, 'PERMISSION_DENIED', true],
    [404, 'NOT_FOUND', true],
  ])('is refused with %s %s: permanent %s', async (code, status, permanent) => {
    const { io, send } = await rig({}, () => googleFault(code, status))
    expect(await rejection(send(aNotice(), aNotice()))).toMatchObject({ permanent, reason: String(code) })
    expect(io.requests).toHaveLength(1)
  })

  it('tries each alone when a batch is refused for what is in it', async () => {
    const { io, send } = await rig({}, ({ body }) => {
      const isBad = bodies([{ body }]).some(({ messages }) =>
        messages.some(({ data }) => decoded(data).includes('poison')),
      )
      return isBad ? googleFault(400, 'INVALID_ARGUMENT') : undefined
    })
    const error = await rejection(send(aNotice(), aNotice({ event: anEvent({ output: 'poison' }) }), aNotice()))
    expect((error as YarakError).failed).toMatchObject([{ index: 1, permanent: true }])
    expect(io.requests).toHaveLength(4)
  })

  it.each([
    [{ topic: 'a/b' }, 'name of a topic'],
    [{ topic: 'falco', projectId: 'A B' }, 'id of a project'],
    [{ topic: 'falco', customAttributes: { googclient: 'x' } }, 'not beginning with goog'],
    [{ topic: 'falco', customAttributes: { x: 'y'.repeat(1_025) } }, 'customAttributes.x'],
  ])('refuses %j', (config, message) => expect(() => gcpPubsub(config)).toThrow(message))
})
