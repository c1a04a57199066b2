/** A TCP proxy in front of a server, with which a test cuts connections as a network does. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface Proxy {
  readonly port: number
  /** Cuts every connection that is open now; later ones work. */
  cut(): void
  stop(): Promise<void>
}

/** Forwards a loopback port to `target`; a free one, unless it is to be where one has stopped. */
export const proxyTo = async (target: number, port = 0): Promise<Proxy> => {
  const open = new Set<Socket>()
  const keep = (socket: Socket, peer: Socket): void => {
    open.add(socket)
    socket
      .on('error', () => peer.destroy())
      .once('close', () => {
        open.delete(socket)
        peer.destroy()
      })
  }
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1')
    keep(client, upstream)
    keep(upstream, client)
    client.pipe(upstream).pipe(client)
  })
  await new Promise<void>((ready, fail) => server.once('error', fail).listen(port, '127.0.0.1', ready))
  const cut = (): void => {
    for (const socket of open) socket.destroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    async stop() {
      const closed = new Promise((done) => server.close(done))
      cut()
      await closed
    },
  }
}
