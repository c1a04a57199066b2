/** A mail server that says what it is told to, line by line, and keeps what it heard. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

/** What it says to a line; undefined: the usual; `hang`: nothing; `cut`: it goes away. */
export type Say = (line: string, connection: number) => string | undefined

const USUAL: readonly (readonly [RegExp, string])[] = [
  [/^EHLO/i, '250-fake\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN OAUTHBEARER EXTERNAL ANONYMOUS'],
  [/^(MAIL|RCPT|RSET|NOOP)/i, '250 2.0.0 OK'],
  [/^DATA/i, '354 go ahead'],
  [/^QUIT/i, '221 bye'],
]

export interface FakeSmtp {
  readonly port: number
  /** Everything that was said to it, a line each; the lines of a mail are one. */
  readonly heard: string[]
  readonly mails: string[]
  connections: number
  say: Say | undefined
  /** Ends all connections. */
  drop(): void
  close(): Promise<void>
}

export const fakeSmtp = async (): Promise<FakeSmtp> => {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => serve(socket))
  const fake: FakeSmtp = {
    port: 0,
    heard: [],
    mails: [],
    connections: 0,
    say: undefined,
    drop() {
      for (const socket of sockets) socket.destroy()
    },
    async close() {
      this.drop()
      server.close()
      await once(server, 'close')
    },
  }
  const answer = (socket: Socket, line: string, usual: string, connection: number): void => {
    const said = fake.say?.(line, connection) ?? usual
    if (said === 'cut') socket.destroy()
    else if (said !== 'hang') socket.write(`${said}\r\n`)
  }
  const serve = (socket: Socket): void => {
    const connection = ++fake.connections
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    let waiting = ''
    let isMail = false
    socket.setEncoding('utf8').on('data', (text: string) => {
      waiting += text
      for (;;) {
        const end = isMail ? '\r\n.\r\n' : '\r\n'
        const at = waiting.indexOf(end)
        if (at < 0) return
        const line = waiting.slice(0, at)
        waiting = waiting.slice(at + end.length)
        if (isMail) fake.mails.push(line)
        else fake.heard.push(line)
        const usual = isMail
          ? '250 2.0.0 taken'
          : (USUAL.find(([command]) => command.test(line))?.[1] ?? '235 2.7.0 OK')
        const wasMail = isMail
        isMail = !wasMail && /^DATA/i.test(line) && !fake.say?.(line, connection)
        answer(socket, wasMail ? '.' : line, usual, connection)
      }
    })
    answer(socket, 'hello', '220 fake ESMTP', connection)
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return Object.assign(fake, { port: (server.address() as AddressInfo).port })
}
