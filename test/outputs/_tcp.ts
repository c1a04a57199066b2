/** A TCP server on a free loopback port that a test speaks a protocol with. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

/** Handles what came and was not handled yet; gives what is left of it. */
export type Talk = (socket: Socket, data: Buffer) => Buffer

export const speak = async (talk: Talk, greet: (socket: Socket) => void = () => {}) => {
  const sockets = new Set<Socket>()
  const counts = { connections: 0 }
  const server = createServer((socket) => {
    counts.connections++
    sockets.add(socket)
    let rest: Buffer = Buffer.alloc(0)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    socket.on('data', (chunk) => (rest = talk(socket, Buffer.concat([rest, chunk]))))
    greet(socket)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    counts,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((done) => server.close(done))
    },
  }
}
