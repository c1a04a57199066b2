/** PostgreSQL, as its output sees it: rows go into a table. */
import type { Client } from 'pg'
import { messageOf, YarakError } from '../src/plugin.ts'
import { optional } from './_package.ts'
import { type TlsSettings, tlsOptions } from './_tls.ts'

export interface PostgresSettings {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  readonly tls?: TlsSettings
}

/** SQL with `$1`, `$2` and what stands for them. */
export interface Statement {
  readonly text: string
  readonly values: readonly (string | null)[]
}

export interface PostgresLink {
  /** @throws YarakError `failed`; permanent when a value is what the server refuses */
  run(statement: Statement): Promise<void>
  close(): Promise<void>
}

/** @param lost called when the connection has ended by itself */
export type PostgresDriver = (settings: PostgresSettings, lost: () => void) => Promise<PostgresLink>

/** Milliseconds until the server must have let us in. */
const TIMEOUT = 5_000

/** A driver on node-postgres, which is loaded at the first send. */
export const postgresDriver: PostgresDriver = async ({ tls, ...settings }, lost) => {
  const { default: pg } = await optional('pg', () => import('pg'))
  const client: Client = new pg.Client({
    ...settings,
    ssl: tls ? await tlsOptions(tls) : false,
    connectionTimeoutMillis: TIMEOUT,
    keepAlive: true,
    application_name: 'yarak',
  })
  // without a listener an error would end the process; the end follows it
  client.on('error', () => {})
  client.on('end', lost)
  await client.connect()
  return {
    run: async ({ text, values }) => {
      await client.query(text, [...values]).catch((error: unknown) => {
        throw answered(error) ?? error
      })
    },
    close: () => client.end(),
  }
}

/** Classes of SQLSTATE that concern a value: data exception, integrity constraint, limit of the program. */
const OF_VALUES = /^(22|23|54)/

/** Classes that come from the connection or the server's state: the connection is of no more use. */
const OF_CONNECTION = /^(08|57|58|XX)/

const answered = (error: unknown): YarakError | undefined => {
  const { code = '' } = error as { code?: string }
  if (!/^[0-9A-Z]{5}$/.test(code) || OF_CONNECTION.test(code)) return undefined
  return new YarakError('failed', messageOf(error), {
    cause: error,
    reason: `sql-${code.toLowerCase()}`,
    permanent: OF_VALUES.test(code),
  })
}

/** A name as SQL reads it without quotes: in lower case; any other as it stands. */
export const identifier = (name: string): string =>
  `"${/^[A-Za-z_][\w$]*$/.test(name) ? name.toLowerCase() : name.replaceAll('"', '""')}"`

/** What a row holds, by column; null is NULL, a column that is not there gets its default. */
export type Row = ReadonlyMap<string, string | null>

/**
 * One INSERT for all rows. Names of columns are quoted, values are never part of the text.
 * @param table quoted
 */
export const insert = (table: string, rows: readonly Row[]): Statement => {
  const columns = [...new Set(rows.flatMap((row) => [...row.keys()]))]
  const values: (string | null)[] = []
  const tuples = rows.map((row) => {
    const cells = columns.map((column) => {
      const value = row.get(column)
      return value === undefined ? 'DEFAULT' : `$${values.push(value)}`
    })
    return `(${cells.join(',')})`
  })
  return { text: `INSERT INTO ${table} (${columns.map(identifier).join(',')}) VALUES ${tuples.join(',')}`, values }
}
