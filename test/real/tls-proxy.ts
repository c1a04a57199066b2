/** Puts TLS in front of a server that has none, in the way its protocol begins it. */
import { readFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { KeyPair } from './certificates.ts'

/** `first`: TLS from the first byte. `nats`: after the server's INFO. `postgres`: after the client has asked for it. */
export type TlsStart = 'first' | 'nats' | 'postgres'

export interface TlsProxy {
  readonly port: number
  stop(): Promise<void>
}

/** @param ca when given, clients must have a certificate that it signed */
export const tlsProxyTo = async (target: number, start: TlsStart, pair: KeyPair, ca?: string): Promise<TlsProxy> => {
  const [cert, key] = [readFileSync(pair.cert), readFileSync(pair.key)]
  const authority = ca ? { ca: readFileSync(ca), requestCert: true, rejectUnauthorized: true } : {}
  const open = new Set<Socket>()
  const kept = <S extends Socket>(socket: S): S => {
    open.add(socket)
    socket.on('error', () => socket.destroy()).on('close', () => open.delete(socket))
    return socket
  }
  const server = createServer((client) => {
    kept(client)
    const upstream = kept(connect(target, '127.0.0.1'))
    const secure = () => {
      const safe = kept(new TLSSocket(client, { isServer: true, cert, key, ...authority }))
      safe.pipe(upstream).pipe(safe)
      safe.on('close', () => upstream.destroy())
      upstream.on('close', () => safe.destroy())
    }
    if (start === 'first') secure()
    if (start === 'postgres')
      client.once('data', () => {
        client.write('S')
        secure()
      })
    if (start === 'nats')
      upstream.once('data', (info: Buffer) => {
        client.write(info.toString().replace('INFO {', 'INFO {"tls_required":true,"tls_available":true,'))
        secure()
      })
  })
  await new Promise<void>((ready, fail) => server.once('error', fail).listen(0, '127.0.0.1', ready))
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      for (const socket of open) socket.destroy()
      await new Promise((done) => server.close(done))
    },
  }
}
