/** What the outputs for Kafka and Alertmanager leave in the real ones, over an outage too; and a scrape by a real Prometheus. */
import { Kafka, logLevel } from 'kafkajs'
import { expect, onTestFinished, test } from 'vitest'
import { alertmanager } from '../../outputs/alertmanager.ts'
import { kafka } from '../../outputs/kafka.ts'
import { stdout } from '../../outputs/stdout.ts'
import { http } from '../../inputs/http.ts'
import { createGateway } from '../../src/index.ts'
import { SILENT } from '../../src/options.ts'
import { listen } from '../../src/serve.ts'
import { about, alert, probe } from '../kit.ts'
import { alertmanager as alertmanagerPart } from './alertmanager.ts'
import { kafka as kafkaPart } from './kafka.ts'
import { until } from './part.ts'
import { prometheus } from './prometheus.ts'
import { describePart, describeParts, running } from './vitest.ts'

describePart(kafkaPart, () => {
  /** The values of a topic, in the order of each partition. */
  const read = async (brokers: readonly string[], topic: string) => {
    const client = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
    const consumer = client.consumer({ groupId: `${topic}-reader` })
    const seen: { key: string; value: { output: string }; traceparent: string | undefined }[] = []
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      eachMessage: async ({ message: { key, value, headers } }) =>
        void seen.push({
          key: key?.toString() ?? '',
          value: JSON.parse(value?.toString() ?? '{}') as { output: string },
          traceparent: headers?.['traceparent']?.toString(),
        }),
    })
    onTestFinished(() => consumer.disconnect())
    return seen
  }

  test(
    'Kafka has every event, in order for each pod, when the broker was away in between',
    { timeout: 120_000 },
    async () => {
      const broker = await kafkaPart.start()
      onTestFinished(() => broker.stop())
      const { brokers } = broker.addresses
      const topic = 'falco-events'
      const admin = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING }).admin()
      await admin.connect()
      await admin.createTopics({ topics: [{ topic, numPartitions: 3 }], waitForLeaders: true })
      await admin.disconnect()
      const output = kafka({ brokers: [...brokers], topic })
      const gateway = createGateway({ outputs: [{ output, order: 'target' }] })
      const tell = (from: number) =>
        Promise.all(
          Array.from({ length: 40 }, (_, i) => gateway.emit(about(`web-${i % 4}`, { output: String(from + i) }))),
        )
      for (const { done } of await tell(0)) await done
      await broker.down()
      const during = await tell(40)
      await until('the outage', async () => gateway.health().outputs[0]?.lastError !== undefined || undefined)
      await broker.up()
      for (const { done } of during) await done
      await gateway.stop()
      const seen = await read(brokers, topic)
      await until('all events', async () => new Set(seen.map(({ value }) => value.output)).size === 80 || undefined)
      for (let pod = 0; pod < 4; pod++) {
        const order = [
          ...new Set(seen.filter(({ key }) => key.endsWith(`/web-${pod}`)).map(({ value }) => Number(value.output))),
        ]
        expect(order).toEqual(order.toSorted((one, other) => one - other))
      }
    },
  )
})

describePart(alertmanagerPart, () => {
  const at = running(alertmanagerPart)

  test('Alertmanager has the alert of an event and that of the response, and lets them end', async () => {
    const gateway = createGateway({
      mode: 'enforce',
      outputs: [{ output: alertmanager({ hostPort: at().url, expiresAfter: '1h' }), tell: 'both' }],
      rules: [{ name: 'Answer', steps: [probe(() => 'did it')({})] }],
    })
    await (
      await gateway.emit(alert({ time: new Date().toISOString() }))
    ).done
    await gateway.stop()
    const alerts = (await (await fetch(`${at().url}/api/v2/alerts`)).json()) as {
      labels: Record<string, string>
      endsAt: string
    }[]
    const labels = alerts
      .map((one) => one.labels)
      .toSorted((one, other) => (one['source'] ?? '').localeCompare(other['source'] ?? ''))
    expect(labels).toMatchObject([
      { source: 'falco', alertname: alert().rule },
      { source: 'yarak', alertname: 'Answer', outcome: 'succeeded' },
    ])
    for (const { endsAt } of alerts) expect(Date.parse(endsAt)).toBeGreaterThan(Date.now())
  })
})

describeParts([prometheus], () => {
  test(
    "Prometheus scrapes Yarak's own counters, and those of the peers when it is asked to",
    { timeout: 60_000 },
    async () => {
      const gateway = createGateway({
        inputs: [http({})],
        outputs: [stdout({ format: 'json' })].map((output) => ({ output, tell: 'none' as const })),
        rules: [{ name: 'Answer', steps: [] }],
        metrics: { compat: true },
      })
      const listeners = listen(gateway, [{ host: '127.0.0.1', port: 0 }], SILENT)
      const url = (await listeners.ready[0]) ?? ''
      const metrics = await prometheus.start({ targets: [new URL(url).host] })
      onTestFinished(async () => {
        await metrics.stop()
        await listeners.close(0)
        await gateway.stop()
      })
      await (
        await gateway.emit(alert())
      ).done
      const value = async (query: string): Promise<string | undefined> => {
        const answer = await fetch(`${metrics.addresses.url}/api/v1/query?query=${encodeURIComponent(query)}`)
        const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } }
        return data.result[0]?.value[1]
      }
      for (const query of [
        'yarak_events_settled_total{input="host"}',
        'falcosecurity_falcosidekick_inputs_total{status="accepted"}',
        'falcosecurity_falco_talon_matches_total',
      ])
        expect(await until(query, () => value(query))).toBe('1')
    },
  )
})
