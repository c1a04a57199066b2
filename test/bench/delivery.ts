/**
 * Rows about telling outputs, beside Falcosidekick: events delivered per second of CPU, at one rate for both. A variable
 * names the program of an installed release: YARAK_BENCH_FALCOSIDEKICK.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { falcosidekick } from '../real/peers.ts'
import { freePort } from '../real/part.ts'
import { type Child, start } from './child.ts'
import { anAlert } from './events.ts'
import { load } from './load.ts'
import type { Opened, Row } from './measure.ts'

/** Outputs of Falcosidekick that post the event as it is, each to an address of its own. */
const WEB: Readonly<Record<string, string>> = {
  ...{ webhook: 'address', talon: 'address', nodered: 'address', n8n: 'address', kafkarest: 'address' },
  ...{
    tekton: 'eventlistener',
    sumologic: 'receiverurl',
    webui: 'url',
    openobserve: 'hostport',
    zincsearch: 'hostport',
  },
}

const FORMAT = '*{{ .Rule }}* by {{ index .OutputFields "user.name" }} in {{ index .OutputFields "k8s.pod.name" }}'
const LIQUID = '*{{ rule }}* by {{ user.name }} in {{ k8s.pod.name }}'

interface Subject {
  readonly url: string
  readonly pid: number
  stop(): Promise<unknown>
}

const ours = async (folder: string, outputs: object): Promise<Subject> => {
  const config = join(folder, 'yarak.yaml')
  const base = { version: 1, listen: '127.0.0.1:0', inputs: { http: {} }, journal: { enabled: false } }
  writeFileSync(config, JSON.stringify({ ...base, dataDir: join(folder, 'data'), outputs }))
  const child = start('server-yarak.ts', [config])
  return { url: (await child.next())['url'] as string, pid: child.pid, stop: child.stop }
}

const theirs = async (folder: string, outputs: object): Promise<Subject> => {
  const port = await freePort()
  const config = join(folder, 'config.yaml')
  writeFileSync(config, JSON.stringify({ listenaddress: '127.0.0.1', listenport: port, ...outputs }))
  const program = process.env.YARAK_BENCH_FALCOSIDEKICK ?? ''
  const child: ChildProcess = spawn(program, ['-c', config], { stdio: 'ignore', env: { PATH: process.env.PATH } })
  const url = `http://127.0.0.1:${port}/`
  while (!(await fetch(`${url}ping`).catch(() => undefined))?.ok) await sleep(50)
  const ended = new Promise((done) => child.once('exit', done))
  return { url, pid: child.pid ?? 0, stop: () => (child.kill(), ended) }
}

/** Seconds of CPU that a process took so far, its threads included. */
const cpuOf = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

const takenBy = async (sink: Child): Promise<number> => {
  process.kill(sink.pid, 'SIGUSR2')
  return (await sink.next())['taken'] as number
}

const SECONDS = 4

/** Events per second of CPU, when every output has taken every one. */
const measure = async (subject: Subject, sink: Child, outputs: number, rate: number): Promise<number> => {
  const before = { cpu: cpuOf(subject.pid), taken: await takenBy(sink) }
  const accepted = Math.round(SECONDS * (await load({ url: subject.url, body: anAlert(1), rate, seconds: SECONDS })))
  let taken = 0
  for (let seen = -1; seen !== taken;) {
    seen = taken
    await sleep(500)
    taken = (await takenBy(sink)) - before.taken
  }
  // requests that the end of the load cut off are taken all the same
  if (taken / outputs < accepted * 0.98)
    throw new Error(`${accepted} events were accepted, ${taken} notices of ${outputs} outputs came`)
  return taken / outputs / (cpuOf(subject.pid) - before.cpu)
}

const row = (
  name: string,
  {
    what,
    goal,
    rate,
    outputs,
    config,
  }: {
    readonly what: string
    readonly goal: number
    readonly rate: number
    readonly outputs: number
    readonly config: (sink: string) => { readonly ours: object; readonly theirs: object }
  },
): Row => ({
  name,
  what: `${what}, of Falcosidekick`,
  unit: 'events per CPU-second',
  goal,
  missing: falcosidekick.missing,
  async open(): Promise<Opened> {
    const folder = mkdtempSync(join(tmpdir(), 'yarak-bench-'))
    const sink = start('sink.ts')
    const made = config((await sink.next())['url'] as string)
    const [mine, other] = [await ours(folder, made.ours), await theirs(folder, made.theirs)]
    return {
      ours: () => measure(mine, sink, outputs, rate),
      anchor: () => measure(other, sink, outputs, rate),
      async close() {
        await Promise.all([mine.stop(), other.stop()])
        await sink.stop()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  },
})

/** Falcosidekick sends one at a time unless it is told otherwise, and lets any number wait. */
const SAME = { concurrency: 8, queue: 100_000 }
const maxconcurrentrequests = 8

export const deliveryRows: readonly Row[] = [
  row('webhook', {
    what: 'one event to one webhook',
    goal: 1.5,
    rate: 1_500,
    outputs: 1,
    config: (sink) => ({
      ours: { webhook: { address: sink, ...SAME } },
      theirs: { webhook: { address: sink, maxconcurrentrequests } },
    }),
  }),
  row('webhook-10', {
    what: 'one event to ten outputs that post it as it is',
    goal: 1.5,
    rate: 200,
    outputs: 10,
    config: (sink) => ({
      ours: Object.fromEntries(Object.keys(WEB).map((_, i) => [`webhook/n${i}`, { address: `${sink}${i}`, ...SAME }])),
      theirs: Object.fromEntries(
        Object.entries(WEB).map(([name, key], i) => [name, { [key]: `${sink}${i}`, maxconcurrentrequests }]),
      ),
    }),
  }),
  row('message-template', {
    what: 'one event to one chat with a message template',
    goal: 1.3,
    rate: 1_000,
    outputs: 1,
    config: (sink) => ({
      ours: {
        slack: {
          webhookUrl: sink,
          messageFormat: LIQUID,
          rate: { count: 1_000_000, per: '1s' },
          order: 'none',
          ...SAME,
        },
      },
      theirs: { slack: { webhookurl: sink, messageformat: FORMAT, maxconcurrentrequests } },
    }),
  }),
]
