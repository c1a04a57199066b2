import { Command } from 'commander'
import { systemFiles, watchedFiles } from '../config/index.ts'
import type { Gateway } from '../gateway.ts'
import { areaLog } from '../log-area.ts'
import { banner } from './banner.ts'
import { openDaemon } from './daemon.ts'
import {
  configOption,
  falcosidekickOption,
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
import { paintOf } from './tree.ts'

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
  // from here on a hangup ends nothing, and what the files became is seen when the watching begins
  let hangUp = (): void => {}
  if (!flags.once) terminal.onHangup?.(() => hangUp())
  const progress = flags.once ? createProgress(terminal) : undefined
  const trial = flags.file !== undefined
  const { gateway, log, close } = await openDaemon({
    ...{ options, plugins, trial },
    inputs: progress?.watch(options.inputs),
    terminal: progress?.terminal ?? terminal,
    started: () => terminal.err(banner(options, trial, paintOf(terminal))),
  })
  await gateway.start()
  const configLog = areaLog(log, 'config')
  void warnOfMissing({ options, plugins, env: terminal.env }, configLog)
  if (!flags.once)
    void watchConfig({
      ...{ gateway, log: configLog, options, files, load: again, signal: terminal.signal },
      onHangup: (listener) => void (hangUp = listener),
    })
  await untilDone(gateway, flags.once === true, terminal.signal)
  await close()
  if (!progress) return
  terminal.err(progress.end())
  if (gateway.health().inputs.some(({ state }) => state === 'failing')) throw new Exit(1)
}

const untilDone = (gateway: Gateway, once: boolean, signal: AbortSignal): Promise<unknown> => {
  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  return once ? Promise.race([gateway.ended(), stopped]) : stopped
}
