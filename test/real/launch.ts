/** Starting the processes of one part in a folder of their own, and stopping them again. */
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { daemon, forget, runDir, until, type Daemon, type Running } from './part.ts'

export interface SpawnOptions {
  /** Name of the log file. */
  readonly name?: string
  readonly env?: NodeJS.ProcessEnv
  /** How long the process may take to end; it is killed after that. */
  readonly graceMs?: number
}

/** One run of a part while it is being set up. */
export interface Launch {
  /** The run's own folder: configuration, data, logs. */
  readonly dir: string
  /** Writes a file into the folder and gives its path. */
  file(name: string, text: string): string
  /** Starts a process that lives as long as the run. */
  spawn(command: string, args: readonly string[], options?: SpawnOptions): Daemon
  /** Waits until `probe` gives a value; fails at once when one of the processes has ended. */
  ready<T>(probe: () => Promise<T | undefined>, timeoutMs?: number): Promise<T>
  /** Something to close when the run stops, the last one first. */
  closing(close: () => Promise<void>): void
}

/**
 * Runs `begin`, which starts what it needs and gives the addresses. When it fails everything is stopped, and the error
 * names the folder that holds the logs.
 */
export const launch = async <A extends object>(
  name: string,
  begin: (run: Launch) => Promise<A>,
): Promise<Running<A>> => {
  const dir = runDir(name)
  const daemons: Daemon[] = []
  const closers: (() => Promise<void>)[] = []
  const closeAll = async () => {
    for (let close = closers.pop(); close; close = closers.pop()) await close()
  }
  const run: Launch = {
    dir,
    file(file, text) {
      writeFileSync(join(dir, file), text)
      return join(dir, file)
    },
    spawn(command, args, { graceMs, ...options } = {}) {
      const started = daemon(command, args, { dir, ...options })
      daemons.push(started)
      closers.push(() => started.stop(graceMs))
      return started
    },
    async ready(probe, timeoutMs) {
      let ended: unknown
      const value = await until(name, () => ((ended = endOf(daemons)) ? Promise.resolve(null) : probe()), timeoutMs)
      if (ended || value === null) throw ended
      return value
    },
    closing: (close) => void closers.push(close),
  }
  try {
    const addresses = await begin(run)
    return {
      addresses,
      async stop() {
        const crashed = daemons.some(hasCrashed)
        await closeAll()
        if (!crashed) forget(dir)
      },
    }
  } catch (error) {
    await closeAll()
    throw new Error(`${name} did not start: ${reasonOf(error)}\nIts logs are in ${dir}`, { cause: error })
  }
}

/** Ctrl-C in a terminal reaches the processes too, and may end them before they are stopped: that is no crash. */
const hasCrashed = ({ child: { exitCode, signalCode } }: Daemon): boolean =>
  ![null, 0, 130, 143].includes(exitCode) || ![null, 'SIGINT', 'SIGTERM'].includes(signalCode)

const endOf = (daemons: readonly Daemon[]): unknown => {
  try {
    for (const one of daemons) one.check()
    return undefined
  } catch (error) {
    return error
  }
}

const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message
}

/** A probe for `ready`: the URL answers with a 2xx. */
export const answers = (url: string) => async (): Promise<true | undefined> => {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) })
  await response.arrayBuffer()
  return response.ok || undefined
}

/**
 * Sends `text` to a TCP port and gives all that came back once `enough` says so, or the peer closes. With nothing to
 * send, it only tells the peer that nothing comes.
 */
export const converse = async (
  port: number,
  text: string | Uint8Array,
  enough: (heard: Buffer) => boolean,
): Promise<Buffer> => {
  const socket = connect(port, '127.0.0.1')
  let heard = Buffer.alloc(0)
  try {
    return await new Promise<Buffer>((done, fail) => {
      socket.setTimeout(5_000, () => fail(new Error(`port ${port}: no answer in 5 s, heard ${heard.toString('hex')}`)))
      socket.once('error', fail).once('end', () => done(heard))
      socket.on('data', (chunk) => {
        heard = Buffer.concat([heard, chunk])
        if (enough(heard)) done(heard)
      })
      if (text.length) socket.write(text)
      else socket.end()
    })
  } finally {
    socket.destroy()
  }
}
