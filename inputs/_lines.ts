/** Cuts a stream of bytes into lines. Works on bytes, so a character that is split over two reads stays whole. */

/** One line, and where in the source it is. */
export interface Line {
  /** Without `\n` or `\r\n`; undefined when the line was over the limit and has been dropped. */
  readonly bytes: Buffer | undefined
  /** How a line over the limit began. */
  readonly head?: Buffer | undefined
  /** Offset of its first byte. */
  readonly start: number
  /** Offset of the byte after its line end. */
  readonly end: number
}

export interface LineSplitter {
  /** Takes the next bytes of the source; gives the lines that they complete. The chunk must not be changed later. */
  push(chunk: Buffer): Line[]
  /** The rest of the source as a line, when it does not end in a newline. */
  flush(): Line | undefined
  /** Offset of the first byte that no line given so far holds. */
  readonly start: number
}

/** Bytes of a line over the limit that are kept, to be looked at. */
export const KEPT = 4096

const NEWLINE = 10
const RETURN = 13

/**
 * A splitter that holds at most one unfinished line in memory, and no more than `maxLine` bytes of it.
 * @param maxLine bytes of a line without its line end
 * @param offset where in the source the first byte is
 * @example createLineSplitter(1024).push(Buffer.from('a\r\nb')) // [{ bytes: 'a', start: 0, end: 3 }]
 */
export const createLineSplitter = (maxLine: number, offset = 0): LineSplitter => {
  let start = offset
  let held: Buffer[] = []
  let size = 0

  const hold = (part: Buffer): void => {
    const wasOver = size > maxLine + 1
    size += part.length
    if (part.length === 0 || wasOver) return
    held.push(part)
    if (size > maxLine + 1) held = [headOf(held)]
  }

  /** What is held, or the only part of a line that is whole in its chunk. */
  const take = (lineEnd: number, only?: Buffer): Line => {
    const length = only ? only.length : size
    const whole = trimReturn(only ?? (held.length === 1 ? held[0]! : Buffer.concat(held)))
    const fits = length <= maxLine + 1 && whole.length <= maxLine
    const from = start
    start += length + lineEnd
    if (size > 0) held = []
    size = 0
    return { bytes: fits ? whole : undefined, head: fits ? undefined : headOf([whole]), start: from, end: start }
  }

  return {
    push(chunk) {
      const lines: Line[] = []
      let from = 0
      for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
        const part = chunk.subarray(from, at)
        if (size > 0) hold(part)
        lines.push(size > 0 ? take(1) : take(1, part))
        from = at + 1
      }
      hold(chunk.subarray(from))
      return lines
    },
    flush: () => (size > 0 ? take(0) : undefined),
    get start() {
      return start
    },
  }
}

/** A copy of the first bytes: what they are cut from can go. */
const headOf = (parts: readonly Buffer[]): Buffer =>
  Buffer.concat(
    parts,
    Math.min(
      KEPT,
      parts.reduce((sum, { length }) => sum + length, 0),
    ),
  )

const trimReturn = (bytes: Buffer): Buffer => (bytes[bytes.length - 1] === RETURN ? bytes.subarray(0, -1) : bytes)

/** True for a line that holds nothing but white space. */
export const isBlank = (bytes: Buffer): boolean => {
  for (let at = 0; at < bytes.length; at++) if (!isSpace(bytes[at] ?? 0)) return false
  return true
}

const isSpace = (byte: number): boolean => byte === 32 || (byte >= 9 && byte <= RETURN)
