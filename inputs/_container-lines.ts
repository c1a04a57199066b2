/** Takes the lines of a container's log out of the wrapping that the runtime puts around them, and joins split ones. */
import { KEPT } from './_lines.ts'
import type { Source } from './_source.ts'

/** How the lines of a file are wrapped. `auto` looks at each. */
export type Format = 'auto' | 'plain' | 'cri' | 'docker'

/** A line as the file holds it, and where. */
export interface FileLine {
  readonly source: Source
  readonly start: number
  readonly end: number
  /** Undefined: it was over the limit. */
  readonly bytes: Buffer | undefined
  /** How a line over the limit began. */
  readonly head?: Buffer | undefined
}

/** A line as the program wrote it; its place is that of its first part. */
export interface Unwrapped extends FileLine {
  /** It came out of a container's log, which holds all that the program says. */
  readonly contained?: boolean
}

export interface ContainerLines {
  /** The line that this one is or completes; undefined when it is a part of one that is not complete. */
  take(line: FileLine): Unwrapped | undefined
  /** Where the oldest incomplete line begins: nothing after it is settled, a restart has to read it again. */
  readonly open: { readonly source: Source; readonly end: number } | undefined
  /** Gives up waiting for the rest of what is incomplete. */
  drain(): Unwrapped[]
}

/** What one line holds. */
interface Part {
  readonly stream: string
  readonly content: Buffer
  readonly isLast: boolean
}

/** A line of which parts have come. */
interface Incomplete {
  readonly first: FileLine
  readonly parts: Buffer[]
  size: number
}

/**
 * @param maxLine bytes of a joined line
 * @example
 * const container = createContainerLines('auto', 1024 ** 2)
 * container.take(line('2026-01-01T00:00:00Z stdout P {"rule":')) // undefined
 * container.take(line('2026-01-01T00:00:00Z stdout F "x"}'))?.bytes // {"rule":"x"}
 */
export const createContainerLines = (format: Format, maxLine: number): ContainerLines => {
  const incomplete = new Map<string, Incomplete>()

  const add = (line: FileLine, { stream, content }: Part): Incomplete => {
    const one = incomplete.get(stream) ?? { first: line, parts: [], size: 0 }
    if (one.size <= maxLine) one.parts.push(content)
    one.size += content.length
    incomplete.set(stream, one)
    return one
  }

  const whole = ({ first: { source, start }, parts, size }: Incomplete, end: number): Unwrapped => {
    const bytes = Buffer.concat(parts)
    const place = { source, start, end, contained: true }
    return size <= maxLine ? { ...place, bytes } : { ...place, bytes: undefined, head: bytes.subarray(0, KEPT) }
  }

  return {
    take(line) {
      const part = line.bytes && partOf(line.bytes, format)
      if (!part) return line
      if (part.isLast && !incomplete.has(part.stream)) {
        return { ...line, bytes: part.content, contained: true }
      }
      const one = add(line, part)
      if (!part.isLast) return undefined
      incomplete.delete(part.stream)
      return whole(one, line.end)
    },
    get open() {
      const oldest = incomplete.values().next().value?.first
      return oldest && { source: oldest.source, end: oldest.start }
    },
    drain() {
      const all = [...incomplete.values()].map((one) => whole(one, one.first.end))
      incomplete.clear()
      return all
    },
  }
}

const partOf = (bytes: Buffer, format: Format): Part | undefined => {
  if (format === 'plain') return undefined
  if (bytes[0] === BRACE) return format === 'cri' ? undefined : dockerPart(bytes, format)
  return format === 'docker' ? undefined : criPart(bytes)
}

const BRACE = 0x7b

/** Time, stream, tags of which the first says whether the line is complete. See CRI's `kubelet/cri/logs`. */
const CRI = /^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d) (stdout|stderr) ([FP])(?::\S*)? /

const criPart = (bytes: Buffer): Part | undefined => {
  const [prefix, stream, tag] = CRI.exec(bytes.toString('latin1', 0, 128)) ?? []
  if (prefix === undefined || stream === undefined) return undefined
  return { stream, content: bytes.subarray(prefix.length), isLast: tag === 'F' }
}

/** How a line of Docker's json-file driver begins; no alert of Falco does. */
const DOCKER = '{"log":"'

/** `{"log":"...\n","stream":"stdout","time":"..."}`; without the newline, the rest is in the next line. */
const dockerPart = (bytes: Buffer, format: Format): Part | undefined => {
  if (format === 'auto' && (bytes[2] !== DOCKER.charCodeAt(2) || bytes.toString('latin1', 0, 8) !== DOCKER))
    return undefined
  const { log, stream } = parsed(bytes)
  if (typeof log !== 'string' || typeof stream !== 'string') return undefined
  return { stream, content: Buffer.from(log.replace(/\r?\n$/, '')), isLast: log.endsWith('\n') }
}

const parsed = (bytes: Buffer): { log?: unknown; stream?: unknown } => {
  try {
    return JSON.parse(bytes.toString()) as object
  } catch {
    return {}
  }
}
