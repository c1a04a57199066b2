/**
 * The shape every real part has: a server that users run beside Yarak, got once, cached outside the repository,
 * and started for a test or from the shell.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'

/** A part that runs: its addresses and how to stop it. `stop` may be called twice. */
export interface Running<A extends object> {
  readonly addresses: A
  stop(): Promise<void>
}

/** One server that tests and `npm run real` can get and start. */
export interface Part<A extends object, O extends object = object> {
  /** Name on the command line, e.g. `kafka`. */
  readonly name: string
  /** Pinned version, from `versions.ts`. */
  readonly version: string
  /** Why this part cannot be had on this machine (no Go, no Java, not root), else undefined. Cheap: no download. */
  missing(): string | undefined
  /** The files and folders this part keeps in the cache, for `--list`. */
  cached(): readonly string[]
  /** Gets the part into the cache; returns at once when it is there. `say` gets a line per long step. */
  ensure(say?: (line: string) => void): Promise<void>
  /** Starts it on free loopback ports and returns once it answers. */
  start(options?: O): Promise<Running<A>>
}

/** Where downloads and builds are kept: `YARAK_CACHE`, else `~/.cache/yarak-real`. Never inside the repository. */
export const cacheDir = (...parts: string[]): string => {
  const dir = join(process.env.YARAK_CACHE ?? join(homedir(), '.cache', 'yarak-real'), ...parts)
  mkdirSync(dir, { recursive: true })
  return dir
}

/** A fresh folder under the system's temporary folder, for one run of a part. */
export const runDir = (name: string): string => mkdtempSync(join(tmpdir(), `yarak-${name}-`))

/** A TCP port of the loopback interface that was free a moment ago. */
export const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((ready, fail) => server.once('error', fail).listen(0, '127.0.0.1', ready))
  const address = server.address()
  await new Promise((done) => server.close(done))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Polls `probe` until it gives a value; throws with the last reason after `timeoutMs`. */
export const until = async <T>(
  what: string,
  probe: () => Promise<T | undefined>,
  timeoutMs = 30_000,
  everyMs = 100,
): Promise<T> => {
  const deadline = Date.now() + timeoutMs
  let reason: unknown
  while (Date.now() < deadline) {
    try {
      const value = await probe()
      if (value !== undefined) return value
    } catch (error) {
      reason = error
    }
    await new Promise((wake) => setTimeout(wake, everyMs))
  }
  throw new Error(`${what}: not ready after ${timeoutMs / 1000} s`, { cause: reason })
}

/** A child process with its log file, stopped by its own pid: SIGTERM, then SIGKILL after `graceMs`. */
export interface Daemon {
  readonly child: ChildProcess
  readonly log: string
  /** Throws with the end of the log when the process has ended by itself. */
  check(): void
  stop(graceMs?: number): Promise<void>
}

export const daemon = (
  command: string,
  args: readonly string[],
  options: { dir: string; name?: string; env?: NodeJS.ProcessEnv },
): Daemon => {
  const log = join(options.dir, `${options.name ?? 'server'}.log`)
  const out = openSync(log, 'a')
  const child = spawn(command, args, {
    cwd: options.dir,
    env: options.env ?? process.env,
    stdio: ['ignore', out, out],
  })
  closeSync(out)
  let failure: Error | undefined
  child.once('error', (error) => (failure = error))
  const ended = new Promise<void>((done) => child.once('close', () => done()).once('error', () => done()))
  return {
    child,
    log,
    check() {
      if (failure) throw failure
      if (child.exitCode !== null || child.signalCode !== null) {
        const tail = existsSync(log) ? readFileSync(log, 'utf8').slice(-2000) : ''
        throw new Error(`${command} ended with ${child.exitCode ?? child.signalCode}\n${tail}`)
      }
    },
    async stop(graceMs = 5_000) {
      if (child.exitCode !== null || child.signalCode !== null || failure) return
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
      await ended
      clearTimeout(timer)
    },
  }
}

/** Removes a run's folder, unless `YARAK_KEEP` is set or the run failed and its logs are wanted. */
export const forget = (dir: string): void => {
  if (!process.env.YARAK_KEEP) rmSync(dir, { recursive: true, force: true })
}
