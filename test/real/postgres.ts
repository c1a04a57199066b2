/** PostgreSQL, a cluster of its own for each run. */
import { chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { aptPart, type AptFiles } from './apt.ts'
import { type Launch } from './launch.ts'
import { freePort } from './part.ts'
import { lacking, run as runToEnd } from './tools.ts'
import { versions } from './versions.ts'

export interface PostgresAddresses {
  readonly host: string
  readonly port: number
  readonly url: string
  readonly user: string
  readonly password: string
  readonly database: string
  /** Runs statements with the package's own `psql`; rows come as lines, columns parted by `|`. */
  query(sql: string): Promise<string>
}

const host = '127.0.0.1'
const user = 'yarak'
const password = 'yarak-secret'
const database = 'postgres'

/** The user `nobody` of every Linux: PostgreSQL refuses to run as root. */
const nobody = 65534
const isRoot = (): boolean => process.getuid?.() === 0

export const postgres = aptPart<PostgresAddresses>({
  name: 'postgres',
  version: versions.postgres,
  packages: [`postgresql-${versions.postgres}`],
  needs: () => (isRoot() ? lacking('setpriv') : undefined),
  async begin(files, run) {
    const program = programs(files)
    const port = await freePort()
    await initialise(files, run)
    const settings = { listen_addresses: host, port, unix_socket_directories: run.dir, fsync: 'off' }
    const flags = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`])
    run.spawn(...unprivileged(program('postgres'), ['-D', dataDir(run), ...flags]), { env: files.env() })
    const url = `postgres://${user}:${password}@${host}:${port}/${database}`
    const query = (sql: string) =>
      runToEnd(program('psql'), ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', url, '-c', sql], { env: files.env() })
    await run.ready(async () => (await query('select 1')).trim() === '1' || undefined)
    return { host, port, url, user, password, database, query }
  },
})

const programs = (files: AptFiles) => (name: string) =>
  files.path(`usr/lib/postgresql/${versions.postgres}/bin/${name}`)

const dataDir = (run: Launch): string => join(run.dir, 'data')

const initialise = async (files: AptFiles, run: Launch): Promise<void> => {
  const secret = run.file('password', password)
  mkdirSync(dataDir(run))
  if (isRoot()) for (const path of [run.dir, secret, dataDir(run)]) chownSync(path, nobody, nobody)
  const login = ['-U', user, '--pwfile', secret, '--auth-host=scram-sha-256', '--auth-local=reject']
  const layout = ['-D', dataDir(run), '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync']
  await runToEnd(...unprivileged(programs(files)('initdb'), [...layout, ...login]), { env: files.env() })
}

/** As root, drops to `nobody`, who keeps just the right to read the cache below root's home. */
const unprivileged = (command: string, args: readonly string[]): [string, readonly string[]] => {
  if (!isRoot()) return [command, args]
  const reading = ['--securebits=+no_setuid_fixup', '--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search']
  return ['setpriv', [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', ...reading, command, ...args]]
}
