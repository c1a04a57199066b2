/** The HTTP server that a response talks to: it is told, is too busy once, and keeps one step waiting. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface HookRequest {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** Listens on the loopback interface until `close`. */
export const startHook = async () => {
  const requests: HookRequest[] = []
  const busy = new Set<string>()
  let gate = Promise.withResolvers<void>()
  const statusOf = async ({ path, body }: HookRequest): Promise<number> => {
    if (path === '/gate') await gate.promise
    const isReport = path === '/told' && 'response' in (JSON.parse(body) as object)
    if (!(path === '/block' || isReport) || busy.has(path + body)) return 200
    busy.add(path + body)
    return 503
  }
  const server = createServer((request, response) => {
    void bodyOf(request).then(async (body) => {
      const one = { path: request.url ?? '', headers: request.headers, body }
      requests.push(one)
      response.writeHead(await statusOf(one), { 'retry-after': '0.1' }).end()
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** All that came to `/told`, `/block` and `/gate`. The first try of each report and of each body at `/block` gets 503. */
    to: (path: string): readonly HookRequest[] => requests.filter((request) => request.path === path),
    /** Answers all who wait at `/gate`; the next ones wait again. */
    open(): void {
      gate.resolve()
      gate = Promise.withResolvers()
    },
    close: () =>
      new Promise<void>((done) => {
        server.close(() => done())
        server.closeAllConnections()
      }),
  }
}

const bodyOf = async (request: IncomingMessage): Promise<string> =>
  Buffer.concat((await request.toArray()) as Buffer[]).toString()
