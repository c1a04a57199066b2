/** Rows about taking events by HTTP. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Child, start } from './child.ts'
import { anAlert } from './events.ts'
import { load } from './load.ts'
import type { Opened, Row } from './measure.ts'

/** A rule that every event matches and whose step is never run: an event that is wanted, at the least cost. */
const WANTED = [
  { rule: 'Wanted', join: '0s', steps: [{ action: 'log', if: 'rule = nothing', with: { message: 'never' } }] },
]

interface Server {
  readonly url: string
  stop(): Promise<Record<string, unknown>>
}

const serverOf = async (child: Child): Promise<Server> => {
  const { url } = await child.next()
  return { url: url as string, stop: child.stop }
}

const yarak = async (folder: string, name: string, more: object = {}): Promise<Server> => {
  const config = join(folder, `${name}.yaml`)
  const base = { version: 1, listen: '127.0.0.1:0', inputs: { http: {} }, journal: { enabled: false } }
  writeFileSync(config, JSON.stringify({ ...base, dataDir: join(folder, name), ...more }))
  return serverOf(start('server-yarak.ts', [config]))
}

const withServers = async (
  open: (folder: string) => Promise<{ ours: Server; anchor: Server }>,
  measure: (server: Server, side: 'ours' | 'anchor') => Promise<number>,
): Promise<Opened> => {
  const folder = mkdtempSync(join(tmpdir(), 'yarak-bench-'))
  const { ours, anchor } = await open(folder)
  return {
    ours: () => measure(ours, 'ours'),
    anchor: () => measure(anchor, 'anchor'),
    async close() {
      await Promise.all([ours.stop(), ...(anchor === ours ? [] : [anchor.stop()])])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const one = ({ url }: Server): Promise<number> => load({ url, body: anAlert(1) })

const BATCH = Array.from({ length: 100 }, (_, n) => anAlert(n)).join('\n')

export const httpRows: readonly Row[] = [
  {
    name: 'http',
    what: 'one event by HTTP, journal off, of a bare node:http server with JSON.parse',
    unit: 'events/s',
    goal: 0.8,
    open: () =>
      withServers(
        async (folder) => ({ ours: await yarak(folder, 'off'), anchor: await serverOf(start('server-raw.ts')) }),
        one,
      ),
  },
  {
    name: 'http-embedded',
    what: 'the same through Hono in a host program',
    unit: 'events/s',
    goal: 0.6,
    open: () =>
      withServers(
        async () => ({ ours: await serverOf(start('server-hono.ts')), anchor: await serverOf(start('server-raw.ts')) }),
        one,
      ),
  },
  {
    name: 'http-journal',
    what: 'one event by HTTP, durable before the answer, of the same with the journal off',
    unit: 'events/s',
    goal: 0.85,
    open: () =>
      withServers(
        async (folder) => ({
          ours: await yarak(folder, 'on', { rules: WANTED, journal: { enabled: true } }),
          anchor: await yarak(folder, 'off', { rules: WANTED }),
        }),
        one,
      ),
  },
  {
    name: 'http-batch',
    what: 'newline-delimited batches of 100, of one event a request',
    unit: 'events/s',
    goal: 8,
    open: () =>
      withServers(
        async (folder) => {
          const server = await yarak(folder, 'off')
          return { ours: server, anchor: server }
        },
        async (server, side) =>
          side === 'anchor'
            ? one(server)
            : 100 * (await load({ url: server.url, body: BATCH, contentType: 'application/x-ndjson', connections: 8 })),
      ),
  },
]

/** The event loop's delay at half the load that it takes: its 99th percentile, in milliseconds. */
export const loopDelay = async (): Promise<number> => {
  const folder = mkdtempSync(join(tmpdir(), 'yarak-bench-'))
  try {
    const full = await yarak(folder, 'full', { rules: WANTED, journal: { enabled: true } })
    const most = await one(full)
    await full.stop()
    const half = await yarak(folder, 'half', { rules: WANTED, journal: { enabled: true } })
    await load({ url: half.url, body: anAlert(1), rate: Math.round(most / 2), seconds: 10 })
    return (await half.stop())['delay'] as number
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Resident memory in MiB after the first and after the last of so many events, in batches. */
export const memory = async (events: number): Promise<{ readonly first: number; readonly last: number }> => {
  const folder = mkdtempSync(join(tmpdir(), 'yarak-bench-'))
  try {
    const server = await yarak(folder, 'memory', { rules: WANTED, journal: { enabled: true } })
    const send = async (count: number): Promise<void> => {
      let sent = 0
      while (sent < count) {
        sent += Math.round(
          1_000 *
            (await load({
              url: server.url,
              body: BATCH,
              contentType: 'application/x-ndjson',
              connections: 8,
              seconds: 10,
            })),
        )
      }
    }
    const rss = async (): Promise<number> => {
      const text = await (await fetch(`${server.url}metrics`)).text()
      return Number(/process_resident_memory_bytes (\d+)/.exec(text)?.[1]) / 1024 ** 2
    }
    await send(events / 10)
    const first = await rss()
    await send((events * 9) / 10)
    const last = await rss()
    await server.stop()
    return { first, last }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
