/** Texts that are sent many at once. */
import { inChunks, wholeOrEach } from '../src/plugin.ts'
import { sendParts } from './_parts.ts'

/**
 * Posts texts in as few requests as the limits allow, a byte between them counted. Of a request that is refused for what is
 * in it, each text is tried alone.
 * @param limits of one request; `size` in bytes
 * @throws YarakError with `failed` naming those that were not taken
 * @example postTexts(lines, { count: 1_000, size: 1_000_000 }, (some) => io.http({ url, body: some.join('\n') }, signal))
 */
export const postTexts = (
  texts: readonly string[],
  limits: { readonly count: number; readonly size: number },
  post: (some: readonly string[]) => Promise<unknown>,
): Promise<void> =>
  sendParts(
    inChunks(texts, limits, (text) => Buffer.byteLength(text) + 1),
    (part) => wholeOrEach(part, async (some) => void (await post(some))),
  )
