import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import pc from 'picocolors'
import type { StoredResponse, Undone } from '../journal/index.ts'
import type { Outcome, StepReport, Undoable } from '../plugin.ts'
import { isUndone } from '../undo.ts'
import { placeOptions, type PlaceFlags } from './admin-client.ts'
import { allOf, findHistory, type History, oneOf } from './history.ts'
import { plainTable } from './table.ts'
import { Exit, type Terminal } from './terminal.ts'
import { jsonText, oneLine, printable, timeText } from './text.ts'

interface Flags extends PlaceFlags {
  readonly json?: boolean
}

interface ListFlags extends Flags {
  readonly rule?: string
  readonly outcome?: Outcome
  readonly undoable?: boolean
  readonly limit: number
}

export const responsesCommand = (terminal: Terminal): Command =>
  new Command('responses')
    .description('Look at what rules have done, and take it back.')
    .addCommand(lsCommand(terminal))
    .addCommand(showCommand(terminal))
    .addCommand(undoCommand(terminal))

const OUTCOMES: readonly Outcome[] = [
  ...(['succeeded', 'failed', 'timed_out', 'refused'] as const),
  ...(['skipped', 'gone', 'unknown', 'interrupted'] as const),
]

const whole = (text: string): number => {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('It must be a whole number, 1 or more.')
  return Number(text)
}

const lsCommand = (terminal: Terminal): Command =>
  placeOptions(new Command('ls'))
    .description('List responses, the latest first.')
    .option('--rule <name>', 'only those of this rule')
    .addOption(new Option('--outcome <outcome>', 'only those that ended so').choices([...OUTCOMES]))
    .option('--undoable', 'only those of which something can be undone; asks the cluster')
    .addOption(new Option('--limit <n>', 'how many at most').argParser(whole).default(100))
    .option('--json', 'as JSON: an array of {report, undone}, with --undoable also {undoable}')
    .addHelpText(
      'after',
      `
Responses that changed something, or would have, and those that did not succeed are kept for 7 days, at most 100,000.
Asks the running gateway; when none answers, reads the file that it left. Times are UTC.

Examples:
  yarak responses ls
  yarak responses ls --rule 'Shell in a container' --outcome refused
  yarak responses ls --undoable --json`,
    )
    .action(async (flags: ListFlags) => {
      const history = await findHistory(flags, terminal)
      const changes = flags.undoable ? await history.undoable() : undefined
      const rows = await rowsOf(history, flags, changes)
      if (flags.json) return terminal.out(jsonText(rows))
      terminal.out(rows.length > 0 ? `${tableOf(rows, terminal)}\n` : 'no responses\n')
    })

/** A response of a list; with what can be undone of it, where that was asked. */
type Row = Omit<StoredResponse, 'seq'> & { readonly undoable?: readonly Undoable[] }

const rowsOf = async (
  history: History,
  { rule, outcome, limit }: ListFlags,
  changes: readonly Undoable[] | undefined,
): Promise<Row[]> => {
  const query = { ...(rule !== undefined && { rule }), ...(outcome && { outcome }) }
  const found = await allOf(history, query, changes ? Infinity : limit)
  if (!changes) return found.map(({ seq: _, ...row }) => row)
  return found
    .map(({ seq: _, ...row }) => ({ ...row, undoable: changes.filter(({ response }) => response === row.report.id) }))
    .filter(({ undoable }) => undoable.length > 0)
    .slice(0, limit)
}

const ID = new Argument('<id>', 'as `yarak responses ls` tells, or its beginning')

const showCommand = (terminal: Terminal): Command =>
  placeOptions(new Command('show'))
    .description('Show one response, step by step.')
    .addArgument(ID)
    .option('--json', 'as JSON: {report, undone}')
    .addHelpText(
      'after',
      `
Examples:
  yarak responses show 3f9a1c
  yarak responses show 3f9a1c --json`,
    )
    .action(async (id: string, flags: Flags) => {
      const { seq: _, ...found } = await oneOf(await findHistory(flags, terminal), id)
      terminal.out(flags.json ? jsonText(found) : pageOf(found, terminal))
    })

