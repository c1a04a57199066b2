import { describe, expect, it } from 'vitest'
import { publish } from '../../../src/actions/kafka/publish.ts'
import { YarakError } from '../../../src/plugin.ts'
import { createKafkaResource, kafka } from '../../../src/resources/kafka-producer.ts'
import { actionCases, anEvent, testIo, testStep } from '../../../src/testing.ts'
import { createFakeKafka } from '../../inputs/_fake-driver.ts'

type Params = Parameters<typeof publish.config.parse>[0]

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

const rig = async (more: object = {}) => {
  const fake = createFakeKafka({ out: 1 })
  const resource = createKafkaResource(fake.driver)
  const producer = await resource.open(resource.config.parse({ brokers: ['broker:9092'] }), testIo())
  const step = testStep({ resources: { kafka: producer }, headers: { traceparent, tracestate: 'v=1' }, ...more })
  const run = async (params: Params) => publish.run(publish.config.parse(params), step)
  return { fake, resource, producer, step, run, record: () => fake.sent[0]?.records[0] }
}

describe('kafka:publish', () => {
  for (const { name, run } of actionCases(publish)) it(name, run)

  it('writes the event with the response, by the target of the event, in its trace', async () => {
    const event = anEvent({
      output_fields: { 'k8s.ns.name': 'shop', 'k8s.pod.name': 'web-1', n: 12345678901234567890n },
    })
    const { fake, step, run, record } = await rig({ event })
    expect(await run({ topic: 'out' })).toEqual({
      summary: 'wrote a record to out',
      objects: { topic: 'out', key: 'pod/shop/web-1' },
    })
    expect(fake.sent[0]).toMatchObject({ topic: 'out', options: { acks: 'all', compression: 'none' } })
    expect(record()).toMatchObject({ key: 'pod/shop/web-1', headers: { traceparent, tracestate: 'v=1' } })
    expect(record()?.value).toContain('12345678901234567890')
    expect(JSON.parse(String(record()?.value))).toMatchObject({
      uuid: event.id,
      rule: 'Terminal shell in container',
      response: { id: '7d0f4a2c9b1e', rule: 'Shell in a container', step: 'step' },
    })
    expect(step.spans).toEqual([
      {
        name: 'send out',
        kind: 'producer',
        attributes: {
          'messaging.system': 'kafka',
          'messaging.operation.type': 'send',
          'messaging.operation.name': 'send',
          'messaging.destination.name': 'out',
        },
      },
    ])
  })

  it('writes what it is told to: a map as JSON, a text as it is', async () => {
    const { fake, run } = await rig()
    await run({ topic: 'out', key: 'k', value: { ip: '10.0.0.1' }, headers: { kind: 'block' } })
    await run({ topic: 'out', value: 'a\n$(b)', acks: 'leader', compression: 'gzip' })
    expect(fake.sent.map(({ records }) => records[0])).toMatchObject([
      { key: 'k', value: '{"ip":"10.0.0.1"}', headers: { kind: 'block', traceparent } },
      { key: 'pod/default/web-1', value: 'a\n$(b)' },
    ])
    expect(fake.sent[1]?.options).toEqual({ acks: 'leader', compression: 'gzip' })
  })

  it('has no key for an event about nothing known', async () => {
    const { run, record } = await rig({ event: anEvent({ output_fields: {}, hostname: null }) })
    expect((await run({ topic: 'out' })).objects).toEqual({ topic: 'out' })
    expect(record()?.key).toBeNull()
  })

  it('lets no header of its own stand in for the trace', async () => {
    const { run, record } = await rig()
    await run({ topic: 'out', headers: { traceparent: 'forged' } })
    expect(record()?.headers.traceparent).toBe(traceparent)
  })

  it('fails as the brokers say', async () => {
    const { fake, run } = await rig()
    fake.onSend = () => {
      throw new YarakError('failed', 'too large', { permanent: true, reason: 'too-large' })
    }
    await expect(run({ topic: 'out' })).rejects.toMatchObject({ reason: 'too-large', permanent: true })
    fake.down = true
    fake.onSend = undefined
    await expect(run({ topic: 'out' })).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('has one producer for all, closed with the resource', async () => {
    const { fake, resource, producer, run } = await rig()
    await run({ topic: 'out' })
    await run({ topic: 'out' })
    expect(fake.connections).toHaveLength(1)
    await resource.close?.(producer)
    expect(fake.closed).toBe(1)
  })

  it.each<[unknown, string]>([
    [{}, 'topic is required'],
    [{ topic: 'a b' }, 'must be a topic name'],
    [{ topic: '{{ proc.name }}' }, 'topic must be fixed text'],
    [{ topic: 'out', acks: 'some' }, 'acks must be one of'],
  ])('refuses %j', (params, message) => {
    expect(() => publish(params as never)).toThrow(message)
  })

  it('says what the resource needs', () => {
    expect(() => kafka({} as never)).toThrow('brokers is required')
    expect(kafka({ brokers: ['b:9092'] }).id).toBe('kafka')
  })
})
