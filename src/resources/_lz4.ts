/** Reads the LZ4 frame format, as Kafka's clients write it: checksums are skipped, dictionaries are not known. Pure. */

const MAGIC = 0x184d2204
const UNCOMPRESSED = 0x80000000

/** Bits of the frame descriptor. */
const VERSION = 0xc0
const BLOCK_CHECKSUM = 0x10
const CONTENT_SIZE = 0x08
const DICTIONARY = 0x01

/**
 * The content of one frame.
 * Source: github.com/lz4/lz4, `doc/lz4_Frame_format.md` and `doc/lz4_Block_format.md`.
 * @param limit bytes that the content may have
 * @throws Error for what is no such frame, ends too early, or is larger
 */
export const readLz4 = (frame: Buffer, limit: number): Buffer => {
  const flags = frame.length >= 7 ? frame.readUInt8(4) : 0
  if (frame.length < 7 || frame.readUInt32LE(0) !== MAGIC || (flags & VERSION) !== 0x40) throw new Error('no LZ4 frame')
  if (flags & DICTIONARY) throw new Error('an LZ4 frame with a dictionary')
  const out = new Output(frame.length * 4, limit)
  for (let at = flags & CONTENT_SIZE ? 15 : 7; ;) {
    const head = frame.readUInt32LE(at)
    if (head === 0) return out.content()
    const start = at + 4
    const end = start + (head & ~UNCOMPRESSED)
    if (end > frame.length) throw new Error('an LZ4 block is cut off')
    if (head & UNCOMPRESSED) out.copy(frame, start, end)
    else readBlock(frame, start, end, out)
    at = end + (flags & BLOCK_CHECKSUM ? 4 : 0)
  }
}

/** Sequences of literals and a match; the last one has literals only. */
const readBlock = (block: Buffer, start: number, end: number, out: Output): void => {
  let at = start
  const length = (nibble: number): number => {
    let total = nibble
    for (let more = nibble === 15 ? 255 : 0; more === 255; total += more) more = block.readUInt8(at++)
    return total
  }
  while (at < end) {
    const token = block.readUInt8(at++)
    const literals = length(token >> 4)
    if (at + literals > end) throw new Error('an LZ4 block is cut off')
    out.copy(block, at, at + literals)
    at += literals
    if (at >= end) return
    const distance = block.readUInt16LE(at)
    at += 2
    out.repeat(distance, length(token & 15) + 4)
  }
}

/** A buffer that grows. */
class Output {
  readonly #limit: number
  #bytes: Buffer
  #size = 0

  constructor(size: number, limit: number) {
    this.#limit = limit
    this.#bytes = Buffer.allocUnsafeSlow(Math.min(size, limit))
  }

  #room(more: number): void {
    const wanted = this.#size + more
    if (wanted > this.#limit) throw new Error(`more than ${this.#limit} bytes`)
    if (wanted <= this.#bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.min(wanted * 2, this.#limit))
    this.#bytes.copy(larger, 0, 0, this.#size)
    this.#bytes = larger
  }

  copy(from: Buffer, start: number, end: number): void {
    this.#room(end - start)
    from.copy(this.#bytes, this.#size, start, end)
    this.#size += end - start
  }

  /** What was written `distance` bytes ago; longer than that it repeats itself. */
  repeat(distance: number, length: number): void {
    if (distance === 0 || distance > this.#size) throw new Error('an LZ4 match points outside')
    this.#room(length)
    const end = this.#size + length
    for (; this.#size < end; this.#size++) this.#bytes[this.#size] = this.#bytes[this.#size - distance] ?? 0
  }

  content(): Buffer {
    return this.#bytes.subarray(0, this.#size)
  }
}
