/** Events by HTTP, Kafka and a file while the gateway is killed again and again: nothing accepted is lost. */
import { appendFileSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, logLevel } from 'kafkajs'
import { expect, it } from 'vitest'
import { Pool } from 'undici'
import type { Report } from '../../src/plugin.ts'
import { createKilled } from './_killed.ts'
import { kafka } from './kafka.ts'
import { freePort, until } from './part.ts'
import { describePart, running } from './vitest.ts'

/** Of each input. */
const EVENTS = 20_000
const KILLS = 10

const alertOf = (uuid: string): string =>
  JSON.stringify({
    uuid,
    rule: 'Terminal shell in container',
    priority: 'Notice',
    time: '2026-11-23T08:00:00.123456789Z',
    output: `a shell was spawned (${uuid})`,
    output_fields: { 'k8s.ns.name': 'shop', 'k8s.pod.name': uuid, 'proc.name': 'bash' },
  })

const idsOf = (input: string): string[] => Array.from({ length: EVENTS }, (_, n) => `${input}-${n}`)

describePart(kafka, () => {
  const broker = running(kafka)

  it(
    `accounts for every one of ${EVENTS} events by each input, killed ${KILLS} times`,
    { timeout: 900_000 },
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'yarak-kill-'))
      const effects = await countingServer()
      const port = await freePort()
      const log = join(folder, 'falco.log')
      writeFileSync(log, '')
      const config = join(folder, 'yarak.yaml')
      writeFileSync(config, configOf({ folder, port, log, brokers: broker().brokers, effects: effects.url }))
      const gateway = createKilled(config)
      try {
        await gateway.start(port)
        const sending = Promise.all([
          sendByHttp(port, idsOf('http')),
          sendByKafka(broker().brokers, idsOf('kafka')),
          sendByFile(log, idsOf('file')),
        ])
        for (let kill = 0; kill < KILLS; kill++) {
          await sleep(500 + Math.random() * 2_500)
          await gateway.kill()
          await gateway.start(port)
        }
        const [accepted] = await sending
        const told = await settledAnswers(folder, [...accepted, ...idsOf('kafka'), ...idsOf('file')])
        await expectBalanced(port)
        await gateway.stop()
        expectAccounted(told, effects)
      } catch (error) {
        throw new Error(`${(error as Error).message}\n${gateway.tail()}`, { cause: error })
      } finally {
        await gateway.kill()
        effects.close()
        rmSync(folder, { recursive: true, force: true })
      }
    },
  )
})

interface Setting {
  readonly folder: string
  readonly port: number
  readonly log: string
  readonly brokers: readonly string[]
  readonly effects: string
}

const configOf = ({ folder, port, log, brokers, effects }: Setting): string => `
version: 1
mode: enforce
guards: { breaker: false, budgets: [] }
listen: 127.0.0.1:${port}
dataDir: ${join(folder, 'data')}
inputs:
  http: {}
  file: { path: ${log}, from: checkpoint }
  kafka: { brokers: [${brokers.join(', ')}], topics: [kill], from: earliest, sessionTimeout: 10s }
outputs:
  file: { path: ${join(folder, 'told.jsonl')}, tell: both }
rules:
  - rule: Answer
    match: { rules: [Terminal shell in container] }
    steps:
      - action: http:request
        with: { url: '${effects}', body: { id: '{{ response.id }}' } }
`

/** Counts how often each response has its effect. */
const countingServer = async () => {
  const seen = new Map<string, number>()
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { id } = JSON.parse(Buffer.concat(chunks).toString()) as { id: string }
      seen.set(id, (seen.get(id) ?? 0) + 1)
      response.end()
    })
    request.on('error', () => {})
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, seen, close: () => void server.close() }
}

/** Posts every event until it is answered by a 2xx, as a sender with a queue does; gives those that were accepted. */
const sendByHttp = async (port: number, ids: readonly string[]): Promise<readonly string[]> => {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: 16 })
  const left = [...ids].reverse()
  const send = async (): Promise<void> => {
    for (let id = left.pop(); id !== undefined; id = left.pop()) {
      while (!(await post(pool, alertOf(id)))) await sleep(50)
    }
  }
  await Promise.all(Array.from({ length: 16 }, send))
  await pool.close()
  return ids
}

const post = async (pool: Pool, body: string): Promise<boolean> => {
  try {
    const answer = await pool.request({ method: 'POST', path: '/', body, headersTimeout: 10_000 })
    await answer.body.dump()
    return answer.statusCode === 200
  } catch {
    return false
  }
}

