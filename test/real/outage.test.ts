/**
 * An output that is down for a minute under 500 events a second, with the gateway killed in the middle: all of it arrives,
 * in order for each pod, and the other outputs do not notice.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Pool } from 'undici'
import { createKilled } from './_killed.ts'
import { freePort } from './part.ts'

const RATE = 500
const PODS = 20
const OUTAGE = 60_000

interface Alert {
  readonly output: string
  readonly output_fields: { readonly 'k8s.pod.name': string }
}

/** A server that can go away, and come back on the same port; it keeps what it got first of each. */
const sink = async () => {
  const got: { readonly n: number; readonly pod: string }[] = []
  const seen = new Set<number>()
  const open = (port: number) => {
    const server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('error', () => {})
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const { output, output_fields: fields } = JSON.parse(Buffer.concat(chunks).toString()) as Alert
        const n = Number(output)
        if (!seen.has(n)) got.push({ n, pod: fields['k8s.pod.name'] })
        seen.add(n)
        response.end()
      })
    })
    return new Promise<typeof server>((ready) => server.listen(port, '127.0.0.1', () => ready(server)))
  }
  let server = await open(0)
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    got,
    seen,
    down() {
      server.close()
      server.closeAllConnections()
    },
    async up() {
      server = await open(port)
    },
  }
}

/** Sends in order, each again until it is accepted. */
const createSender = (port: number) => {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 4 })
  let sent = 0
  let stopped = false
  const post = async (n: number): Promise<void> => {
    const body = JSON.stringify({
      ...{ rule: 'Shell', priority: 'Notice', time: '2026-11-23T08:00:00Z', output: String(n) },
      output_fields: { 'k8s.ns.name': 'shop', 'k8s.pod.name': `web-${n % PODS}` },
    })
    while (!stopped) {
      const answer = await pool.request({ path: '/', method: 'POST', body }).catch(() => undefined)
      await answer?.body.dump()
      if (answer && answer.statusCode < 300) return
      await sleep(50)
    }
  }
  /** Those of one pod one after the other, so that they have an order. */
  const lane = async (pod: number): Promise<void> => {
    for (let n = pod; !stopped; n += PODS) {
      const began = performance.now()
      await post(n)
      if (!stopped) sent++
      await sleep(Math.max(0, (PODS * 1_000) / RATE - (performance.now() - began)))
    }
  }
  const lanes = Array.from({ length: PODS }, (_, pod) => lane(pod))
  return {
    get sent() {
      return sent
    },
    async stop() {
      stopped = true
      await Promise.all(lanes)
      await pool.destroy()
    },
  }
}

it('loses nothing and keeps the order of each pod', { timeout: 300_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'yarak-outage-'))
  const [failing, other, port] = [await sink(), await sink(), await freePort()]
  const config = join(folder, 'yarak.yaml')
  const outputs = {
    'webhook/failing': { address: failing.url, order: 'target' },
    'webhook/other': { address: other.url },
  }
  const listen = `127.0.0.1:${port}`
  writeFileSync(
    config,
    JSON.stringify({ version: 1, listen, dataDir: join(folder, 'data'), inputs: { http: {} }, outputs }),
  )
  const gateway = createKilled(config)
  try {
    await gateway.start(port)
    const sender = createSender(port)
    await expect.poll(() => failing.seen.size, { timeout: 20_000 }).toBeGreaterThan(RATE)
    failing.down()
    await sleep(OUTAGE / 2)
    const before = sender.sent
    await expect.poll(() => other.seen.size, { timeout: 5_000 }).toBeGreaterThanOrEqual(before)
    await gateway.kill()
    await gateway.start(port)
    await sleep(OUTAGE / 2)
    expect(failing.seen.size).toBeLessThan(other.seen.size / 2)
    await failing.up()
    await sender.stop()
    const { sent } = sender
    for (const { seen } of [other, failing])
      await expect.poll(() => seen.size, { timeout: 90_000 }).toBeGreaterThanOrEqual(sent)
    for (let pod = 0; pod < PODS; pod++) {
      const order = failing.got.filter((one) => one.pod === `web-${pod}`).map(({ n }) => n)
      expect(order).toEqual(order.toSorted((one, two) => one - two))
    }
    expect(sent).toBeGreaterThan(((OUTAGE / 1_000) * RATE) / 2)
    await gateway.stop()
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${gateway.tail()}`, { cause: error })
  } finally {
    await gateway.kill()
    failing.down()
    other.down()
    rmSync(folder, { recursive: true, force: true })
  }
})
