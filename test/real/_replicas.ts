/** Several processes of the binary that share a topic and a cluster, each with a data directory of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { freePort } from './part.ts'

const MAIN = resolve(import.meta.dirname, '../../src/main.ts')

export interface Replicas {
  start(name: string): Promise<void>
  end(name: string, signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** What its outputs were told, in order. */
  told(name: string): readonly Told[]
  log(name: string): string
  /** Stops it as a whole, or lets it go on. */
  freeze(name: string, signal: 'SIGSTOP' | 'SIGCONT'): void
  metrics(name: string): Promise<string>
}

export interface Told {
  readonly uuid?: string
  readonly output: string
  readonly response?: {
    readonly id: string
    readonly outcome: string
    readonly traceId?: string
    readonly steps: readonly { readonly id: string; readonly outcome: string; readonly summary: string }[]
  }
}

/** @param config of all of them, beside what each has for itself */
export const replicasIn = (dir: string, config: object): Replicas => {
  const children = new Map<string, { readonly child: ChildProcess; readonly port: number }>()
  const home = (name: string): string => join(dir, name)
  const text = (path: string): string => {
    try {
      return readFileSync(path, 'utf8')
    } catch {
      return ''
    }
  }
  return {
    async start(name) {
      mkdirSync(home(name), { recursive: true })
      const port = await freePort()
      const path = join(home(name), 'yarak.yaml')
      const own = {
        listen: `127.0.0.1:${port}`,
        dataDir: join(home(name), 'data'),
        outputs: { file: { path: join(home(name), 'told.jsonl'), tell: 'responses' } },
      }
      writeFileSync(path, JSON.stringify({ version: 1, ...config, ...own }))
      const log = join(home(name), 'log')
      const child = spawn('sh', ['-c', `exec "$0" "$@" 2>> ${log}`, process.execPath, MAIN, 'run', '--config', path], {
        env: { PATH: process.env.PATH, POD_NAME: `yarak-${name}` },
        stdio: 'ignore',
      })
      children.set(name, { child, port })
    },
    async end(name, signal) {
      const { child } = children.get(name) ?? {}
      children.delete(name)
      if (!child || child.exitCode !== null || child.signalCode !== null) return
      const gone = new Promise((done) => child.once('exit', done))
      child.kill(signal)
      await gone
    },
    told: (name) =>
      text(join(home(name), 'told.jsonl'))
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Told),
    log: (name) => text(join(home(name), 'log')),
    freeze: (name, signal) => void children.get(name)?.child.kill(signal),
    async metrics(name) {
      const response = await fetch(`http://127.0.0.1:${children.get(name)?.port}/metrics`)
      return response.text()
    },
  }
}
