/** A gateway that takes events by HTTP and relays them to Kafka, and one that reads them there. */
import { afterEach, describe, expect, it } from 'vitest'
import { http } from '../inputs/http.ts'
import { createKafkaInput } from '../inputs/kafka.ts'
import { createKafkaOutput } from '../outputs/kafka.ts'
import { createGateway, type Gateway, type Notice } from '../src/index.ts'
import { toJson } from '../src/plugin.ts'
import { createFakeKafka } from './inputs/_fake-driver.ts'
import { recordSpans } from './spans.ts'

const spans = recordSpans()
const gateways: Gateway[] = []
afterEach(async () => {
  await Promise.all(gateways.splice(0).map((gateway) => gateway.stop({ deadline: 100 })))
})

const BODY = `{"uuid":"6f1d0c1e-8a51-4a53-9d5e-0b8d6c6c9b11","output":"a shell \\u00fc","priority":"Notice","rule":"Terminal shell in container",
  "time":"2026-11-23T08:00:00.123456789Z","source":"syscall","hostname":"node-1","tags":["container","mitre_execution"],
  "output_fields":{"evt.time":1763884800123456789,"proc.pid":9007199254740993,"proc.name":"bash","k8s.ns.name":"shop",
  "k8s.pod.name":"web-1","fd.list":[1,"two",null],"ratio":0.1},"custom":{"nested":[true,12345678901234567890]}}`

const rig = async (trust = false) => {
  const fake = createFakeKafka({ alerts: 1 })
  const connection = { brokers: ['broker:9092'] }
  const relay = createGateway({
    inputs: [http({ trust: true })],
    outputs: [createKafkaOutput(fake.driver)({ ...connection, topic: 'alerts', key: 'target' })],
  })
  const reader = createGateway({
    inputs: [
      createKafkaInput(fake.driver)({ ...connection, topics: ['alerts'], groupId: 'g', from: 'earliest', trust }),
    ],
  })
  gateways.push(relay, reader)
  const notices: Notice[] = []
  const reading = reader.events()
  void (async () => {
    for await (const notice of reading) notices.push(notice)
  })()
  await relay.start()
  const post = (body: string, headers: Record<string, string> = {}) =>
    relay.app.request('/', { method: 'POST', body, headers })
  /** What was written, read by the other gateway. */
  const pass = async () => {
    await expect.poll(() => fake.sent.length).toBeGreaterThan(0)
    for (const { records } of fake.sent.splice(0))
      for (const { key, value, headers } of records)
        fake.append('alerts', value, { ...(key != null && { key }), headers })
    await reader.start()
    await expect.poll(() => notices.length).toBeGreaterThan(0)
    return notices[0]?.event
  }
  return { post, pass, fake }
}

describe('an event that is relayed by Kafka', () => {
  it('is the same to the gateway that reads it: every member and field, every digit', async () => {
    const { post, pass } = await rig()
    expect((await post(BODY)).status).toBeLessThan(300)
    const event = await pass()
    const text = toJson(event?.toJSON())
    expect(JSON.parse(text)).toEqual(JSON.parse(BODY))
    for (const digits of [
      '1763884800123456789',
      '9007199254740993',
      '12345678901234567890',
      '2026-11-23T08:00:00.123456789Z',
    ])
      expect(text).toContain(digits)
    expect(event).toMatchObject({ uuid: '6f1d0c1e-8a51-4a53-9d5e-0b8d6c6c9b11', input: 'kafka' })
  })

  it('has the id that it got first as its uuid, when its sender gave none', async () => {
    const { post, pass } = await rig()
    await post(BODY.replace(/"uuid":"[^"]*",/, ''))
    expect((await pass())?.uuid).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('is as trusted as what the topic is, not as its sender was', async () => {
    for (const [trust, how] of [
      [false, undefined],
      [true, 'trust'],
    ] as const) {
      const { post, pass } = await rig(trust)
      await post(BODY)
      expect((await pass())?.authenticated).toBe(how)
    }
  })

  it('goes on in the trace of its sender', async () => {
    const { post, pass } = await rig()
    const trace = 'af7651916cd43dd8448eb211c80319c0'
    await post(BODY, { traceparent: `00-${trace}-b7ad6b7169203331-01` })
    await pass()
    const read = spans.all().find(({ name }) => name === 'process alerts')
    expect(read?.traceId).toBe(trace)
  })

  it('has its target as its key; one about nothing known has none, and no order', async () => {
    const { post, fake } = await rig()
    await post(BODY)
    await post(BODY.replace(/"k8s.ns.name":"shop",\s*"k8s.pod.name":"web-1",/, '').replace('"hostname":"node-1",', ''))
    const keys = () => fake.sent.flatMap(({ records }) => records.map(({ key }) => key))
    await expect.poll(keys).toEqual(['pod/shop/web-1', null])
  })
})
