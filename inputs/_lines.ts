/** Cuts a stream of bytes into lines. Works on bytes, so a character that is split over two reads stays whole. */

/** One line, and where in the source it is. */
export interface Line {
  /** Without `\n` or `\r\n`; undefined when the line was over the limit and has been dropped. */
  readonly bytes: Buffer | undefined
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
    size += part.length
    if (size > maxLine + 1) held = []
    else if (part.length > 0) held.push(part)
  }

  const take = (lineEnd: number): Line => {
    const whole = size > maxLine + 1 ? undefined : trimReturn(held.length === 1 ? held[0]! : Buffer.concat(held))
    const end = start + size + lineEnd
    const line = { bytes: whole && whole.length <= maxLine ? whole : undefined, start, end }
    start = end
    held = []
    size = 0
    return line
  }

  return {
    push(chunk) {
      const lines: Line[] = []
      let from = 0
      for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
        hold(chunk.subarray(from, at))
        lines.push(take(1))
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

const trimReturn = (bytes: Buffer): Buffer => (bytes.at(-1) === RETURN ? bytes.subarray(0, -1) : bytes)

/** True for a line that holds nothing but white space. */
export const isBlank = (bytes: Buffer): boolean => bytes.every((byte) => byte === 32 || (byte >= 9 && byte <= 13))
