import { Argument, Command, InvalidArgumentError } from 'commander'
import { YarakError } from '../errors.ts'
import type { StoredResponse } from '../journal/index.ts'
import { reportSpans } from '../trace-report.ts'
import { placeOptions, type PlaceFlags } from './admin-client.ts'
import { allOf, findHistory, type History } from './history.ts'
import { loadQuietly } from './load.ts'
import type { Terminal } from './terminal.ts'
import { jsonText, oneLine } from './text.ts'
import { paintOf, treeText } from './tree.ts'

interface Flags extends PlaceFlags {
  readonly json?: boolean
}

export const traceCommand = (terminal: Terminal): Command =>
  placeOptions(new Command('trace'))
    .description('Show the responses of a trace as a tree, step by step.')
    .addArgument(
      new Argument('<id>', 'a trace id, a response id, the first 4 or more digits of one, or a traceparent').argParser(
        idOf,
      ),
    )
    .option('--json', 'as JSON: an array of {report, undone}')
    .addHelpText(
      'after',
      `
Looks for a trace first, then for a response. Responses of one trace are printed together, the oldest first. Responses
that changed something, or would have, and those that did not succeed are kept for 7 days, at most 100,000.
Asks the running gateway; when none answers, reads the file that it left. Times are UTC.

Examples:
  yarak trace 4bf92f3577b34da6a3ce929d0e0e4736        a trace id, of a log line or a notice
  yarak trace 3f9a1c                                  the beginning of a response id, of \`yarak responses ls\`
  yarak trace 4bf92f35 --json | jq '.[].report.outcome'

Exits with 1 when nothing is found.`,
    )
    .action(async (id: string, flags: Flags) => {
      const found = await tracedBy(await findHistory(flags, terminal), id)
      if (flags.json) return terminal.out(jsonText(found.map(({ seq: _, ...row }) => row)))
      terminal.out(treeText(found.flatMap(reportSpans), terminal))
      terminal.out(lastLine(found[0]?.report.traceId, await traceUrl(flags, terminal), terminal))
    })

const idOf = (given: string): string => {
  const id = given.trim().toLowerCase()
  const [, trace] = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(id) ?? []
  if (trace !== undefined || /^[0-9a-f]{4,32}$/.test(id)) return trace ?? id
  throw new InvalidArgumentError('It must be 4 to 32 hexadecimal digits, or a traceparent.')
}

/**
 * The responses of a trace, or the one response, the oldest first.
 * @throws YarakError `not_found` when there is none, or the ids of several traces or responses begin so
 */
const tracedBy = async (history: History, id: string): Promise<StoredResponse[]> => {
  const traced = await allOf(history, { trace: id })
  const found = traced.length > 0 ? traced : await allOf(history, { id })
  const [kind, ids] =
    traced.length > 0
      ? (['traces', traced.map(({ report }) => report.traceId ?? '')] as const)
      : (['responses', found.map(({ report }) => report.id)] as const)
  const different = [...new Set(ids)]
  if (different.length > 1) throw new YarakError('not_found', several(id, kind, different))
  if (found.length > 0) return found.reverse()
  throw new YarakError(
    'not_found',
    `the journal has no trace and no response ${id}: it keeps responses for 7 days, and of those that succeeded only ` +
      'those that changed something, or would have; `yarak responses ls` lists them',
  )
}

/** Ids that are told. */
const TOLD = 5

const several = (id: string, kind: string, ids: readonly string[]): string => {
  const more = ids.length > TOLD ? ` and ${ids.length - TOLD} more` : ''
  return `the ids of several ${kind} begin with ${id}: ${ids.slice(0, TOLD).join(', ')}${more}; give more digits`
}

/** What the journal does not know, and where it is found. */
const lastLine = (traceId: string | undefined, url: string | undefined, terminal: Terminal): string => {
  const { dim } = paintOf(terminal)
  if (traceId === undefined) return `${dim('It was not traced: of reception, calls and notices nothing is known.')}\n`
  const link = url === undefined ? '' : `: ${oneLine(url.replaceAll('{traceId}', traceId), 1_000)}`
  return `${dim(`Reception, calls and notices are in the trace itself, not in the journal${link}`)}\n`
}

/** As the configuration has it; a gateway that is named by its address may have another. */
const traceUrl = async (flags: Flags, terminal: Terminal): Promise<string | undefined> => {
  const { config, url, socket } = flags
  const unknown = config === '-' || (config === undefined && (url !== undefined || socket !== undefined))
  return unknown ? undefined : (await loadQuietly(flags, terminal)).options?.traceUrl
}
