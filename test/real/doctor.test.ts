/** `yarak doctor` as a process of its own, beside a real Kafka, API server, collector and gateway: ill, healed, ill again. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Finding } from '../../src/doctor/index.ts'
import { neededBy } from '../../src/permissions.ts'
import { launch, noneLeft } from '../cli/_kit.ts'
import { saidOf } from '../cli/_doctor.ts'
import { optionsOf } from '../doctor/_kit.ts'
import { alert } from '../kit.ts'
import { createKilled } from './_killed.ts'
import { jaeger } from './jaeger.ts'
import { alertNo, makeTopics, type Writer, writer } from './kafka/input.ts'
import { kafka, type RunningKafka } from './kafka.ts'
import { kubernetes, type RunningKubernetes } from './kubernetes.ts'
import { freePort, type Running, until } from './part.ts'
import { describeParts } from './vitest.ts'

const TOPIC = 'falco'
const NAMESPACE = 'yarak'

interface Examined {
  readonly code: number
  readonly err: string
  said(group: string, name?: string): string[]
  remedies(group: string): (string | undefined)[]
  /** All that keeps the exit code from being 0. */
  readonly failures: readonly Finding[]
}

noneLeft()

describeParts([kafka, kubernetes, jaeger], () => {
  let broker: RunningKafka
  let api: RunningKubernetes
  let collector: Running<{ otlpHttp: string }>
  let to: Writer | undefined
  let gateway: ReturnType<typeof createKilled> | undefined
  let folder = ''
  let port = 0
  const accounts = { poor: '', rich: '' }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'yarak-doctor-'))
    ;[broker, api, collector, port] = await Promise.all([
      kafka.start({ properties: { 'auto.create.topics.enable': 'false' } }),
      kubernetes.start({ crds: false }),
      jaeger.start(),
      freePort(),
    ])
    const { cluster } = api
    await cluster.namespace(NAMESPACE)
    await cluster.account(NAMESPACE, 'poor')
    const needs = neededBy(optionsOf({ mode: 'enforce', rules: RULES })).map(({ rule }) => rule)
    await cluster.clusterAccount(NAMESPACE, 'rich', needs)
    accounts.poor = await cluster.kubeconfigFor(NAMESPACE, 'poor')
    accounts.rich = await cluster.kubeconfigFor(NAMESPACE, 'rich')
  })
  afterAll(async () => {
    await gateway?.kill()
    await to?.close()
    await Promise.all([broker?.stop(), api?.stop(), collector?.stop()])
    rmSync(folder, { recursive: true, force: true })
  })

  const configure = (kubeconfig: string): string => {
    const path = join(folder, 'yarak.yaml')
    const config = {
      version: 1,
      mode: 'enforce',
      listen: `127.0.0.1:${port}`,
      dataDir: join(folder, 'data'),
      guards: { ownNamespace: NAMESPACE },
      inputs: { http: {}, kafka: { brokers: broker.addresses.brokers, topics: [TOPIC], from: 'earliest' } },
      outputs: { file: { path: join(folder, 'told.jsonl') } },
      resources: { kubernetes: { kubeconfig } },
      rules: RULES,
    }
    writeFileSync(path, JSON.stringify(config), { mode: 0o600 })
    return path
  }

  const examine = async (config: string, otlp: string): Promise<Examined> => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: otlp, OTEL_METRICS_EXPORTER: 'none' }
    const { code, out, err, signal } = await launch(['doctor', '--config', config, '--json'], { env }).ended
    expect(signal, err).toBeNull()
    const findings = JSON.parse(out) as Finding[]
    return {
      ...{ code, err, failures: findings.filter(({ status }) => status === 'fail') },
      said: (group, name) => saidOf(findings, group, name),
      remedies: (group) =>
        findings.filter((one) => one.group === group && one.status === 'fail').map(({ remedy }) => remedy),
    }
  }

  describe('yarak doctor', () => {
    it('finds the topic that is missing, the right that is missing, and the collector that does not answer', async () => {
      const nowhere = `http://127.0.0.1:${await freePort()}`
      const { code, err, said, remedies } = await examine(configure(accounts.poor), nowhere)
      expect([code, err]).toEqual([1, ''])
      expect(said('inputs', 'kafka')).toEqual([`fail: the brokers have no topic ${TOPIC}, or do not show it`])
      expect(remedies('inputs')).toEqual([expect.stringContaining(`kafka-topics.sh --create --topic ${TOPIC}`)])
      expect(said('cluster', 'API server')).toEqual([expect.stringMatching(/^ok: https:\/\/.* is v1\./)])
      expect(said('cluster', 'account')).toEqual([`ok: we are system:serviceaccount:${NAMESPACE}:poor there`])
      const rights = said('cluster', 'permissions')
      expect(rights).toContainEqual(
        expect.stringMatching(/^fail: the account may not .*patch.* pods\b.*, which kubernetes:label of rule "Mark"/),
      )
      expect(remedies('cluster')).toEqual(rights.map(() => 'yarak rbac | kubectl apply -f -'))
      expect(said('telemetry', 'traces')).toEqual([expect.stringMatching(/^fail: .*ECONNREFUSED/)])
      expect(said('gateway')).toEqual([expect.stringMatching(/^skip: no gateway answers/)])
      expect(said('listeners')).toEqual(['ok: it is free'])
    })

    it('finds nothing wrong once that is mended, and the last event of each input of the gateway that runs', async () => {
      await makeTopics(broker.addresses.brokers, { topic: TOPIC, numPartitions: 2 })
      to = await writer(broker.addresses.brokers)
      const config = configure(accounts.rich)
      gateway = createKilled(config)
      await gateway.start(port)
      const quiet = await examine(config, collector.addresses.otlpHttp)
      expect(quiet.said('gateway', 'input http')).toEqual(['skip: it has brought no event since the start'])

      await to.write(TOPIC, alertNo('one'))
      const posted = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: JSON.stringify(alert()) })
      expect(posted.ok).toBe(true)
      const { code, err, said, failures } = await until(
        'both inputs to have brought an event',
        async () => {
          const found = await examine(config, collector.addresses.otlpHttp)
          const brought = ['http', 'kafka'].every((id) => found.said('gateway', `input ${id}`)[0]?.startsWith('ok'))
          return brought ? found : undefined
        },
        60_000,
      )
      expect({ code, err, failures }).toEqual({ code: 0, err: '', failures: [] })
      for (const id of ['http', 'kafka'])
        expect(said('gateway', `input ${id}`)).toEqual([expect.stringMatching(/^ok: its last event came \d+ s ago$/)])
      expect(said('gateway', 'ready')).toEqual([expect.stringMatching(/^ok: .* is ready, in mode enforce/)])
      expect(said('gateway', 'dead letters')).toEqual(['ok: there are none'])
      expect(said('inputs', 'kafka')).toEqual([`ok: the brokers have ${TOPIC}`])
      expect(said('inputs', 'kafka group')).toEqual([expect.stringMatching(/^ok: /)])
      expect(said('cluster', 'permissions')).toEqual(['ok: the account may do all that rules and outputs need'])
      expect(said('telemetry', 'traces')).toEqual([`ok: ${collector.addresses.otlpHttp} takes them`])
      expect(said('listeners')).toEqual(['ok: the gateway listens there'])
      expect(said('journal', 'owner')).toEqual([expect.stringMatching(/^ok: the process \d+ has it open$/)])
      for (const one of said('clock')) expect(one).toMatch(/^ok: our clock agrees/)
      expect(said('clock', 'API server')).toHaveLength(1)
    })

    it('finds the broker, the API server and the collector that have gone, and ends by itself', async () => {
      await Promise.all([broker.kill(), api.stop(), collector.stop()])
      const config = configure(accounts.rich)
      const { code, said } = await until(
        'the gateway to notice',
        async () => {
          const found = await examine(config, collector.addresses.otlpHttp)
          return found.said('gateway', 'input kafka')[0]?.startsWith('fail') ? found : undefined
        },
        60_000,
      )
      expect(code).toBe(1)
      expect(said('inputs', 'kafka')).toEqual([expect.stringMatching(/^fail: /)])
      expect(said('cluster')).toEqual([expect.stringMatching(/^fail: /)])
      expect(said('telemetry', 'traces')).toEqual([expect.stringMatching(/^fail: /)])
      expect(said('gateway', 'ready')).toEqual([expect.stringMatching(/^fail: .* is not ready: .*kafka/)])
      expect(said('gateway', 'input http')).toEqual([expect.stringMatching(/^ok: its last event came/)])
    })
  })
})

const RULES = [
  {
    rule: 'Mark',
    match: { rules: ['No such rule'] },
    steps: [{ action: 'kubernetes:label', with: { labels: { suspicious: 'true' } } }],
  },
]
