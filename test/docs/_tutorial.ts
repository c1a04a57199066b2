/** Does what a tutorial says, as a newcomer would: its files and its commands, in order, in an empty folder. */
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { ROOT, type Block, type Tutorial } from './_pages.ts'

export interface Ran {
  readonly code: number
  /** Everything that was printed, for whoever must find out what went wrong. */
  readonly all: string
  /** Lines that the page shows of an output and that were not printed, with their place. */
  readonly unseen: readonly string[]
}

export interface RunOptions {
  /** What stands for a text of the page, such as a port that may be taken here. */
  readonly instead?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
}

const END = 'END-OF-FILE'
const MARK = '@@ line '

/** A file is written where the page shows it, a command runs where the page has it. */
export const scriptOf = (blocks: readonly Block[]): string =>
  blocks
    .flatMap(({ language, name, line, text }) => {
      if (name !== '') return [`cat > '${name}' <<'${END}'\n${text}${END}`]
      return language === 'sh' ? [`printf '\\n${MARK}${line}\\n'\n${text.trimEnd()}`] : []
    })
    .join('\n')

/** Runs a tutorial. Whatever it leaves running is ended with it. */
export const runTutorial = async (tutorial: Tutorial, { instead = {}, env = {} }: RunOptions = {}): Promise<Ran> => {
  const folder = mkdtempSync(join(tmpdir(), 'yarak-tutorial-'))
  const [home, work, bin] = ['home', 'work', 'bin'].map((name) => join(folder, name)) as [string, string, string]
  for (const each of [home, work, bin]) mkdirSync(each)
  writeFileSync(join(bin, 'yarak'), `#!/bin/sh\nexec '${process.execPath}' '${join(ROOT, 'src/main.ts')}' "$@"\n`)
  chmodSync(join(bin, 'yarak'), 0o755)
  const here = replacing(instead)
  const body = here(scriptOf(tutorial.blocks))
  const child = spawn('bash', ['-c', `set -euo pipefail\n${body}\n`], {
    cwd: work,
    detached: true,
    env: { PATH: `${bin}:${dirname(process.execPath)}:${process.env.PATH}`, HOME: home, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [out, all] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
    all += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (all += text))
  try {
    const code = await new Promise<number>((done) => child.on('exit', (ended) => done(ended ?? -1)))
    return { code, all, unseen: unseenIn(tutorial, byLine(out), here) }
  } finally {
    endGroup(child.pid)
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** All at once, so that nothing is replaced in what was put in. */
const replacing = (instead: Readonly<Record<string, string>>): ((text: string) => string) => {
  const texts = Object.keys(instead).map((one) => one.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  const any = new RegExp(texts.join('|'), 'g')
  return (text) => (texts.length === 0 ? text : text.replaceAll(any, (found) => instead[found] ?? found))
}

/** The script and what it left in the background. */
const endGroup = (pid: number | undefined): void => {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // nothing of it is left
  }
}

const byLine = (out: string): Map<number, string> =>
  new Map(
    out.split(`\n${MARK}`).flatMap((part) => {
      const [, line, text = ''] = /^(\d+)\n([^]*)$/.exec(part) ?? []
      return line === undefined ? [] : [[Number(line), text] as const]
    }),
  )

/** What a page shows of an output, without what differs from run to run. */
export const plain = (line: string): string =>
  line
    .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?/g, '<time>')
    .replaceAll(/\b[0-9a-f]{8,}(-[0-9a-f]{4,12})*\b/g, '<id>')
    .replaceAll(/\d+(\.\d+)? ?(µs|ms|s|B|KiB|MiB)(?![\w])/g, '<n>')
    .replaceAll(/─+/g, '─')
    .replaceAll(/\s+/g, ' ')
    .trim()

/**
 * The lines that a page shows and that were not printed, in that order. `...` stands for any lines, and at the end of a
 * line for the rest of it.
 */
export const notPrinted = (shown: string, printed: string): string[] => {
  const lines = printed.split('\n').map(plain)
  let at = 0
  return shown
    .split('\n')
    .map(plain)
    .filter((line) => line.replaceAll(/[│ ]/g, '') !== '' && !/^[│ ]*\.\.\.$/.test(line))
    .filter((line) => {
      const start = line.endsWith('...') ? line.slice(0, -3).trimEnd() : undefined
      const found = lines.findIndex((one, n) => n >= at && (start === undefined ? one === line : one.startsWith(start)))
      if (found >= 0) at = found + 1
      return found < 0
    })
}

/** Each block of output is that of the commands before it. */
const unseenIn = ({ page, blocks }: Tutorial, out: ReadonlyMap<number, string>, here: (text: string) => string) =>
  blocks.flatMap(({ language, name, text, line }, index) => {
    if (language !== 'text' || name !== '') return []
    const by = blocks.slice(0, index).findLast((one) => one.language === 'sh' && one.name === '')
    const printed = out.get(by?.line ?? 0) ?? ''
    return notPrinted(here(text), printed).map((missing) => `${page}:${line}: ${missing}`)
  })
