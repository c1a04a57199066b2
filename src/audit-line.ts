/** One line of the audit record: how it is written, and how it is told from one that was changed. */
import { createHash } from 'node:crypto'
import type { AuditEntry } from './audit.ts'

/** What is written: an entry, or what the record tells of itself. */
export interface AuditNote extends Omit<AuditEntry, 'kind'> {
  /** `recovered`: bytes before this line are of a write that was cut short; `outage`: entries that could not be written. */
  readonly kind: AuditEntry['kind'] | 'recovered' | 'outage'
}

/** A line as it stands in the file. */
export interface AuditLine extends AuditNote {
  /** Counts lines from 1, over all files of a record. */
  readonly seq: number
  /** RFC 3339, UTC. */
  readonly time: string
  /** `hash` of the line before; of the first, 64 zeros. */
  readonly prev: string
  /** SHA-256 of this line's bytes as they are without `hash`, in hex. */
  readonly hash: string
}

/** Where a chain has come to. */
export interface Head {
  readonly seq: number
  readonly hash: string
}

/** Before the first line. */
export const START: Head = { seq: 0, hash: '0'.repeat(64) }

/** Characters of each text: what an attacker writes does not fill the disk. */
const MOST = 512

const FIELDS = ['kind', 'who', 'what', 'why', 'target', 'uid', 'verdict', 'response', 'trace'] as const

/** The line that follows, with its line feed, and where the chain is then. */
export const lineAfter = (
  head: Head,
  time: string,
  note: AuditNote,
): { readonly text: string; readonly head: Head } => {
  const seq = head.seq + 1
  const told = FIELDS.flatMap((field) => (note[field] === undefined ? [] : [[field, note[field].slice(0, MOST)]]))
  const body = JSON.stringify({ seq, time, ...Object.fromEntries(told), prev: head.hash })
  const hash = sha256(body)
  return { text: `${body.slice(0, -1)},"hash":"${hash}"}\n`, head: { seq, hash } }
}

/** In Latin 1, so that each byte is a character. No text in a line can look like its end: quotes in it are escaped. */
const WHOLE = /^(\{"seq":\d+,"time":".*"),"hash":"([0-9a-f]{64})"\}$/s

/**
 * A line without its line feed.
 * @returns `torn`: it is not a whole line; `changed`: it is, but is not what was written
 */
export const readLine = (bytes: Buffer): AuditLine | 'torn' | 'changed' => {
  const [, body = '', hash] = WHOLE.exec(bytes.toString('latin1')) ?? []
  if (hash === undefined) return 'torn'
  if (sha256(Buffer.from(`${body}}`, 'latin1')) !== hash) return 'changed'
  return parsed(bytes.toString()) ?? 'changed'
}

/** Whoever can write the file can make a right hash of what is no line. */
const parsed = (text: string): AuditLine | undefined => {
  try {
    return JSON.parse(text) as AuditLine
  } catch {
    return undefined
  }
}

/** What a `recovered` line says of the bytes before it. */
export const digestOf = (bytes: Buffer): string => `sha256:${sha256(bytes)}`

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex')
