/** Where requests go: servers of this machine that keep what really comes. */
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { Agent, type Dispatcher } from 'undici'
import type { Answer, RecordedRequest } from '../../src/testing.ts'

/** A request as a server read it. */
export interface Received extends RecordedRequest {
  /** As in the request line. */
  readonly path: string
  readonly rawHeaders: readonly string[]
}

const listening = async (server: Server): Promise<number> => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return (server.address() as AddressInfo).port
}

const ORIGIN = 'x-test-origin'

/** Sends every request, wherever it is for, to one server that answers in the place of all of them. */
class Redirect extends Agent {
  readonly #to: string
  constructor(to: string) {
    super()
    this.#to = to
  }

  override dispatch(options: Agent.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const headers = { ...(options.headers as Record<string, string>), [ORIGIN]: String(options.origin) }
    return super.dispatch({ ...options, origin: this.#to, headers }, handler)
  }
}

/** All hosts of the world but the API server. */
export const aWeb = async (answer: (request: Received) => Answer) => {
  const requests: Received[] = []
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const received = await receive(request)
    requests.push(received)
    const { status = 200, headers, body = '' } = answer(received)
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body))
  }
  const server = createHttpServer((request, response) => void serve(request, response))
  const dispatcher = new Redirect(`http://127.0.0.1:${await listening(server)}`)
  return {
    requests,
    dispatcher,
    async close() {
      await dispatcher.destroy()
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}

const receive = async (request: IncomingMessage): Promise<Received> => {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const { [ORIGIN]: origin, host: _host, ...headers } = request.headers as Record<string, string>
  const { method = '', url: path = '', rawHeaders } = request
  const host = new URL(origin ?? '').host
  return {
    ...{ method, path, url: `${origin}${path}`, rawHeaders, headers: { ...headers, host } },
    body: Buffer.concat(chunks).toString(),
  }
}

/** Stands before a server and keeps every byte that a client sends it. */
export const aTap = async (port: number) => {
  const sent: Buffer[] = []
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const far = connect(port, '127.0.0.1')
    for (const socket of [client, far]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => (client.destroy(), far.destroy()))
    }
    client.on('data', (chunk: Buffer) => void sent.push(chunk))
    client.pipe(far).pipe(client)
  })
  const url = `http://127.0.0.1:${await listening(server)}`
  return {
    url,
    /** All that was sent so far, and from now on anew. */
    taken: (): string => Buffer.concat(sent.splice(0)).toString('latin1'),
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((done) => server.close(done))
    },
  }
}