const sendByKafka = async (brokers: readonly string[], ids: readonly string[]): Promise<void> => {
  const client = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING })
  const producer = client.producer()
  await producer.connect()
  for (let n = 0; n < ids.length; n += 500) {
    await producer.send({ topic: 'kill', messages: ids.slice(n, n + 500).map((id) => ({ value: alertOf(id) })) })
    await sleep(200)
  }
  await producer.disconnect()
}

/** Writes in pieces that end anywhere, and rotates three times. */
const sendByFile = async (path: string, ids: readonly string[]): Promise<void> => {
  const text = ids.map((id) => `${alertOf(id)}\n`)
  for (let n = 0; n < text.length; n += 500) {
    const piece = text.slice(n, n + 500).join('')
    const cut = Math.floor(Math.random() * piece.length)
    appendFileSync(path, piece.slice(0, cut))
    await sleep(100)
    appendFileSync(path, piece.slice(cut))
    if (n > 0 && n % 5_000 === 0) {
      for (const generation of [2, 1])
        if (existsSync(`${path}.${generation}`)) renameSync(`${path}.${generation}`, `${path}.${generation + 1}`)
      renameSync(path, `${path}.1`)
      writeFileSync(path, '')
    }
    await sleep(100)
  }
}

/** What the outputs were told of one event as a sender knows it. */
interface Told {
  /** Ids of the events that it became: more than one only when its sender posted it again. */
  readonly responses: Map<string, Report>
  events: number
}

const read = (folder: string): Map<string, Told> => {
  const told = new Map<string, Told>()
  const path = join(folder, 'told.jsonl')
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
  for (const line of text.split('\n').filter(Boolean)) {
    const { uuid, response } = parse(line)
    const found = told.get(uuid) ?? { responses: new Map<string, Report>(), events: 0 }
    if (response) found.responses.set(response.id, response)
    else found.events++
    told.set(uuid, found)
  }
  return told
}

/** A line that a kill cut off is followed by a whole one. */
const parse = (line: string): { uuid: string; response?: Report } => {
  const from = line.lastIndexOf('{"uuid":')
  return JSON.parse(from > 0 ? line.slice(from) : line) as { uuid: string; response?: Report }
}

const settledAnswers = (folder: string, ids: readonly string[]): Promise<Map<string, Told>> =>
  until(
    'every event to be told and answered',
    async () => {
      const told = read(folder)
      const missing = ids.filter((id) => !told.get(id)?.events || told.get(id)?.responses.size === 0)
      return missing.length === 0 ? told : undefined
    },
    240_000,
    2_000,
  )

/** Nothing is left over, and each event of the last process is in one term. */
const expectBalanced = async (port: number): Promise<void> => {
  const url = `http://127.0.0.1:${port}`
  await until('every event to be settled', async () => {
    const { unsettled } = (await (await fetch(`${url}/readyz`)).json()) as { unsettled: number }
    return unsettled === 0 || undefined
  })
  const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n')
  const sum = (name: string): number =>
    lines
      .filter((line) => line.startsWith(`yarak_events_${name}_total{`))
      .reduce((total, line) => total + Number(line.split(' ').at(-1)), 0)
  expect(sum('received') + sum('resumed')).toBe(sum('rejected') + sum('settled'))
}

const expectAccounted = (told: ReadonlyMap<string, Told>, { seen }: { seen: ReadonlyMap<string, number> }): void => {
  const reports = [...told].flatMap(([id, { responses }]) => [...responses.values()].map((report) => ({ id, report })))
  const outcomes = new Set(reports.map(({ report }) => report.outcome))
  expect([...outcomes].filter((outcome) => outcome !== 'succeeded' && outcome !== 'unknown')).toEqual([])
  // an effect of which nobody knows whether it happened is not repeated, and what succeeded happened once
  const twice = [...seen].filter(([, times]) => times > 1)
  expect(twice).toEqual([])
  const claimed = reports.filter(({ report }) => report.outcome === 'succeeded' && !seen.has(report.id))
  expect(claimed).toEqual([])
  // a source that delivers again is answered once: the response's id is the same
  const again = reports.filter(({ id }) => !id.startsWith('http') && (told.get(id)?.responses.size ?? 0) > 1)
  expect(again).toEqual([])
  const unknown = reports.filter(({ report }) => report.outcome === 'unknown').length
  const repeated = [...told.values()].filter(({ events }) => events > 1).length
  console.info(`${told.size} events, ${seen.size} effects, ${unknown} unknown, ${repeated} told more than once`)
}
