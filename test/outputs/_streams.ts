/** Streams for tests of stores. */
import { YarakError } from '../../src/plugin.ts'

export const MIB = 1024 * 1024

/** `size` bytes of text in chunks of 64 KiB and a bit, counted as they are taken; after `failAt` bytes it fails. */
export const aStream = (size: number, failAt = Infinity) => {
  const state = { taken: 0, ended: false }
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      for (let i = 0; state.taken < size; i++) {
        if (state.taken >= failAt) throw new YarakError('unavailable', 'the socket was cut', { reason: 'cut' })
        const chunk = Buffer.alloc(Math.min(65_537, size - state.taken), 97 + (i % 26))
        state.taken += chunk.length
        yield await Promise.resolve(chunk)
      }
    } finally {
      state.ended = true
    }
  }
  return { state, chunks: chunks() }
}

/** What {@link aStream} of this size holds. */
export const textOfStream = async (size: number): Promise<string> => {
  const all: Uint8Array[] = []
  for await (const chunk of aStream(size).chunks) all.push(chunk)
  return Buffer.concat(all).toString()
}

export async function* pieces(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield await Promise.resolve(Buffer.from(text))
}
