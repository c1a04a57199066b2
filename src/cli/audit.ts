import { InvalidArgumentError, Command, Option } from 'commander'
import { stat } from 'node:fs/promises'
import pc from 'picocolors'
import { fullFiles, linesOf } from '../audit-files.ts'
import { type AuditLine, readLine } from '../audit-line.ts'
import { type Verified, verifyAudit } from '../audit-verify.ts'
import { auditPath } from '../config/index.ts'
import { whyNot } from '../config/files.ts'
import { YarakError } from '../errors.ts'
import { parseDuration } from '../settings.ts'
import { configOption, loadOrExit, type LoadFlags } from './load.ts'
import { plainTable } from './table.ts'
import { Exit, plural, type Terminal } from './terminal.ts'
import { jsonText, oneLine, printable } from './text.ts'

const KINDS = ['admin', 'guard', 'config', 'step', 'undo', 'recovered', 'outage'] as const satisfies AuditLine['kind'][]

interface LsFlags extends LoadFlags {
  readonly kind?: AuditLine['kind']
  /** Milliseconds since the epoch. */
  readonly since?: number
  readonly limit: number
  readonly json?: boolean
}

interface VerifyFlags extends LoadFlags {
  readonly part?: boolean
  readonly head?: string
  readonly json?: boolean
}

export const auditCommand = (terminal: Terminal): Command =>
  new Command('audit')
    .description('Work with the record of who did what.')
    .addCommand(lsCommand(terminal))
    .addCommand(verifyCommand(terminal))

const lsCommand = (terminal: Terminal): Command =>
  new Command('ls')
    .description('List what was done and what was refused, the latest last.')
    .addOption(configOption())
    .addOption(new Option('--kind <kind>', 'only these').choices(KINDS))
    .addOption(new Option('--since <when>', 'only later ones: a time, or how long ago, e.g. 2h').argParser(sinceOf))
    .addOption(new Option('--limit <n>', 'how many at most, the latest').argParser(countOf).default(100))
    .option('--json', 'as JSON: an array of lines, with their hashes')
    .addHelpText(
      'after',
      `
Reads the files, so no gateway needs to run; whoever may read them may do this. Times are UTC.

Examples:
  yarak audit ls
  yarak audit ls --kind guard --since 24h
  yarak audit ls --since 2026-01-31T08:00:00Z --limit 1000 --json`,
    )
    .action(async ({ kind, since = 0, limit, json, ...flags }: LsFlags) => {
      const chosen: AuditLine[] = []
      for (const file of await filesOf(flags, terminal))
        for await (const { bytes } of linesOf(file)) {
          const line = readLine(bytes)
          if (typeof line !== 'object' || (kind && line.kind !== kind) || Date.parse(line.time) < since) continue
          chosen.push(line)
          if (chosen.length > limit) chosen.shift()
        }
      if (json) return terminal.out(jsonText(chosen))
      terminal.out(chosen.length > 0 ? `${tableOf(chosen, terminal)}\n` : 'nothing is recorded\n')
    })

const verifyCommand = (terminal: Terminal): Command =>
  new Command('verify')
    .description('Find out whether the record was changed: each line carries the hash of the one before.')
    .argument('[files...]', 'files of one record, the oldest first (default: those of the configuration)')
    .addOption(configOption())
    .option('--part', 'the files begin in the middle of a record')
    .option('--head <hash>', 'a line with this hash must be there, e.g. the last one that was seen')
    .option('--json', 'as JSON: {lines, recovered, first, last, faults}')
    .addHelpText(
      'after',
      `
Finds lines that were changed, removed, swapped or added. A cut end is found by the hash of the last line that was seen,
and so is a record that somebody made anew as a whole: keep that hash elsewhere, and give it as --head.

Examples:
  yarak audit verify
  yarak audit verify --head 6b0c5f1c5e0c2c6f3d7d9e2a4c8b7f1e0d9a3b5c7e6f8091a2b3c4d5e6f70819
  yarak audit verify audit.jsonl.1 audit.jsonl --json

Exits with 1 when anything is wrong.`,
    )
    .action(async (given: readonly string[], flags: VerifyFlags) => {
      const files = given.length > 0 ? given : await filesOf(flags, terminal)
      for (const file of given) if (!(await statOf(file)).isFile()) throw unreadable(file, 'it is not a file')
      const verified = await verifyAudit(files, { part: flags.part ?? false, head: flags.head })
      if (flags.json) terminal.out(jsonText(verified))
      else tell(verified, terminal)
      if (verified.faults.length > 0) throw new Exit(1)
    })

const statOf = (file: string) =>
  stat(file).catch((error: unknown) => {
    throw unreadable(file, whyNot(error))
  })

const unreadable = (file: string, why: string): YarakError => new YarakError('config', `cannot read ${file}: ${why}`)

const sinceOf = (text: string): number => {
  const ago = parseDuration(text)
  const at = ago === undefined ? Date.parse(text) : Date.now() - ago
  if (Number.isNaN(at)) throw new InvalidArgumentError('It must be a time such as 2026-01-31T08:00:00Z, or 2h.')
  return at
}

const countOf = (text: string): number => {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It must be a whole number, 1 or more.')
  return Number(text)
}

/** The files of the configured record that are there, the oldest first. */
const filesOf = async (flags: LoadFlags, terminal: Terminal): Promise<readonly string[]> => {
  const path = auditPath(await loadOrExit(flags, terminal))
  if (path === undefined) throw new YarakError('config', 'admin.audit.enabled is false: nothing is recorded')
  const full = (await fullFiles(path)).map((file) => file.path)
  const files = (await stat(path).catch(() => undefined)) ? [...full, path] : full
  if (files.length > 0) return files
  throw new YarakError('config', `there is no audit record at ${path}: no gateway with this configuration has run here`)
}

// ── for people ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Faults that are told; whoever wants all takes JSON. */
const MOST = 20

const tell = ({ lines, recovered, first, last, faults }: Verified, { out, err }: Terminal): void => {
  for (const { file, line, kind, message } of faults.slice(0, MOST)) err(`${file}:${line}: ${kind}: ${message}\n`)
  if (faults.length > MOST) err(`and ${faults.length - MOST} more\n`)
  const span = first && last ? `, from ${printable(first.time)} to ${printable(last.time)}` : ''
  const cut = recovered > 0 ? `, ${plural(recovered, 'write')} cut short by a crash` : ''
  out(`${plural(lines, 'line')}${span}${cut}${faults.length > 0 ? `; ${plural(faults.length, 'fault')}` : ''}\n`)
  if (last) out(`last hash ${last.hash}\n`)
}

const tableOf = (lines: readonly AuditLine[], { colours }: Terminal): string => {
  const { dim } = pc.createColors(colours.out)
  const rows = lines.map(({ seq, time, kind, who, what, target = '', verdict, why = '' }) => [
    ...[String(seq), time.slice(0, 19).replace('T', ' '), kind, oneLine(who, 40), oneLine(what, 60)],
    ...[oneLine(target, 40), oneLine(verdict, 24), oneLine(why, 60)],
  ])
  return plainTable([
    ['SEQ', 'WHEN', 'KIND', 'WHO', 'WHAT', 'TARGET', 'VERDICT', 'WHY'].map((head) => dim(head)),
    ...rows,
  ])
}
