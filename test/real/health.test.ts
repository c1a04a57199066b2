/** `/readyz` of the real program while an output, the cluster, the disk and Kafka fail, and when each is back. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Health } from '../../src/health.ts'
import { alert } from '../kit.ts'
import { createKilled } from './_killed.ts'
import { alertNo, makeTopics, type Writer, writer } from './kafka/input.ts'
import { kafka, type RunningKafka } from './kafka.ts'
import { kubernetes, type RunningKubernetes } from './kubernetes.ts'
import { freePort, until } from './part.ts'
import { type Proxy, proxyTo } from './proxy.ts'
import { describeParts } from './vitest.ts'

const namespace = 'shop'
const TOPIC = 'falco'

const canMount = process.getuid?.() === 0

describeParts([kafka, kubernetes], () => {
  let broker: RunningKafka
  let to: Writer
  let api: RunningKubernetes
  let proxy: Proxy
  let hook: Hook
  let folder = ''
  let port = 0
  let gateway: ReturnType<typeof createKilled>

  const dataDir = () => join(folder, 'data')

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'yarak-health-'))
    mkdirSync(dataDir())
    if (canMount) spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', dataDir()])
    ;[broker, api, hook, port] = await Promise.all([
      kafka.start(),
      kubernetes.start({ crds: false }),
      webhook(),
      freePort(),
    ])
    proxy = await proxyTo(Number(new URL(api.addresses.server).port))
    to = await writer(broker.addresses.brokers)
    await makeTopics(broker.addresses.brokers, { topic: TOPIC, numPartitions: 1 })
    await api.cluster.namespace(namespace)
    await api.cluster.pod('web-1', { namespace })
    gateway = createKilled(configure())
    await gateway.start(port)
  })
  afterAll(async () => {
    await gateway?.kill()
    await to?.close()
    hook?.down()
    await proxy?.stop()
    await Promise.all([broker?.stop(), api?.stop()])
    if (canMount) spawnSync('umount', ['-l', dataDir()])
    rmSync(folder, { recursive: true, force: true })
  })

  const configure = (): string => {
    const kubeconfig = join(folder, 'kubeconfig')
    const path = join(folder, 'yarak.yaml')
    const config = {
      version: 1,
      mode: 'enforce',
      listen: `127.0.0.1:${port}`,
      dataDir: dataDir(),
      inputs: {
        http: {},
        kafka: { brokers: broker.addresses.brokers, topics: [TOPIC], from: 'earliest', sessionTimeout: '3s' },
      },
      outputs: { 'webhook/team': { address: hook.url } },
      resources: { kubernetes: { kubeconfig, timeout: '5s' } },
      rules: [
        {
          rule: 'Mark',
          match: { rules: ['Terminal shell in container'] },
          join: '0s',
          steps: [{ action: 'kubernetes:label', with: { labels: { suspicious: 'true' } }, retries: 0 }],
        },
      ],
    }
    writeFileSync(
      kubeconfig,
      readFileSync(api.addresses.kubeconfig, 'utf8').replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${proxy.port}`),
    )
    writeFileSync(path, JSON.stringify(config))
    return path
  }

  const at = (path: string) => `http://127.0.0.1:${port}${path}`
  const post = async (body: object): Promise<number> =>
    (await fetch(at('/'), { method: 'POST', body: JSON.stringify(body) })).status
  const ready = async (): Promise<Health & { readonly code: number }> => {
    const answer = await fetch(at('/readyz'))
    return { code: answer.status, ...((await answer.json()) as Health) }
  }
  const text = async (): Promise<string> => (await fetch(at('/readyz?verbose'))).text()
  /** Waits until health is so; what the process said goes with a failure. */
  const becomes = async (wanted: object, timeout = 45_000): Promise<Health> => {
    try {
      await expect.poll(ready, { timeout, interval: 200 }).toMatchObject(wanted)
      return await ready()
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${JSON.stringify(await ready(), null, 1)}\n${gateway.tail()}`, {
        cause: error,
      })
    }
  }
  const ok = { code: 200, ready: true, status: 'ok', reasons: [] }
  const degraded = (...reasons: object[]) => ({ code: 200, ready: true, status: 'degraded', reasons })
  const failing = (...reasons: object[]) => ({ code: 503, ready: false, status: 'failing', reasons })

  describe('/readyz', () => {
    it('is ok while everything works', async () => {
      await to.write(TOPIC, alertNo('hello'))
      expect(await post(alert())).toBeLessThan(300)
      await until('both alerts', async () => hook.told.size >= 2 || undefined)
      const health = await becomes({ ...ok, resources: [{ id: 'kubernetes', state: 'ok' }] })
      expect(health.inputs).toMatchObject([
        { id: 'http', state: 'serving', lastEvent: expect.any(String) },
        { id: 'kafka', state: 'running', lastEvent: expect.any(String) },
      ])
      expect(health).toMatchObject({ journal: { mode: 'durable' }, generation: 1, configuration: { rules: 1 } })
      const lines = (await text()).split('\n')
      for (const part of [
        `listener 127.0.0.1:${port}`,
        'input kafka',
        'journal',
        'output webhook/team',
        'cluster kubernetes',
      ])
        expect(lines).toContain(`[+]${part} ok`)
      expect(lines.slice(-2)).toEqual(['readyz check passed', ''])
    })

    it('is degraded while the output and the cluster are down, and ok when they are back', async () => {
      hook.down()
      await proxy.stop()
      const before = new Date().toISOString()
      expect(await post(alert())).toBeLessThan(300)
      const output = { part: 'output', id: 'webhook/team', severity: 'degrades', message: /ECONNREFUSED/ }
      const cluster = { part: 'cluster', id: 'kubernetes', severity: 'degrades', message: /does not answer/ }
      const told = ({ message, ...rest }: typeof output) => ({
        ...rest,
        message: expect.stringMatching(message) as string,
      })
      const { reasons } = await becomes(degraded(told(output), told(cluster)))
      for (const { since } of reasons) expect(since >= before).toBe(true)
      expect(await text()).toMatch(/^\[-\]cluster kubernetes failing: .*does not answer/m)
      expect(await text()).toMatch(/\nreadyz check passed, degraded\n$/)
      await hook.up()
      proxy = await proxyTo(Number(new URL(api.addresses.server).port), proxy.port)
      await becomes(ok)
    })

    it('is failing while the disk is full and while Kafka is away, and ok when both are back', async (context) => {
      const filler = join(dataDir(), 'filler')
      const journal = { part: 'journal', id: 'journal', severity: 'fails', message: /in memory only: .*(full|I\/O)/ }
      const input = { part: 'input', id: 'kafka', severity: 'fails', message: /does not answer|ECONNREFUSED|connect/i }
      const told = ({ message, ...rest }: typeof journal) => ({
        ...rest,
        message: expect.stringMatching(message) as string,
      })
      if (canMount) {
        fill(filler)
        await until('the journal to fail', async () => {
          await post({ ...alertNo('big'), output: 'x'.repeat(50_000) })
          return (await ready()).journal.mode === 'degraded' || undefined
        })
        await becomes(failing(told(journal)))
        expect(await text()).toMatch(/^\[-\]journal failing: [^]*\nreadyz check failed\n$/m)
        rmSync(filler)
      }
      await broker.kill()
      const down = await becomes(canMount ? failing(told(input), told(journal)) : failing(told(input)))
      const since = down.reasons[0]?.since
      for (const path of ['/livez', '/healthz', '/ping']) expect((await fetch(at(path))).status).toBe(200)
      await broker.up()
      await to.write(TOPIC, alertNo('again'))
      await until('the alert', async () => hook.told.has('no again') || undefined, 60_000)
      await expect.poll(async () => (await ready()).inputs[1]).toMatchObject({ id: 'kafka', state: 'running' })
      expect((await ready()).inputs[1]?.since).not.toBe(since)
      await becomes(ok, 90_000)
      expect((await ready()).journal.mode).toBe('durable')
      if (!canMount) context.skip()
    })
  })
})

/** Takes all room that is left, and a little more. */
const fill = (path: string): void => {
  const { status } = spawnSync('dd', ['if=/dev/zero', `of=${path}`, 'bs=4096'])
  expect(status).not.toBe(0)
}

interface Hook {
  readonly url: string
  /** The texts of the alerts that it was told of. */
  readonly told: ReadonlySet<string>
  down(): void
  up(): Promise<void>
}

/** A server that can go away, and come back on the same port. */
const webhook = async (): Promise<Hook> => {
  const told = new Set<string>()
  const open = (at: number) => {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        told.add((JSON.parse(Buffer.concat(chunks).toString()) as { output: string }).output)
        response.end()
      })
    })
    return new Promise<Server>((done) => server.listen(at, '127.0.0.1', () => done(server)))
  }
  let server = await open(0)
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    told,
    down() {
      server.close()
      server.closeAllConnections()
    },
    async up() {
      server = await open(port)
    },
  }
}
