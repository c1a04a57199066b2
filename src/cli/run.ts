import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import pc from 'picocolors'
import { mountAdmin } from '../admin.ts'
import { type ConfigOptions, listenerText, systemFiles, watchedFiles } from '../config/index.ts'
import { createGateway, type Gateway } from '../gateway.ts'
import type { Journal } from '../journal/index.ts'
import { memoryJournal } from '../journal/memory.ts'
import { sqliteJournal } from '../journal/sqlite.ts'
import { createLog } from '../log.ts'
import { inputOf } from '../options.ts'
import type { Log } from '../plugin.ts'
import { listen, type Listeners } from '../serve.ts'
import { fileState, memoryState } from '../state.ts'
import { startTelemetry } from '../telemetry/start.ts'
import { drawTrace, type Paint, PLAIN } from '../trace-tree.ts'
import { VERSION } from '../version.ts'
import {
  configOption,
  falcosidekickOption,
  gatewayOptions,
  type LoadFlags,
  loadedOrExit,
  loadQuietly,
  modeOption,
  repeatable,
} from './load.ts'
import { warnOfMissing } from './permissions.ts'
import { createProgress } from './progress.ts'
import { watchConfig } from './reload.ts'
import { Exit, type Terminal } from './terminal.ts'

/** How long the journal gets to write what is left, in milliseconds. */
const FLUSH = 5_000

/** How long running responses get to finish after Ctrl-C, in milliseconds. */
const DEADLINE = 15_000

export const runCommand = (terminal: Terminal): Command => {
  const command = new Command('run')
    .description('Take events in, answer them, tell the outputs, until Ctrl-C.')
    .addOption(configOption())
    .addOption(falcosidekickOption())
    .addOption(modeOption())
    .option('--once', 'end when every file has been read and every response has ended')
    .addHelpText(
      'after',
      `
With --file, no configuration is read: the file is followed from its beginning, its alerts are answered by --rules,
and each response is printed as a tree. Nothing is changed unless --mode enforce is given.

Examples:
  yarak run                                                   the demo, or ./yarak.yaml when there is one
  yarak run --config yarak.yaml --mode observe                show what a configuration would do
  yarak run --falcosidekick config.yaml                       in place of Falcosidekick, with its file
  yarak run --file /var/log/falco.jsonl --rules rules.yaml    follow a log
  yarak run --file events.jsonl --rules rules.yaml --once --mode enforce

Ctrl-C takes no new events and lets what runs finish; a second one ends at once.`,
    )
    .action((flags: LoadFlags) => run(flags, terminal))
  repeatable(command, '-f, --file <file>', 'follow this file of alerts, one JSON object a line (repeatable)')
  return repeatable(command, '-r, --rules <file>', 'rules file (repeatable)')
}

const run = async (flags: LoadFlags, terminal: Terminal): Promise<void> => {
  if (flags.rules && !flags.file) {
    terminal.err(
      'yarak: --rules goes with --file; a configuration names its rules itself\n(yarak run --help shows how)\n',
    )
    throw new Exit(2)
  }
  const files = watchedFiles(systemFiles())
  const { options, plugins } = await loadedOrExit(flags, terminal, files)
  const again = async () => {
    const fresh = watchedFiles(systemFiles())
    return { loaded: await loadQuietly(flags, terminal, fresh), files: fresh }
  }
  const { onHangup = () => {} } = terminal
  const progress = flags.once ? createProgress(terminal) : undefined
  const { out, err } = progress?.terminal ?? terminal
  const trial = flags.file !== undefined
  const log = createLog({ ...options.log, stream: { write: err, isTTY: terminal.tty } })
  const paint = paintOf(terminal)
  const journal = await openJournal(options, trial, log)
  const gateway = createGateway({
    ...gatewayOptions(options),
    undoing: plugins.actions,
    ...(progress && { inputs: progress.watch(options.inputs) }),
    env: terminal.env,
    log,
    journal,
    state: trial ? memoryState() : fileState(options.dataDir, (problem) => log.warn(problem.message)),
  })
  terminal.err(banner(options, trial, paint))
  const telemetry = await startTelemetry({
    version: VERSION,
    env: terminal.env,
    log,
    counters: gateway.counters,
    onTrace: options.telemetry.console ? (spans) => out(`${drawTrace(spans, paint)}\n\n`) : undefined,
  })
  const extra = mountAdmin({
    journal,
    gateway,
    outputs: () => gateway.health().outputs,
    replay: gateway.replay,
    token: options.admin.token,
  })
  const listeners = listen(gateway, trial ? [] : options.listen, log, { extra })
  await gateway.start()
  void warnOfMissing({ options, plugins, env: terminal.env }, log)
  if (!flags.once) void watchConfig({ gateway, log, options, files, load: again, onHangup, signal: terminal.signal })
  await untilDone(gateway, flags.once === true, terminal.signal)
  if (terminal.signal.aborted) log.info('stopping', { unsettled: gateway.health().unsettled, deadline_ms: DEADLINE })
  await stop(gateway, listeners)
  // a disk that hangs must not hold up the end
  await Promise.race([journal.close(), sleep(FLUSH, undefined, { ref: false })])
  await telemetry.stop(5_000)
  if (!progress) return
  terminal.err(progress.end())
  if (gateway.health().inputs.some(({ state }) => state === 'failing')) throw new Exit(1)
}

/** What is accepted must outlive a crash; in a trial nothing is written. */
const openJournal = async ({ dataDir, journal }: ConfigOptions, trial: boolean, log: Log): Promise<Journal> =>
  trial || !journal.enabled
    ? memoryJournal()
    : sqliteJournal({ path: join(dataDir, 'journal.db'), maxSize: journal.maxSize, log })

const untilDone = (gateway: Gateway, once: boolean, signal: AbortSignal): Promise<unknown> => {
  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  return once ? Promise.race([gateway.ended(), stopped]) : stopped
}

const stop = async (gateway: Gateway, listeners: Listeners): Promise<void> => {
  await Promise.all([listeners.close(), gateway.stop({ deadline: DEADLINE })])
}

const paintOf = ({ colours }: Terminal): Paint => {
  if (!colours.out) return PLAIN
  const { green, red, dim, bold } = pc.createColors(true)
  return { ok: green, bad: red, dim, bold }
}

const journalText = ({ journal, dataDir }: ConfigOptions): string =>
  journal.enabled ? join(dataDir, 'journal.db') : 'off: what is accepted is lost in a crash'

const banner = (options: ConfigOptions, trial: boolean, { bold, dim }: Paint): string => {
  const names = (ids: readonly string[]): string => (ids.length > 0 ? ids.join(', ') : dim('none'))
  const { inputs, rules, outputs, mode } = options
  const observed = rules.filter((rule) => rule.mode === 'observe').length
  const explained = mode === 'observe' ? 'observe (nothing is changed)' : 'enforce (steps really act)'
  return [
    `${bold('Yarak')} ${VERSION}`,
    `  mode     ${explained}`,
    `  inputs   ${names(inputs.map((input) => inputOf(input).id))}`,
    `  rules    ${rules.length}${observed > 0 && mode === 'enforce' ? `, of which ${observed} only observe` : ''}`,
    `  outputs  ${names(outputs.map(({ output }) => output.id))}`,
    ...(trial ? [] : [`  journal  ${journalText(options)}`]),
    ...(trial
      ? []
      : [`  listen   ${options.listen.map(listenerText).join(', ')}  ${dim('/healthz /readyz /metrics')}`]),
    '',
    '',
  ].join('\n')
}
