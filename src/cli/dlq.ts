import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import pc from 'picocolors'
import type { LetterSummary } from '../admin.ts'
import { messageOf } from '../errors.ts'
import type { LetterQuery, StoredLetter } from '../journal/index.ts'
import { findPlace, type Place, placeOptions, type PlaceFlags } from './dead-letters.ts'
import { plainTable } from './table.ts'
import { Exit, plural, type Terminal } from './terminal.ts'
import { bytesText } from '../text-width.ts'
import { jsonText, oneLine, printable, timeText } from './text.ts'

interface Flags extends PlaceFlags, Pick<LetterQuery, 'kind' | 'from' | 'reason' | 'limit'> {
  readonly json?: boolean
  readonly all?: boolean
}

export const dlqCommand = (terminal: Terminal): Command =>
  new Command('dlq')
    .description('Work with dead letters: what no output took, and what was no event.')
    .addCommand(lsCommand(terminal))
    .addCommand(showCommand(terminal))
    .addCommand(replayCommand(terminal))
    .addCommand(rmCommand(terminal))

const lsCommand = (terminal: Terminal): Command =>
  filters(placeOptions(new Command('ls')))
    .description('List dead letters, the oldest first.')
    .addOption(number('--limit <n>', 'how many at most').default(100))
    .option('--json', 'as JSON: an array of {id, at, kind, from, reason, message, length, ...}')
    .addHelpText(
      'after',
      `
Asks the running gateway; when none answers, reads the file that it left. Times are UTC.

Examples:
  yarak dlq ls
  yarak dlq ls --kind notice --from slack/secops
  yarak dlq ls --reason invalid --limit 10 --json`,
    )
    .action(async (flags: Flags) => {
      const letters = await choose(await findPlace(flags, terminal), flags, flags.limit)
      if (flags.json) return terminal.out(jsonText(letters))
      terminal.out(letters.length > 0 ? `${tableOf(letters, terminal)}\n` : 'no dead letters\n')
    })

const showCommand = (terminal: Terminal): Command =>
  placeOptions(new Command('show'))
    .description('Show one dead letter, with its body.')
    .addArgument(new Argument('<id>', 'as `yarak dlq ls` tells').argParser(idOf))
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Examples:
  yarak dlq show 17
  yarak dlq show 17 --json`,
    )
    .action(async (id: number, flags: Flags) => {
      const letter = await (await findPlace(flags, terminal)).show(id)
      terminal.out(flags.json ? jsonText(letter) : pageOf(letter, terminal))
    })

const replayCommand = (terminal: Terminal): Command =>
  several(new Command('replay'))
    .description('Try dead letters again, one after the other; those that can be tried are removed.')
    .addHelpText(
      'after',
      `
A notice goes to its output once more, the text of an event is taken in anew. It is the running gateway that does this.

Examples:
  yarak dlq replay 17 18
  yarak dlq replay --from slack/secops
  yarak dlq replay --all --json

Exits with 1 when any cannot be replayed; it then stays.`,
    )
    .action((ids: readonly number[], flags: Flags) =>
      each(ids, flags, terminal, (place, id) => place.replay(id), 'replayed'),
    )

const rmCommand = (terminal: Terminal): Command =>
  several(new Command('rm'))
    .description('Remove dead letters for good.')
    .addHelpText(
      'after',
      `
Examples:
  yarak dlq rm 17 18
  yarak dlq rm --kind event --reason invalid
  yarak dlq rm --all

