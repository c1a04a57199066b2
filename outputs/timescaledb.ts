/** TimescaleDB, or any PostgreSQL: a row in a table for each notice. */
import { defineOutput, message, messageOf, type Notice, secret, wholeOrEach, YarakError, z } from '../src/plugin.ts'
import { connection } from './_connection.ts'
import { identifier, insert, type PostgresDriver, postgresDriver, type Row } from './_postgres.ts'
import { tlsSettings } from './_tls.ts'

/** `table`, `schema.table`, or with parts in double quotes. */
const PART = String.raw`(?:[A-Za-z_][\w$]*|"[^"\0]+")`
const TABLE = new RegExp(String.raw`^${PART}(?:\.${PART}){0,2}$`)

/** PostgreSQL takes 65,535 values in one statement. */
const MAX_COLUMNS = 500

const config = z.strictObject({
  host: z.string().min(1).describe('Host name or address of the server.'),
  port: z.int().min(1).max(65_535).default(5_432).describe('Port of the server. Default 5432.'),
  user: z.string().min(1).default('postgres').describe('User name. Default postgres.'),
  password: secret().default('postgres').describe('Password. Default postgres.'),
  database: z.string().min(1).default('falcosidekick').describe('Database. Default falcosidekick.'),
  hypertableName: z
    .string()
    .regex(TABLE, 'must be the name of a table, maybe with its schema; parts may be in double quotes')
    .default('falcosidekick_events')
    .describe('Table to insert into; it must exist. Default falcosidekick_events.'),
  columns: z
    .array(z.string().regex(/^[^\0]+$/, 'must be the name of a field'))
    .max(MAX_COLUMNS)
    .default([])
    .describe('Fields of the event that have a column of the same name. Default none.'),
  tls: tlsSettings(),
})

type Config = z.output<typeof config>

const tableOf = ({ hypertableName }: Config): string =>
  [...hypertableName.matchAll(new RegExp(PART, 'g'))]
    .map(([part]) => (part.startsWith('"') ? part : identifier(part)))
    .join('.')

/** No text of PostgreSQL holds NUL. */
const cell = (text: string): string | null =>
  text.toLowerCase() === 'null' ? null : text.toWellFormed().replaceAll('\0', '\ufffd')

/** The event's fields; of a report also what is told of it, as `outcome`, `response`, `target`, `trace`. */
const fieldsOf = (notice: Notice): ReadonlyMap<string, string> => {
  const { id, event, report } = notice
  const own = message({ id, event }).fields.filter(({ isField }) => isField)
  return new Map([...own, ...(report ? message(notice).fields : [])].map(({ name, value }) => [name, value]))
}

const reportText = (notice: Notice): string => {
  const { title, text, fields } = message(notice)
  return [title, text, ...fields.map(({ name, value }) => `${name}: ${value}`)].filter(Boolean).join('\n')
}

const rowOf = (notice: Notice, columns: readonly string[]): Row => {
  const { event, report } = notice
  const fields = fieldsOf(notice)
  const texts: [string, string][] = [
    ['time', report?.startedAt ?? event.time],
    ['rule', report?.rule ?? event.rule],
    ['priority', event.priority],
    ['source', report ? 'yarak' : event.source],
    ['output', report ? reportText(notice) : event.output],
    ...(event.tags.length > 0 ? [['tags', event.tags.join(',')] as [string, string]] : []),
    ...(event.hostname ? [['hostname', event.hostname] as [string, string]] : []),
    ...columns.flatMap((name): [string, string][] => (fields.has(name) ? [[name, fields.get(name) ?? '']] : [])),
  ]
  return new Map(texts.map(([name, text]) => [name, cell(text)]))
}

const meaningAt = (where: string) => (error: unknown) => {
  const { code = '' } = error as { code?: string }
  const reason = code.startsWith('28') ? 'authentication' : code === '3D000' ? 'no-database' : undefined
  return reason && new YarakError('unavailable', `${where}: ${messageOf(error)}`, { cause: error, reason })
}

/**
 * The output on a driver of your own, e.g. a fake in a test.
 * @example const timescaledb = createTimescaledb(myDriver)
 */
export const createTimescaledb = (driver: PostgresDriver) =>
  defineOutput({
    type: 'timescaledb',
    summary: 'Inserts events and reports as rows into a table of TimescaleDB or PostgreSQL.',
    notes: `
The columns are Falcosidekick's: \`time\`, \`rule\`, \`priority\`, \`source\`, \`output\`, \`tags\` and \`hostname\` where the event
has them, and one for each field of \`columns\`. The text \`null\` becomes NULL. Other fields are not stored.

The report of a response is a row too: \`time\` is its start, \`rule\` the rule that answered, \`source\` is \`yarak\`, \`output\`
tells steps, outcome, trace and how to undo it. Its parts may be among \`columns\`: \`response\`, \`outcome\`, \`mode\`,
\`target\`, \`duration\`, \`trace\`, \`undo\`.

A row whose values the table does not take is a dead letter; the others are stored. A name without quotes is in lower
case, as SQL has it.

Differences from Falcosidekick: names are quoted; fields of \`columns\` may hold any type, and keep their double quotes;
NUL characters, which no text of PostgreSQL can hold, are replaced by U+FFFD; without \`tls\` TLS is not tried.
`.trim(),
    config,
    batch: 100,
    preview: (notice, settings) => insert(tableOf(settings), [rowOf(notice, settings.columns)]),
    example: { config: { host: 'timescaledb', user: 'yarak', password: 'secret', database: 'falco' } },
    open(settings, io) {
      const { host, port, database, columns } = settings
      const table = tableOf(settings)
      const where = `PostgreSQL at ${host}:${port}`
      const link = connection({
        name: where,
        open: (lost) => driver(settings, lost),
        close: (open) => open.close(),
        meaning: meaningAt(where),
      })
      const store = (some: readonly Notice[], signal: AbortSignal): Promise<void> => {
        const statement = insert(
          table,
          some.map((notice) => rowOf(notice, columns)),
        )
        return link.use((open) => open.run(statement), signal)
      }
      return {
        send(notices, signal) {
          const attributes = {
            'db.system.name': 'postgresql',
            'db.operation.name': 'INSERT',
            'db.namespace': database,
            'db.collection.name': settings.hypertableName,
            'db.operation.batch.size': notices.length,
          }
          return io.call({ name: `INSERT ${settings.hypertableName}`, attributes }, () =>
            wholeOrEach(
              notices,
              (some) => store(some, signal),
              () => true,
            ),
          )
        },
        close: () => link.close(),
      }
    },
  })

/**
 * Inserts a row for each notice, many rows by one statement.
 *
 * Source: the `timescaledb` output of Falcosidekick 2.x (`outputs/timescaledb.go`); postgresql.org/docs/current, "INSERT"
 * and "Appendix A. PostgreSQL Error Codes".
 * @example timescaledb({ host: 'timescaledb', user: 'yarak', password: '…', columns: ['k8s.ns.name', 'proc.cmdline'] })
 */
export const timescaledb = createTimescaledb(postgresDriver)
