/** Reading a body: bounded in size and time, decompressed as it comes. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Transform } from 'node:stream'
import { createGunzip, createInflate } from 'node:zlib'
import { YarakError } from '../src/plugin.ts'
import { type Each, refusal, tooLarge } from './_http-ask.ts'

interface Limits {
  /** Bytes. */
  readonly maxBody: number
  /** Milliseconds. */
  readonly bodyTimeout: number
}

const DECODERS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
}

/** The body as it was sent, within the limits. */
export const bounded = (each: Each, headers: IncomingHttpHeaders, { maxBody, bodyTimeout }: Limits): Each => {
  if (Number(headers['content-length'] ?? 0) > maxBody) throw tooLarge('body', maxBody)
  return sized(timed(each, bodyTimeout), maxBody)
}

/**
 * What the body is once decompressed; a small one that becomes huge is cut off at `maxBody`.
 * @throws YarakError for an encoding that is not known
 * @see https://www.rfc-editor.org/rfc/rfc9110#section-8.4
 */
export const decoded = (each: Each, headers: IncomingHttpHeaders, maxBody: number): Each => {
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? ''
  if (encoding === '' || encoding === 'identity') return each
  const decoder = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding] : undefined
  if (!decoder) throw refusal('unsupported', 'content-encoding must be gzip or deflate')
  return sized(inflated(each, decoder), maxBody)
}

export const collect = async (each: Each): Promise<Buffer> => {
  const chunks: Buffer[] = []
  await each((chunk) => void chunks.push(chunk))
  return joined(chunks)
}

export const joined = (chunks: readonly Buffer[]): Buffer =>
  chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)

/** Of a body that is read already. */
export const eachIn =
  (body: Buffer): Each =>
  async (take) =>
    take(body)

const sized =
  (each: Each, limit: number): Each =>
  (take) => {
    let length = 0
    return each((chunk) => {
      length += chunk.length
      if (length > limit) throw tooLarge('body', limit)
      return take(chunk)
    })
  }

/** Only the time that the sender takes is counted, not that in which `take` makes it wait. */
const timed =
  (each: Each, limit: number): Each =>
  (take) =>
    new Promise((resolve, reject) => {
      let left = limit
      let since = performance.now()
      let late: YarakError | undefined
      const expire = (): void => {
        late = refusal('too_slow', `the body took longer than ${limit} ms`)
        reject(late)
      }
      let timer = setTimeout(expire, left)
      const goOn = (): void => {
        since = performance.now()
        timer = setTimeout(expire, left)
      }
      const watched = (chunk: Buffer): void | Promise<void> => {
        if (late) throw late
        const wait = take(chunk)
        if (!wait) return
        clearTimeout(timer)
        left -= performance.now() - since
        return wait.then(goOn)
      }
      each(watched)
        .finally(() => clearTimeout(timer))
        .then(resolve, reject)
    })

const inflated =
  (each: Each, create: () => Transform): Each =>
  async (take) => {
    const decoder = create().on('error', () => {})
    const pass = async (): Promise<void> => {
      for await (const chunk of decoder) await take(chunk as Buffer)
    }
    const passed = pass()
    // A decoder that fails does not tell those who wait for it to take a chunk.
    const feed = (chunk: Buffer): Promise<void> => Promise.race([written(decoder, chunk), passed])
    each(feed).then(
      () => decoder.end(),
      (error: unknown) => decoder.destroy(error as Error),
    )
    await passed.catch((error: unknown) => {
      throw isCorrupt(error) ? new YarakError('invalid', 'the body cannot be decompressed', { permanent: true }) : error
    })
  }

const written = (decoder: Transform, chunk: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    decoder.write(chunk, (error) => (error ? reject(error) : resolve()))
  })

const isCorrupt = (error: unknown): boolean => String((error as { code?: unknown } | null)?.code).startsWith('Z_')
