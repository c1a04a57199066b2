/** The tables of the journal's file, and what happens to a file of another version. */
import { existsSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { YarakError } from '../errors.ts'

/** What brings a file of version 1 to 2, that of version 2 to 3, and so on. Each is forever; a new one goes to the end. */
const STEPS: readonly string[] = [
  'ALTER TABLE events ADD COLUMN cluster TEXT; ALTER TABLE events ADD COLUMN shared INTEGER;',
]

export const SCHEMA_VERSION = STEPS.length + 1

/** The copy of a file as it was before it was brought to a newer version. */
export const backupOf = (path: string, version: number): string => `${path}.v${version}.bak`

const TABLES = `
CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, input TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL, authenticated TEXT, traceparent TEXT, cluster TEXT, shared INTEGER);
CREATE TABLE facts (event TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (event, key)) WITHOUT ROWID;
CREATE TABLE settled (event TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE notices (seq INTEGER PRIMARY KEY AUTOINCREMENT, output TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL, UNIQUE (output, id));
CREATE INDEX notices_in_order ON notices (output, seq);
CREATE TABLE responses (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, event TEXT NOT NULL, rule TEXT NOT NULL, outcome TEXT NOT NULL, at INTEGER NOT NULL, report TEXT NOT NULL);
CREATE TABLE letters (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, kind TEXT NOT NULL, origin TEXT NOT NULL, reason TEXT NOT NULL, message TEXT NOT NULL, body TEXT NOT NULL, position TEXT, attempts INTEGER, truncated INTEGER);
CREATE INDEX letters_by_kind ON letters (kind, id);
`

/** The trace of a response. */
export const TRACE = `report ->> '$.traceId'`

/**
 * Made where it is missing: it changes nothing of what a file means, so a file with it is of no other version, and the
 * program before this one opens it. Among 100,000 responses it finds a trace in 0.2 ms instead of 250; to make it for
 * them takes 0.3 s.
 */
const BY_TRACE = `CREATE INDEX IF NOT EXISTS responses_by_trace ON responses (${TRACE})`

/** A commit is on the disk when it returns; what is deleted gives its room back in steps. */
const SETTINGS = `
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA busy_timeout = 5000;
PRAGMA journal_size_limit = 67108864;
`

/** The version of a file; 0 for a new one. */
export const versionOf = (db: DatabaseSync): number =>
  (db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version

/**
 * Looks at a file, changing nothing.
 * @throws YarakError `config` for a file of a newer version; what SQLite throws for one that is none
 */
export const checkVersion = (db: DatabaseSync, path: string): void => {
  const version = versionOf(db)
  if (version <= SCHEMA_VERSION) return
  const backup = backupOf(path, SCHEMA_VERSION)
  const older = existsSync(backup) ? `, or put ${backup}, the copy from before, in its place` : ''
  throw new YarakError(
    'config',
    `the journal ${path} is of version ${version}, this program knows ${SCHEMA_VERSION}: ` +
      `run the newer Yarak, or move the file away${older}`,
    { reason: 'newer' },
  )
}

/** Sets a file up: makes the tables in a new one, and brings those of an older one up to date. */
export const prepare = (db: DatabaseSync): void => {
  const version = versionOf(db)
  if (version === 0) db.exec('PRAGMA auto_vacuum = INCREMENTAL')
  db.exec(SETTINGS)
  const steps = version === 0 ? [TABLES] : STEPS.slice(version - 1)
  if (steps.length > 0) db.exec(`BEGIN; ${steps.join(' ')} PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`)
  db.exec(BY_TRACE)
}
