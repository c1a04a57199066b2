/** Whole notices as lines of JSON, to servers that may refuse some of them in an answer of 200. */
import { type HttpRequest, type Io, type Notice, type Sender, toJson, wholeOrEach, YarakError } from '../src/plugin.ts'
import { payload } from './_payload.ts'

/** Body and content type of a request with one line for each notice. */
export const ndjson = (notices: readonly Notice[]): Pick<HttpRequest, 'headers' | 'body'> => ({
  headers: { 'content-type': 'application/x-ndjson' },
  body: notices.map((notice) => `${toJson(payload(notice))}\n`).join(''),
})

/**
 * A sender of many notices by one request. Where the answer says that some were refused, but not which, each is sent alone:
 * those that were taken come a second time, and none is lost.
 * @param refusal of the answer's JSON: why some were refused; undefined: none
 */
export const refusingSender = (
  io: Io,
  request: (notices: readonly Notice[]) => HttpRequest,
  refusal: (answer: unknown) => string | undefined,
): Sender => ({
  send: (notices, signal) =>
    wholeOrEach(notices, async (some) => {
      const { body } = await io.http(request(some), signal)
      const why = refusal(read(body))
      if (why !== undefined) throw new YarakError('failed', why.slice(0, 300), { permanent: true, reason: '422' })
    }),
})

const read = (body: string): unknown => {
  try {
    return JSON.parse(body) as unknown
  } catch {
    return undefined
  }
}
