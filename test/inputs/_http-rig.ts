/** The HTTP input on a real gateway, reached in each of its ways. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, request, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { http } from '../../inputs/http.ts'
import { createGateway, type Gateway, type GatewayOptions, type Notice } from '../../src/index.ts'
import { sink } from '../kit.ts'

/** `app`: Hono's own request; `embedded`: Hono on node:http; `handle`: node:http before Hono, as the binary has it. */
export const WAYS = ['app', 'embedded', 'handle'] as const
export type Way = (typeof WAYS)[number]

export interface Sent {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
}

export interface Got {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export type HttpSettings = Parameters<typeof http>[0]

export interface Rig {
  readonly gateway: Gateway
  readonly told: readonly Notice[]
  readonly url: string | undefined
  ask(sent: Sent): Promise<Got>
  /** The value of a counter of the input, e.g. `rejected` with its reason. */
  counted(what: string, reason?: string): Promise<number>
  stop(): Promise<void>
}

/** What listens, for a gateway: as the binary does, or an embedding program. */
export const listenerOf = (gateway: Gateway, way: Exclude<Way, 'app'>): RequestListener => {
  const byHono = getRequestListener(gateway.app.fetch)
  return (asked, answer) => {
    if (way === 'handle' && gateway.mounts.some(({ handle }) => handle?.(asked, answer))) return
    void byHono(asked, answer)
  }
}

export const listening = async (server: Server, at: object = { port: 0, host: '127.0.0.1' }): Promise<Server> => {
  server.listen(at)
  await once(server, 'listening')
  return server
}

export const closed = async (server: Server | undefined): Promise<void> => {
  if (!server) return
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}

export const serving = async (way: Way, settings: HttpSettings = {}, options: GatewayOptions = {}): Promise<Rig> => {
  const { told, use } = sink()
  const gateway = createGateway({ inputs: [http(settings)], outputs: [use], ...options })
  const server = way === 'app' ? undefined : await listening(createServer(listenerOf(gateway, way)))
  const url = server && `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    gateway,
    told,
    url,
    ask: (sent) => (url === undefined ? byApp(gateway, sent) : bySocket(url, sent)),
    async counted(what, reason) {
      const text = await (await gateway.ops.request('/metrics')).text()
      const labels = `{input="http"${reason === undefined ? '' : `,reason="${reason}"`}}`
      const line = text.split('\n').find((one) => one.startsWith(`yarak_events_${what}_total${labels} `))
      return Number(line?.split(' ').at(-1) ?? 0)
    },
    async stop() {
      await gateway.stop({ deadline: 1_000 })
      await closed(server)
    },
  }
}

const byApp = async (gateway: Gateway, { method = 'POST', path = '/', headers = {}, body }: Sent): Promise<Got> => {
  const hasBody = body !== undefined && method !== 'GET' && method !== 'HEAD'
  const answer = await gateway.app.request(path, { method, headers, ...(hasBody && { body: body as string }) })
  return { status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.text() }
}

/** Over a socket of its own. */
export const bySocket = (url: string, { method = 'POST', path = '/', headers = {}, body }: Sent): Promise<Got> =>
  new Promise((resolve, reject) => {
    const asked = request(url + path, { method, headers, agent: false }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks).toString() }),
      )
    })
    asked.on('error', reject)
    asked.end(body)
  })
