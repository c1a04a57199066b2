/** A gateway that is killed. */
import { type ChildProcess, spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { until } from './part.ts'

const MAIN = resolve(import.meta.dirname, '../../src/main.ts')

/** The gateway as a process of its own. */
export const createKilled = (config: string) => {
  let child: ChildProcess | undefined
  let lines: string[] = []
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    const ending = child
    child = undefined
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return
    const ended = new Promise((done) => ending.once('exit', done))
    ending.kill(signal)
    await ended
  }
  return {
    async start(port: number): Promise<void> {
      child = spawn(process.execPath, [MAIN, 'run', '--config', config], { stdio: ['ignore', 'ignore', 'pipe'] })
      child.stderr?.on('data', (chunk: Buffer) => (lines = [...lines, chunk.toString()].slice(-40)))
      await until('the gateway to listen', async () =>
        fetch(`http://127.0.0.1:${port}/healthz`).then(
          ({ ok }) => ok || undefined,
          () => undefined,
        ),
      )
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    tail: () => lines.join('').slice(-4_000),
  }
}
