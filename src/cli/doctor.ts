import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Command, InvalidArgumentError } from 'commander'
import type { ProcessFacts } from '../doctor/context.ts'
import { examine, type Finding } from '../doctor/index.ts'
import { words } from '../doctor/finding.ts'
import type { Stats } from '../doctor/gateway.ts'
import type { SendSample } from '../doctor/outputs.ts'
import { printFindings } from '../doctor/print.ts'
import { within } from '../doctor/within.ts'
import { duration } from '../settings.ts'
import { findAdmin, placeOptions, type PlaceFlags } from './admin-client.ts'
import { loadQuietly } from './load.ts'
import { sample } from './send.ts'
import { sendByOutput } from './send-output.ts'
import { Exit, type Terminal } from './terminal.ts'
import { jsonText } from './text.ts'

interface Flags extends PlaceFlags {
  readonly falco?: string
  readonly json?: boolean
  readonly send?: boolean
  readonly strict?: boolean
  readonly timeout: number
}

export const doctorCommand = (terminal: Terminal): Command =>
  placeOptions(new Command('doctor'))
    .description('Look at everything that keeps alerts from being answered, and say what to do about it.')
    .option('--falco <file>', "Falco's falco.yaml (default: /etc/falco/falco.yaml where there is one)")
    .option('--send', 'tell each output of a sample; without it nothing is sent to them')
    .option('--strict', 'exit with 1 for warnings too')
    .option(
      '--timeout <duration>',
      'how long one question may take; a sample has the time of its output',
      milliseconds,
      3_000,
    )
    .option('--json', 'as JSON: an array of {group, name, status, message, remedy?, place?}')
    .addHelpText(
      'after',
      `
It looks at versions, the configuration, listeners and their certificates, the gateway that runs, inputs, outputs, the
cluster, clocks, telemetry (the OTEL_* variables), the journal, Falco's configuration and its rules. Each line says ok,
warn, fail or skip; below what is not ok stands what to do. Nothing is changed, and no secret is printed.

Examples:
  yarak doctor
  yarak doctor --config yarak.yaml --falco /etc/falco/falco.yaml
  yarak doctor --config yarak.yaml --send             tell each output of a sample, too
  yarak doctor --url http://gateway:2801
  yarak doctor --strict --json | jq '.[] | select(.status != "ok")'

Exits with 0 when nothing fails, 1 when anything does (with --strict also for a warning), 2 for wrong usage.`,
    )
    .action((flags: Flags) => doctor(flags, terminal))

/** Milliseconds; a timer has its bounds, and people do too. */
const LONGEST = 600_000

const milliseconds = (text: string): number => {
  const { success, data } = duration().safeParse(text)
  if (!success || data === 0 || data > LONGEST)
    throw new InvalidArgumentError('It must be a duration such as 3s or 500ms, of at most 10m.')
  return data
}

const doctor = async (flags: Flags, terminal: Terminal): Promise<void> => {
  const { json = false, strict = false, timeout, falco, url } = flags
  const { env, signal, colours } = terminal
  const loaded = await loadQuietly(flags, terminal)
  const send = flags.send ? sendSample(flags, terminal) : undefined
  const stats = (): Promise<Stats> => askStats(flags, terminal)
  const findings = await whileSaying(terminal, () =>
    examine({ loaded, env, timeout, signal, facts: FACTS, falco, url, stats, send }),
  )
  terminal.out(json ? jsonText(findings) : printFindings(findings, colours.out))
  const isBad = ({ status }: Finding): boolean => status === 'fail' || (strict && status === 'warn')
  if (findings.some(isBad)) throw new Exit(1)
}

const ERASE = '\r\u001b[2K'

/** People who wait are told so. */
const whileSaying = async <T>({ tty, err }: Terminal, work: () => Promise<T>): Promise<T> => {
  if (tty) err('examining configuration, network and files ...')
  try {
    return await work()
  } finally {
    if (tty) err(ERASE)
  }
}

/** The same terminal, whose texts are kept. */
const keeping = (terminal: Terminal) => {
  const said: string[] = []
  const keep = (text: string): void => void said.push(text)
  return { said, terminal: { ...terminal, out: keep, err: keep } }
}

const askStats = async (flags: Flags, terminal: Terminal): Promise<Stats> => {
  try {
    const found = await within(flags.timeout, () => findAdmin(flags, keeping(terminal).terminal), terminal.signal)
    if (!('admin' in found)) return { refused: 'its administration does not answer' }
    return { stats: await within(flags.timeout, () => found.admin.ask<object>('GET', 'journal'), terminal.signal) }
  } catch (error) {
    return { refused: words(error) }
  }
}

/** What `yarak send --output` does, said in one line. */
const sendSample =
  (flags: Flags, terminal: Terminal): SendSample =>
  async (output) => {
    const kept = keeping(terminal)
    const words = (): string =>
      kept.said
        .join('')
        .replace(/^yarak: /, '')
        .trim()
    try {
      await sendByOutput(JSON.stringify(sample(new Date())), { ...flags, output }, kept.terminal)
      return words()
    } catch (error) {
      throw error instanceof Exit ? new Error(words()) : error
    }
  }

const FACTS: ProcessFacts = {
  node: process.versions.node,
  get openFiles() {
    try {
      const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
      return soft === undefined ? undefined : Number(soft)
    } catch {
      return undefined
    }
  },
  has(name) {
    try {
      createRequire(import.meta.url).resolve(name)
      return true
    } catch (error) {
      // one that only `import` can load is there as well
      return (error as { code?: string }).code !== 'MODULE_NOT_FOUND'
    }
  },
  lives(pid) {
    try {
      return process.kill(pid, 0)
    } catch (error) {
      return (error as { code?: string }).code === 'EPERM'
    }
  },
}
