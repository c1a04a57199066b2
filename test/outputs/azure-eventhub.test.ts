import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { azureEventhub } from '../../outputs/azure-eventhub.ts'
import type { Notice, YarakError } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport, type Answers, testIo } from '../../src/testing.ts'
import { BIG, NEVER, rejection } from './_fake-aws.ts'

const KEY = 'ZmFsY28tZXZlbnRzLXNoYXJlZC1hY2Nlc3Mta2V5'
const config = { namespace: 'secops.servicebus.windows.net', name: 'falco' }
const policy = { sharedAccessKeyName: 'send only', sharedAccessKey: KEY }

interface Message {
  readonly Body: string
  readonly UserProperties?: Record<string, string>
}

const rig = async (more: object = policy, answer: Answers = { status: 201 }) => {
  const audiences: string[] = []
  const azure = { authorization: async (audience: string) => (audiences.push(audience), 'Bearer entra') }
  const io = testIo({ answer, resources: { azure } })
  const sender = await azureEventhub.open(azureEventhub.config.parse({ ...config, ...more }), io)
  const only = () => io.requests[0] ?? expect.fail('nothing was sent')
  return { io, audiences, only, send: (...notices: Notice[]) => sender.send(notices, NEVER) }
}

const messagesIn = (body: string) => JSON.parse(body) as Message[]

describe('azure.eventhub', () => {
  // https://learn.microsoft.com/en-us/rest/api/eventhub/send-batch-events
  it('sends events as a batch, each once', async () => {
    const { io, send, only } = await rig()
    await send(aNotice({ event: anEvent({ output_fields: { 'evt.time': BIG } }) }), aNotice({ report: aReport() }))
    const { method, url, headers, body } = only()
    expect([method, url]).toEqual([
      'POST',
      'https://secops.servicebus.windows.net/falco/messages?timeout=60&api-version=2014-01',
    ])
    expect(headers['content-type']).toBe('application/vnd.microsoft.servicebus.json')
    const [event, report] = messagesIn(body)
    expect(event?.Body).toContain(`"evt.time":${BIG}`)
    expect(event?.UserProperties).toEqual({ traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' })
    expect(JSON.parse(report?.Body ?? '')).toMatchObject({ response: { outcome: 'succeeded' } })
    expect(io.requests).toHaveLength(1)
    expect(io.spans.map(({ name }) => name)).toEqual(['POST /{name}/messages'])
  })

  // https://learn.microsoft.com/en-us/rest/api/eventhub/generate-sas-token
  it('signs with the shared access key', async () => {
    const { send, only } = await rig()
    await send(aNotice())
    const [scheme, token = ''] = (only().headers.authorization ?? '').split(' ')
    const { sr, sig, se, skn } = Object.fromEntries(new URLSearchParams(token))
    expect([scheme, sr, skn]).toEqual([
      'SharedAccessSignature',
      'https://secops.servicebus.windows.net/falco',
      'send only',
    ])
    expect(Number(se)).toBeGreaterThan(Date.now() / 1_000)
    const signed = `${encodeURIComponent(sr ?? '')}\n${se}`
    expect(sig).toBe(createHmac('sha256', KEY).update(signed).digest('base64'))
  })

  it('is the identity of the resource without a key', async () => {
    const { audiences, send, only } = await rig({})
    await send(aNotice())
    expect(only().headers.authorization).toBe('Bearer entra')
    expect(audiences).toEqual(['https://eventhubs.azure.net'])
  })

  it.each([
    ['secops', 'secops.servicebus.windows.net'],
    ['Secops.servicebus.usgovcloudapi.net', 'secops.servicebus.usgovcloudapi.net'],
  ])('finds the host of the namespace %s', async (namespace, host) => {
    const { send, only } = await rig({ namespace })
    await send(aNotice())
    expect(new URL(only().url).host).toBe(host)
  })

  it('has no properties where nothing is traced', async () => {
    const { send, only } = await rig()
    const { id, event } = aNotice()
    await send({ id, event })
    expect(Object.keys(messagesIn(only().body)[0] ?? {})).toEqual(['Body'])
  })

  // https://learn.microsoft.com/en-us/azure/event-hubs/event-hubs-quotas: 1 MB in a publication from Standard on.
  it('keeps a request below 1 MB', async () => {
    const { io, send } = await rig()
    await send(...Array.from({ length: 5 }, () => aNotice({ event: anEvent({ output: 'x'.repeat(300_000) }) })))
    expect(io.requests.map(({ body }) => messagesIn(body).length)).toEqual([3, 2])
    expect(Math.max(...io.requests.map(({ body }) => body.length))).toBeLessThan(1_000_000)
  })

  it.each([
    ['plain', 'x'],
    ['quotes', '"'],
    ['controls', '\u0001'],
    ['owls', '🦉'],
  ])('cuts what is too large by itself: %s', async (_name, one) => {
    const { send, only } = await rig()
    await send(aNotice({ event: anEvent({ output: one.repeat(1_200_000) }) }))
    expect(Buffer.byteLength(only().body)).toBeLessThan(1_048_576)
    expect(JSON.parse(messagesIn(only().body)[0]?.Body ?? '')).toMatchObject({ truncated: true })
  })

  it('leaves alone what fits, also with many quotes', async () => {
    const { send, only } = await rig()
    const output = '"'.repeat(200_000)
    await send(aNotice({ event: anEvent({ output }) }))
    expect(JSON.parse(messagesIn(only().body)[0]?.Body ?? '')).toMatchObject({ output })
  })

  it('tries each alone when a batch is refused for what is in it', async () => {
    const { io, send } = await rig(policy, ({ body }) => ({ status: body.includes('poison') ? 400 : 201 }))
    const error = await rejection(send(aNotice(), aNotice({ event: anEvent({ output: 'poison' }) }), aNotice()))
    expect((error as YarakError).failed).toMatchObject([{ index: 1, permanent: true }])
    expect(io.requests).toHaveLength(4)
  })

  it.each([
    [503, false],
    [429, false],
    [401, true],
    [404, true],
  ])('is refused with %s: permanent %s', async (status, permanent) => {
    const { send } = await rig(policy, { status, body: '<Error><Code>1</Code></Error>' })
    expect(await rejection(send(aNotice()))).toMatchObject({ permanent, reason: String(status) })
  })

  it('needs both halves of a policy, and plain names', () => {
    expect(() => azureEventhub({ ...config, sharedAccessKey: KEY })).toThrow('sharedAccessKeyName and sharedAccessKey')
    expect(() => azureEventhub({ ...config, namespace: 'a.b/c' })).toThrow('host of a namespace')
    expect(() => azureEventhub({ ...config, name: '../x' })).toThrow('name of an event hub')
  })
})
