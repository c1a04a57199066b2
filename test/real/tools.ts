/** What getting a part has in common: running another program, and putting its result into the cache whole or not at all. */
import { spawn } from 'node:child_process'
import { accessSync, constants, existsSync, renameSync, rmSync } from 'node:fs'
import { constants as os, setPriority } from 'node:os'
import { delimiter, join } from 'node:path'
import { cacheDir } from './part.ts'

export type Say = (line: string) => void

/** Whether a program is on the PATH. */
export const onPath = (program: string): boolean =>
  (process.env.PATH ?? '').split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })

/** The first of these programs that is not on the PATH, as the reason why a part cannot be had. */
export const lacking = (...programs: string[]): string | undefined => {
  const program = programs.find((name) => !onPath(name))
  return program === undefined ? undefined : `no ${program} on the PATH`
}

export interface RunOptions {
  cwd?: string
  env?: NodeJS.ProcessEnv
  /** For builds: leave the processor to whoever works at this machine. */
  nice?: boolean
}

/** Runs a program to its end and gives its standard output; throws with the end of what it printed. */
export const run = (command: string, args: readonly string[], options: RunOptions = {}): Promise<string> =>
  new Promise((done, fail) => {
    const { cwd, env = process.env } = options
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
    if (options.nice && child.pid !== undefined) setPriority(child.pid, os.priority.PRIORITY_LOW)
    let out = ''
    let all = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
      all += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => (all += text))
    child.once('error', fail)
    child.once('close', (code, signal) => {
      if (code === 0) done(out)
      else fail(new Error(`${command} ${args.join(' ')} ended with ${code ?? signal}\n${all.slice(-4000)}`))
    })
  })

/** Makes a file or folder of the cache under another name and renames it, so that a build cut short leaves nothing. */
export const once = async (path: string, make: (unfinished: string) => Promise<void>): Promise<void> => {
  if (existsSync(path)) return
  cacheDir()
  const unfinished = `${path}.${process.pid}.part`
  rmSync(unfinished, { recursive: true, force: true })
  try {
    await make(unfinished)
    if (!existsSync(path)) renameSync(unfinished, path)
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
}

const goEnv = (): NodeJS.ProcessEnv => ({
  ...process.env,
  CGO_ENABLED: '0',
  GOFLAGS: '-mod=mod',
  GOTOOLCHAIN: 'auto',
  GOWORK: 'off',
})

/** Runs the Go tool at low priority; a newer toolchain than the installed one is got by Go itself where needed. */
export const go = (args: readonly string[], cwd?: string): Promise<string> =>
  run('go', args, { env: goEnv(), nice: true, ...(cwd === undefined ? {} : { cwd }) })

/** `go install package@version` into the cache as `path`, whatever the package's folder is called. */
export const goInstall = (path: string, target: string, variables: Record<string, string> = {}): Promise<void> =>
  once(path, async (unfinished) => {
    const bin = `${unfinished}.bin`
    try {
      const env = { ...goEnv(), GOBIN: bin }
      await run('go', ['install', '-trimpath', '-ldflags', linkFlags(variables), target], { env, nice: true })
      renameSync(join(bin, programName(target)), unfinished)
    } finally {
      rmSync(bin, { recursive: true, force: true })
    }
  })

const programName = (target: string): string => {
  const [path = ''] = target.split('@')
  const parts = path.split('/')
  const last = parts.at(-1) ?? ''
  return /^v\d+$/.test(last) ? (parts.at(-2) ?? '') : last
}

/** Linker flags of a release build: without debug information, and with the version where programs look for it. */
export const linkFlags = (variables: Record<string, string>): string =>
  ['-s', '-w', ...Object.entries(variables).map(([name, value]) => `-X ${name}=${value}`)].join(' ')
