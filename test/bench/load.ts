/** Load on an HTTP server from this process. */
import autocannon from 'autocannon'

export interface Load {
  readonly url: string
  readonly body: string
  readonly contentType?: string
  readonly connections?: number
  readonly seconds?: number
  /** Requests a second; default as many as it takes. */
  readonly rate?: number
}

/** Requests a second that were answered by a 2xx; anything else is an error. */
export const load = async (options: Load): Promise<number> => {
  const { url, body, contentType = 'application/json', connections = 64, seconds = 3, rate } = options
  const result = await autocannon({
    url,
    method: 'POST',
    body,
    connections,
    duration: seconds,
    headers: { 'content-type': contentType },
    ...(rate && { overallRate: rate }),
  })
  if (result.non2xx > 0 || result.errors > 0) {
    throw new Error(`${result.non2xx} answers were no success, ${result.errors} requests failed`)
  }
  return result['2xx'] / result.duration
}