Exits with 1 when any is not there.`,
    )
    .action((ids: readonly number[], flags: Flags) =>
      each(ids, flags, terminal, (place, id) => place.remove(id).then(() => 'removed'), 'removed'),
    )

// ── options ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const whole = (text: string): number => {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('It must be a whole number, 1 or more.')
  return Number(text)
}

const number = (flags: string, description: string): Option => new Option(flags, description).argParser(whole)

const idOf = (text: string): number => whole(text)

const filters = (command: Command): Command =>
  command
    .addOption(new Option('--kind <kind>', 'only these').choices(['event', 'notice']))
    .option('--from <id>', 'only those of this output or input')
    .option('--reason <word>', 'only those with this reason')

const several = (command: Command): Command =>
  filters(placeOptions(command))
    .addArgument(
      new Argument('[ids...]', 'as `yarak dlq ls` tells').argParser((text, all: readonly number[] = []) => [
        ...all,
        idOf(text),
      ]),
    )
    .option('--all', 'all of them')
    .option('--json', 'as JSON: an array of {id, outcome} or {id, error}')

// ── what they do ────────────────────────────────────────────────────────────────────────────────────────────────────

/** Letters that are asked for at once. */
const PAGE = 500

const choose = async (place: Place, { kind, from, reason }: Flags, limit = Infinity): Promise<LetterSummary[]> => {
  const letters: LetterSummary[] = []
  for (let after: number | undefined = 0; after !== undefined && letters.length < limit;) {
    const size = Math.min(PAGE, limit - letters.length)
    const page = await place.page({ after, limit: size, ...defined({ kind, from, reason }) })
    letters.push(...page.letters)
    after = page.next
  }
  return letters
}

const defined = (query: { [K in keyof LetterQuery]: LetterQuery[K] | undefined }): LetterQuery =>
  Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined))

/** Does something to each: those named, or those chosen before the first is touched. */
const each = async (
  ids: readonly number[],
  flags: Flags,
  terminal: Terminal,
  work: (place: Place, id: number) => Promise<string>,
  done: string,
): Promise<void> => {
  const chosen = (flags.kind ?? flags.from ?? flags.reason ?? flags.all) !== undefined
  if (chosen === ids.length > 0) {
    terminal.err(`yarak: say which: ids, or else --kind, --from, --reason, or --all\n(yarak dlq --help shows how)\n`)
    throw new Exit(2)
  }
  const place = await findPlace(flags, terminal)
  const all = chosen ? (await choose(place, flags)).map(({ id }) => id) : ids
  const results: ({ id: number; outcome: string } | { id: number; error: string })[] = []
  for (const id of all) {
    try {
      const outcome = await work(place, id)
      results.push({ id, outcome })
      if (!flags.json && outcome !== done) terminal.out(`${id} ${printable(outcome)}\n`)
    } catch (error) {
      results.push({ id, error: messageOf(error) })
      terminal.err(`yarak: ${id}: ${printable(messageOf(error))}\n`)
    }
  }
  const failed = results.filter((one) => 'error' in one).length
  if (flags.json) terminal.out(jsonText(results))
  else terminal.out(`${done} ${plural(all.length - failed, 'dead letter')}\n`)
  if (failed > 0) throw new Exit(1)
}

// ── for people ──────────────────────────────────────────────────────────────────────────────────────────────────────

const MESSAGE = 80

const tableOf = (letters: readonly LetterSummary[], { colours }: Terminal): string => {
  const { dim, bold } = pc.createColors(colours.out)
  const rows = letters.map(({ id, at, kind, from, reason, message }) => [
    bold(String(id)),
    timeText(at),
    kind,
    oneLine(from, 40),
    oneLine(reason, 30),
    oneLine(message, MESSAGE),
  ])
  return plainTable([['ID', 'WHEN', 'KIND', 'FROM', 'REASON', 'MESSAGE'].map((head) => dim(head)), ...rows])
}

const pageOf = (letter: StoredLetter, { colours }: Terminal): string => {
  const { dim } = pc.createColors(colours.out)
  const { id, at, kind, from, reason, message, body, position, attempts, truncated } = letter
  const facts = [
    ['id', String(id)],
    ['when', `${timeText(at)} UTC`],
    ['kind', kind],
    ['from', from],
    ['reason', reason],
    ['message', message],
    ...(position === undefined ? [] : [['position', position]]),
    ...(attempts === undefined ? [] : [['attempts', String(attempts)]]),
    ['body', truncated ? `the first ${bytesText(Buffer.byteLength(body))}` : bytesText(Buffer.byteLength(body))],
  ]
  const rows = facts.map(([name = '', value = '']) => [dim(name), oneLine(value, 1_000)])
  return `${plainTable(rows)}\n\n${printable(pretty(body))}\n`
}

const pretty = (text: string): string => {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return text
  }
}
