/** A program of the benchmark in a process of its own: it says one line of JSON when it is ready, and one at its end. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { resolve } from 'node:path'

const here = import.meta.dirname

export interface Child {
  readonly pid: number
  /** The next line it says, as JSON. */
  next(): Promise<Record<string, unknown>>
  /** Asks it to end, and gives the last line it said. */
  stop(): Promise<Record<string, unknown>>
}

/** @param program a file of this folder */
export const start = (program: string, args: readonly string[] = []): Child => {
  const child = spawn(process.execPath, ['--expose-gc', resolve(here, program), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ended = new Promise<void>((done) => child.once('exit', () => done()))
  const next = async (): Promise<Record<string, unknown>> => {
    for (;;) {
      const line = await lines.next()
      if (line.done) throw new Error(`${program} ended without an answer`)
      if (line.value.startsWith('{"bench"')) return JSON.parse(line.value) as Record<string, unknown>
    }
  }
  return {
    pid: child.pid ?? 0,
    next,
    async stop() {
      child.kill('SIGTERM')
      const last = await next().catch(() => ({}))
      await ended
      return last
    },
  }
}

/** Runs a program to its end; gives what it measured. */
export const measured = async (program: string, args: readonly string[]): Promise<number> => {
  const child = start(program, args)
  const { rate } = await child.next()
  await child.stop()
  return rate as number
}
