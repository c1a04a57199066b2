/** Whether an audit record is what was written: each line by its hash, and all of them by their chain. */
import { linesOf } from './audit-files.ts'
import { type AuditLine, digestOf, type Head, readLine, START } from './audit-line.ts'

/** One thing that is wrong. */
export interface AuditFault {
  readonly file: string
  /** From 1. */
  readonly line: number
  readonly kind: 'changed' | 'missing' | 'reordered' | 'torn'
  readonly message: string
}

export interface Verified {
  /** Lines that are what was written. */
  readonly lines: number
  readonly first: AuditLine | undefined
  readonly last: AuditLine | undefined
  /** Writes that a crash cut short, each told by the line after it. */
  readonly recovered: number
  /** In the order of the files. */
  readonly faults: readonly AuditFault[]
}

export interface VerifyOptions {
  /** What came before these files is elsewhere. Default false. */
  readonly part?: boolean
  /** The hash of a line that must be there, e.g. of the last one that was seen: so a cut end is found. */
  readonly head?: string | undefined
}

type Place = Pick<AuditFault, 'file' | 'line'>

/** Lines that were jumped over, and where. */
interface Gap {
  readonly at: number
  readonly from: number
  readonly to: number
}

/**
 * Reads files as one record, in this order. Who can write them and recompute every hash is not found by this: for that keep
 * the last hash elsewhere, and give it as `head`.
 * @throws what the disk says when a file cannot be read
 * @example const { faults } = await verifyAudit(['audit.jsonl.1', 'audit.jsonl'])
 */
export const verifyAudit = async (files: readonly string[], options: VerifyOptions = {}): Promise<Verified> => {
  const chain = createChain(options)
  let place: Place = { file: files[0] ?? '', line: 1 }
  for (const file of files) {
    let line = 0
    for await (const { bytes, closed } of linesOf(file)) {
      place = { file, line: ++line }
      chain.take(bytes, place, closed)
    }
  }
  return chain.end(place)
}

const createChain = ({ part = false, head: wanted }: VerifyOptions) => {
  const faults: AuditFault[] = []
  const gaps: Gap[] = []
  let head: Head | undefined = part ? undefined : START
  /** Lines that are none, which the next may tell of; `place` when that is still to be told. */
  let torn: { readonly place: Place | undefined; readonly bytes: Buffer[] } | undefined
  let seen = wanted === undefined
  let lines = 0
  let recovered = 0
  let first: AuditLine | undefined
  let last: AuditLine | undefined

  const fault = (place: Place, kind: AuditFault['kind'], message: string): void =>
    void faults.push({ ...place, kind, message })

  const leave = (bytes: Buffer, place?: Place): void => {
    torn ??= { place, bytes: [] }
    torn.bytes.push(bytes, Buffer.from('\n'))
  }

  /** What stands before a line and is none must be what this one tells of. */
  const explain = (line: AuditLine, place: Place): void => {
    const before = torn
    torn = undefined
    if (line.kind === 'recovered' && before && digestOf(Buffer.concat(before.bytes)) === line.why)
      return void recovered++
    if (line.kind === 'recovered') fault(place, 'missing', 'what this line tells of does not stand before it')
    if (before?.place) fault(before.place, 'changed', NO_LINE)
    if (before) head = undefined
  }

  const follow = (line: AuditLine, place: Place): void => {
    const expected = head ?? { seq: line.seq - 1, hash: line.prev }
    if (line.seq <= expected.seq) return again(line, place)
    if (line.seq > expected.seq + 1) {
      gaps.push({ at: faults.length, from: expected.seq + 1, to: line.seq - 1 })
      fault(place, 'missing', `${span(expected.seq + 1, line.seq - 1)} should stand before this one`)
    } else if (line.prev !== expected.hash)
      fault(place, 'changed', `the line before is not line ${expected.seq} as it was written`)
    head = line
  }

  /** A line whose number has passed: it was jumped over before, or stands here twice. */
  const again = ({ seq }: AuditLine, place: Place): void => {
    const gap = gaps.find(({ from, to }) => from <= seq && seq <= to)
    const jumped = gap && faults[gap.at]
    if (gap && jumped?.kind === 'missing')
      faults[gap.at] = { ...jumped, kind: 'reordered', message: `line ${seq} stands later` }
    else if (!gap) fault(place, 'reordered', `line ${seq} does not belong here`)
  }

  return {
    take(bytes: Buffer, place: Place, closed: boolean): void {
      const line = readLine(bytes)
      if (!closed) fault(place, 'torn', 'the end of the line is missing')
      if (line === 'torn') return closed ? leave(bytes, place) : undefined
      if (line === 'changed') {
        fault(place, 'changed', 'the line is not what was written')
        return leave(bytes)
      }
      explain(line, place)
      follow(line, place)
      first ??= line
      last = line
      lines++
      seen ||= line.hash === wanted
    },
    end(place: Place): Verified {
      if (torn?.place) fault(torn.place, 'changed', NO_LINE)
      if (!seen) fault(place, 'missing', `the line with the hash ${wanted} is not there`)
      return { lines, first, last, recovered, faults }
    },
  }
}

const NO_LINE = 'this is not a line of the record'

const span = (from: number, to: number): string => (from === to ? `line ${from}` : `the lines ${from} to ${to}`)
