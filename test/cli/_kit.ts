/** The command line as its users meet it: in this process with a terminal that remembers, or as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { afterEach, beforeEach, expect } from 'vitest'
import { main } from '../../src/cli/index.ts'
import type { Terminal } from '../../src/cli/terminal.ts'

export const ROOT = resolve(import.meta.dirname, '../..')

/** A folder for the files of one test file, empty for each test. */
export const folder = () => {
  let path = ''
  beforeEach(() => void (path = mkdtempSync(join(tmpdir(), 'yarak-cli-'))))
  afterEach(() => rmSync(path, { recursive: true, force: true }))
  return {
    at: (name: string): string => join(path, name),
    /** Writes a file and gives its path. */
    write(name: string, content: string | readonly unknown[] | object): string {
      const lines = Array.isArray(content) ? content.map((item) => `${JSON.stringify(item)}\n`).join('') : content
      writeFileSync(join(path, name), typeof lines === 'string' ? lines : JSON.stringify(lines))
      return join(path, name)
    },
  }
}

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

interface Options {
  readonly env?: Record<string, string>
  readonly colours?: boolean
  readonly tty?: boolean
  readonly columns?: number
}

/** A command that is running in this process. */
export const start = (args: readonly string[], { env = {}, colours = false, tty = false, columns }: Options = {}) => {
  const stop = new AbortController()
  const said = { out: '', err: '' }
  const terminal: Terminal = {
    out: (text) => void (said.out += text),
    err: (text) => void (said.err += text),
    tty,
    colours: { out: colours, err: colours },
    columns: () => columns,
    env,
    signal: stop.signal,
  }
  const ended = main(args, terminal).then((code): Ran => ({ code, ...said }))
  return {
    said,
    ended,
    /** What Ctrl-C does. */
    interrupt: () => stop.abort(),
    address: () => addressIn(() => said.err),
  }
}

/** Runs a command in this process to its end. */
export const yarak = (args: readonly string[], options?: Options): Promise<Ran> => start(args, options).ended

/** The address in the log line `listening`, once it is there. */
const addressIn = async (err: () => string): Promise<string> => {
  const find = (): string | undefined =>
    err()
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}') && !line.includes('"admin":true'))
      .map((line) => JSON.parse(line) as { message: string; address?: string })
      .find(({ message, address }) => message === 'listening' && address?.startsWith('http:'))?.address
  await expect.poll(find, { timeout: 15_000, interval: 20 }).toBeDefined()
  return find() ?? ''
}

const children = new Set<ChildProcess>()

/** Call in a test file that starts processes: none outlives its test. */
export const noneLeft = (): void => {
  afterEach(() => {
    for (const child of children) child.kill('SIGKILL')
    children.clear()
  })
}

interface SpawnOptions {
  readonly env?: Record<string, string>
  readonly input?: string
  readonly cwd?: string
}

/** The command as a process of its own, under the Node that runs the tests. */
export const launch = (args: readonly string[], { env = {}, input, cwd = ROOT }: SpawnOptions = {}) => {
  const child = spawn(process.execPath, [join(ROOT, 'src/main.ts'), ...args], {
    cwd,
    env: { PATH: `${dirname(process.execPath)}:${process.env.PATH}`, HOME: tmpdir(), ...env },
  })
  children.add(child)
  const said = { out: '', err: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.err += text))
  child.stdin.on('error', () => {})
  if (input !== undefined) child.stdin.end(input)
  const ended = new Promise<Ran & { signal: string | null }>((done) =>
    child.on('close', (code, signal) => done({ code: code ?? -1, signal, ...said })),
  )
  return { child, said, ended, address: () => addressIn(() => said.err) }
}

/** A port of the loopback that is taken until `free` is called. */
export const takePort = async () => {
  const { createServer } = await import('node:net')
  const server = createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as { port: number }
  return { port, free: () => new Promise<void>((done) => server.close(() => done())) }
}

/** A port on which nobody listens. */
export const closedPort = async (): Promise<number> => {
  const { port, free } = await takePort()
  await free()
  return port
}
