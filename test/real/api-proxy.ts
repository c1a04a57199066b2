/** An HTTP proxy in front of an API server, which gives some requests an answer of its own, as a busy server does. */
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { type status } from '../fake-cluster.ts'

export type Answer = ReturnType<typeof status> & { readonly headers?: Record<string, string> }

export interface ApiProxy {
  readonly url: string
  /** What the next writes are answered, one each; then they go through. */
  readonly troubles: Answer[]
  /** Method and path of all that went through. */
  readonly passed: string[]
  stop(): Promise<void>
}

const READS = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Listens on a free port of the loopback, in clear text; `ca` is a PEM file. */
export const apiProxyTo = async (server: string, ca: string): Promise<ApiProxy> => {
  const trust = readFileSync(ca)
  const troubles: Answer[] = []
  const passed: string[] = []
  const answer = (incoming: IncomingMessage, response: ServerResponse): void => {
    const trouble = READS.has(incoming.method ?? '') ? undefined : troubles.shift()
    if (trouble) {
      incoming.resume()
      response.writeHead(trouble.status, { 'content-type': 'application/json', ...trouble.headers })
      return void response.end(JSON.stringify(trouble.body))
    }
    passed.push(`${incoming.method} ${incoming.url}`)
    const { host: _, ...headers } = incoming.headers
    const upstream = request(new URL(incoming.url ?? '/', server), { method: incoming.method, headers, ca: trust })
    upstream.on('error', () => response.destroy())
    upstream.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    incoming.pipe(upstream)
  }
  const listener = createServer(answer)
  await new Promise<void>((ready, fail) => listener.once('error', fail).listen(0, '127.0.0.1', ready))
  return {
    url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    troubles,
    passed,
    async stop() {
      listener.closeAllConnections()
      await new Promise((done) => listener.close(done))
    },
  }
}
