/** Runs one command as a child with a process group of its own, so that a deadline ends all that it started. */
import { type ChildProcess, spawn } from 'node:child_process'
import { basename } from 'node:path'
import { kill } from 'node:process'
import { YarakError } from '../plugin.ts'
import { capped, lastLine, lastOf } from './_text.ts'

export interface Command {
  /** The program and its arguments; no shell comes between. */
  readonly argv: readonly string[]
  /** The whole environment of the child. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string | undefined
  /** Written to its standard input, which is then closed. */
  readonly stdin?: string | undefined
  /** Milliseconds. */
  readonly timeout: number
  readonly signal: AbortSignal
}

/** How long a child has, after SIGTERM, to end by itself. Milliseconds. */
const GRACE = 2_000

/**
 * Runs a command until it ends and its output is closed.
 * @returns its standard output, the first 64 KiB
 * @throws YarakError `failed` with the reason `exit-<code>`, `signal-<name>`, `not-executable` or `bad-argument`;
 * `timed_out`; `interrupted`
 */
export const runCommand = async (command: Command): Promise<string> => {
  command.signal.throwIfAborted()
  const name = basename(command.argv[0] ?? '')
  const child = start(command)
  const deadline = AbortSignal.timeout(command.timeout)
  const stop = AbortSignal.any([command.signal, deadline])
  const [stdout, stderr] = [capped(), lastOf()]
  child.stdout?.on('data', (chunk: Buffer) => stdout.add(chunk))
  child.stderr?.on('data', (chunk: Buffer) => stderr.add(chunk))
  // A child that does not read its input may close it early: that is its own affair.
  child.stdin?.on('error', () => {}).end(command.stdin ?? '')
  const { code, signal } = await ended(child, stop).catch((error: unknown) => {
    throw notStarted(error, name)
  })
  if (command.signal.aborted) throw new YarakError('interrupted', `${name} was cut short`)
  if (deadline.aborted) {
    throw new YarakError('timed_out', `${name} did not end within ${command.timeout} ms`, { reason: 'timeout' })
  }
  if (code === 0) return stdout.text()
  const [how, reason] =
    code === null
      ? [`was ended by ${signal}`, `signal-${signal?.toLowerCase()}`]
      : [`exited with ${code}`, `exit-${code}`]
  const said = lastLine(stderr.text())
  throw new YarakError('failed', `${name} ${how}${said ? `: ${said}` : ''}`, { reason })
}

const start = ({ argv, env, cwd }: Command): ChildProcess => {
  const [program = '', ...args] = argv
  try {
    return spawn(program, args, {
      env: { ...env },
      cwd,
      shell: false,
      detached: true,
      stdio: 'pipe',
      windowsHide: true,
    })
  } catch (cause) {
    throw new YarakError('failed', `${basename(program)} cannot be started: an argument or value is not allowed`, {
      cause,
      permanent: true,
      reason: 'bad-argument',
    })
  }
}

const notStarted = (error: unknown, name: string): YarakError => {
  const { code = '' } = error as { code?: string }
  const why = code === 'ENOENT' ? 'it, or its working directory, does not exist' : code
  return new YarakError('failed', `${name} cannot be started: ${why}`, { permanent: true, reason: 'not-executable' })
}

interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** Waits for the end of the child and of its output; when `stop` fires, ends its whole group. */
const ended = (child: ChildProcess, stop: AbortSignal): Promise<End> =>
  new Promise((resolve, reject) => {
    const timers: NodeJS.Timeout[] = []
    const end = () => {
      signalGroup(child, 'SIGTERM')
      timers.push(setTimeout(() => signalGroup(child, 'SIGKILL'), GRACE))
      // A grandchild in a group of its own may hold the pipes open for ever.
      timers.push(setTimeout(() => release(child), GRACE + 500))
    }
    const finish = () => {
      stop.removeEventListener('abort', end)
      timers.forEach(clearTimeout)
    }
    child.once('error', (error) => (finish(), reject(error)))
    child.once('close', (code, signal) => {
      finish()
      if (stop.aborted) signalGroup(child, 'SIGKILL')
      resolve({ code, signal })
    })
    stop.addEventListener('abort', end, { once: true })
  })

const release = (child: ChildProcess): void => {
  child.stdout?.destroy()
  child.stderr?.destroy()
}

const signalGroup = (child: ChildProcess, signal: NodeJS.Signals): void => {
  if (child.pid === undefined) return
  try {
    kill(-child.pid, signal)
  } catch {
    // The group has ended.
  }
}
