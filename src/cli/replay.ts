import { accessSync, constants } from 'node:fs'
import { Command } from 'commander'
import { file as fileInput } from '../../inputs/file.ts'
import { stdin } from '../../inputs/stdin.ts'
import { whyNot } from '../config/files.ts'
import { YarakError } from '../errors.ts'
import { parseEvent } from '../event.ts'
import { createGateway } from '../gateway.ts'
import type { Input, Use } from '../plugin.ts'
import { createReplay, type Replay } from '../rules-tools/replay.ts'
import { createDifference } from '../rules-tools/replay-difference.ts'
import { differenceText, replayTable } from '../rules-tools/replay-text.ts'
import { configOption, repeatable } from './options.ts'
import { createProgress } from './progress.ts'
import { loadRules, type RuleFlags, rulesIn } from './rules-flags.ts'
import { plainTable } from './table.ts'
import { Exit, type Terminal } from './terminal.ts'
import { jsonText, oneLine, printable } from './text.ts'

interface Flags extends RuleFlags {
  readonly against?: readonly string[]
  readonly json?: boolean
}

export const replayCommand = (terminal: Terminal): Command => {
  const command = new Command('replay')
    .description('Tell what rules would have done about recorded alerts. Nothing is run or changed.')
    .argument('<file>', 'alerts, one a line, also gzip or wrapped by a log shipper; - is standard input')
    .addOption(configOption())
    .option(
      '--json',
      'print {rules: [{rule, events, responses, joined, outcomes, refused, failed}], against, difference}',
    )
    .addHelpText(
      'after',
      `
Examples:
  yarak replay falco.jsonl.gz --rules rules.yaml
  yarak replay falco.jsonl --config yarak.yaml --json
  yarak replay falco.jsonl --rules rules.yaml --against candidate.yaml
  zcat old/*.gz | yarak replay - --rules rules.yaml

What the alerts say of their targets is believed, no cluster is asked. An action does not run, and is counted as
succeeded unless a guard or its settings refuse it, or it needs a context, which is looked up in a run only. Alerts join a response by their own times.`,
    )
    .action((name: string, flags: Flags) => replay(name, flags, terminal))
  repeatable(command, '-r, --rules <file>', 'rules file (repeatable)')
  return repeatable(command, '--against <file>', 'candidate rules to compare with (repeatable)')
}

const replay = async (name: string, flags: Flags, terminal: Terminal): Promise<void> => {
  const loaded = await loadRules(flags, terminal)
  const current = createReplay(loaded)
  const candidate =
    flags.against && createReplay({ ...loaded, rules: await rulesIn(flags.against, loaded.contexts, terminal) })
  const difference = createDifference()
  const answer: Answer = async (raw, authenticated) => {
    const before = await current.answer(raw, authenticated)
    if (!candidate) return
    const after = await candidate.answer(raw, authenticated)
    difference.add(parseEvent(raw, { id: 'replay', input: 'replay' }), before, after)
  }
  const failed = await readAll(inputOf(name), answer, terminal)
  await Promise.all([current.stop(), candidate?.stop()])
  tell(current, candidate, difference, flags, terminal)
  if (failed) throw new Exit(1)
}

const tell = (
  current: Replay,
  candidate: Replay | undefined,
  difference: ReturnType<typeof createDifference>,
  { json, against = [] }: Flags,
  terminal: Terminal,
): void => {
  if (json) {
    const other = candidate && { against: candidate.list(), difference: difference.list() }
    return terminal.out(jsonText({ rules: current.list(), ...other }))
  }
  terminal.out(printable(`${replayTable(current.list(), plainTable)}\n`))
  if (!candidate) return
  terminal.out(printable(`\n${against.join(', ')}\n${replayTable(candidate.list(), plainTable)}\n\n`))
  terminal.out(differenceText(difference.list(), (text) => oneLine(text, 120)))
}

const inputOf = (name: string): Use<Input> => {
  if (name === '-') return stdin({})
  try {
    accessSync(name, constants.R_OK)
  } catch (error) {
    throw new YarakError('config', `cannot read ${name}: ${whyNot(error)}`)
  }
  return fileInput({ path: name, from: 'beginning', once: true })
}

type Answer = (raw: unknown, authenticated: string | undefined) => Promise<void>

/** Reads to the end, or until Ctrl-C; gives whether the input failed. */
const readAll = async (use: Use<Input>, answer: Answer, terminal: Terminal): Promise<boolean> => {
  const progress = createProgress(terminal)
  const gateway = createGateway({ inputs: progress.watch([answered(use, answer)]) })
  const stopped = new Promise<void>((resolve) => {
    terminal.signal.addEventListener('abort', () => resolve(), { once: true })
  })
  await gateway.start()
  await Promise.race([gateway.ended(), stopped])
  const failed = gateway.health().inputs.some(({ state }) => state === 'failing')
  await gateway.stop()
  const read = progress.end()
  if (use.plugin.type === 'file') terminal.err(read)
  return failed
}

/** The same input; what it emits is answered before it reads on. */
const answered = (use: Use<Input>, answer: Answer): Use<Input> => {
  const { plugin } = use
  return {
    ...use,
    plugin: {
      ...plugin,
      run: async (config, io) =>
        plugin.run?.(config, {
          ...io,
          async emit(raw, options) {
            const receipt = await io.emit(raw, options)
            await answer(raw, options?.authenticated)
            return receipt
          },
        }),
    },
  }
}