const undoCommand = (terminal: Terminal): Command =>
  placeOptions(new Command('undo'))
    .description('Take back what a response changed.')
    .addArgument(ID)
    .option('--step <id>', 'only what this step changed')
    .option('--json', 'as JSON: an array of {action, step, object, outcome, summary, ...}')
    .addHelpText(
      'after',
      `
What was changed is noted on the things themselves, so the running gateway is asked for it, or else the cluster. What is
something else by now than what the response made of it is left alone. A whole id is found also when it is not in the
journal: another replica may have made the change.

Examples:
  yarak responses undo 3f9a1c
  yarak responses undo 3f9a1c --step isolate

Exits with 1 when there is nothing to undo, or any change could not be undone.`,
    )
    .action(async (id: string, flags: Flags & { readonly step?: string }) => {
      const history = await findHistory(flags, terminal)
      const undone = await history.undo(isWhole(id) ? id : (await oneOf(history, id)).report.id, flags.step)
      terminal.out(flags.json ? jsonText(undone) : undone.map(lineOf).join(''))
      if (!undone.every(isUndone)) throw new Exit(1)
    })

const isWhole = (id: string): boolean => /^[0-9a-f]{32}$/.test(id)

// ── for people ──────────────────────────────────────────────────────────────────────────────────────────────────────

const lineOf = ({ step, outcome, summary }: Undone): string =>
  `${printable(step)}: ${outcome === 'succeeded' ? '' : `${outcome}: `}${oneLine(summary, 1_000)}\n`

const HEADS = ['ID', 'WHEN', 'OUTCOME', 'RULE', 'TARGET']

const tableOf = (rows: readonly Row[], { colours }: Terminal): string => {
  const { dim, bold } = pc.createColors(colours.out)
  const withUndo = rows.some(({ undoable }) => undoable)
  const lines = rows.map(({ report, undone, undoable }) => [
    bold(report.id),
    timeText(Date.parse(report.startedAt)),
    `${report.outcome}${noteOf({ report, undone })}`,
    oneLine(report.rule, 40),
    oneLine(report.target ?? '-', 60),
    ...(withUndo ? [untilText(undoable ?? [])] : []),
  ])
  return plainTable([[...HEADS, ...(withUndo ? ['UNDONE AT'] : [])].map((head) => dim(head)), ...lines])
}

const noteOf = ({ report, undone }: Pick<Row, 'report' | 'undone'>): string => {
  const notes = [
    ...(report.handedOverTo === undefined ? [] : ['handed-over']),
    ...(report.mode === 'observe' ? ['observed'] : []),
    ...(undone.length > 0 ? ['undone'] : []),
  ]
  return notes.length > 0 ? ` (${notes.join(', ')})` : ''
}

/** When the first of the changes is undone by itself. */
const untilText = (changes: readonly Undoable[]): string => {
  const first = Math.min(...changes.map(({ expires }) => (expires === undefined ? Infinity : Date.parse(expires))))
  return first === Infinity ? 'when asked' : timeText(first)
}

const pageOf = ({ report, undone }: Row, { colours }: Terminal): string => {
  const { dim } = pc.createColors(colours.out)
  const facts = [
    ['id', report.id],
    ['rule', report.rule],
    ['outcome', report.outcome],
    ['mode', report.mode],
    ['target', report.target],
    ['cluster', report.cluster],
    ['handed over to', report.handedOverTo],
    ['event', report.event],
    ['when', `${timeText(Date.parse(report.startedAt))} UTC, for ${durationText(report.duration)}`],
    ['trace', report.traceId],
  ].flatMap(([name = '', value]) => (value === undefined ? [] : [[dim(name), oneLine(value, 1_000)]]))
  const steps = report.steps.map((step) => stepRow(step, undone))
  return `${plainTable(facts)}\n\n${plainTable([['STEP', 'ACTION', 'OUTCOME', 'WHAT'].map((head) => dim(head)), ...steps])}\n`
}

const stepRow = ({ id, action, outcome, summary, simulated }: StepReport, undone: readonly Undone[]): string[] => {
  const back = undone.filter(({ step }) => step === id).map(({ at }) => timeText(Date.parse(at)))
  const more = back.length > 0 ? ` (undone ${back.join(', ')})` : ''
  return [oneLine(id, 40), action, simulated ? `${outcome} (observed)` : outcome, `${oneLine(summary, 300)}${more}`]
}

const durationText = (ms: number): string => (ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`)
