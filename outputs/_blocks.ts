/** Streams as blocks of one size, for stores that take files in parts; and sending one until it is there. */
import { setTimeout as sleep } from 'node:timers/promises'
import { YarakError } from '../src/plugin.ts'

export interface Block {
  readonly bytes: Buffer
  /** Nothing comes after it. */
  readonly last: boolean
}

/**
 * Cuts a stream into blocks of `size` bytes. The last has what is left, and no stream is without one: of an empty
 * stream it is empty. No more than two blocks are in memory.
 * @throws what `chunks` throws
 * @example for await (const { bytes, last } of blocksOf(chunks, 8 * 1024 * 1024)) await send(bytes, last)
 */
export async function* blocksOf(chunks: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Block> {
  let parts: Uint8Array[] = []
  let length = 0
  for await (const chunk of chunks) {
    let rest = chunk
    while (length + rest.length > size) {
      parts.push(rest.subarray(0, size - length))
      rest = rest.subarray(size - length)
      yield { bytes: Buffer.concat(parts), last: false }
      parts = []
      length = 0
    }
    parts.push(rest)
    length += rest.length
  }
  yield { bytes: Buffer.concat(parts), last: true }
}

const TRIES = 4

/** Milliseconds before the second try; twice as long before each next. */
const FIRST_WAIT = 250

/**
 * Sends again what may pass: the file it is part of cannot be made again.
 * @throws the last error; the first that is permanent; the signal's reason
 */
export const retried = async <T>(signal: AbortSignal, send: (attempt: number) => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await send(attempt)
    } catch (error) {
      signal.throwIfAborted()
      if (attempt === TRIES || !(error instanceof YarakError) || error.permanent) throw error
      await sleep(error.retryAfter ?? FIRST_WAIT * 2 ** (attempt - 1), undefined, { signal }).catch(() => {})
      signal.throwIfAborted()
    }
  }
}
