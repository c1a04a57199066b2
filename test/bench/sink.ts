/** A server that takes everything with an empty 200, and counts: what it costs is not what is measured. */
import { createServer } from 'node:net'

let taken = 0

/** Counts the requests in what came so far; the rest is kept. */
const take = (text: string): { readonly requests: number; readonly rest: string } => {
  let requests = 0
  let rest = text
  for (let end = rest.indexOf('\r\n\r\n'); end >= 0; end = rest.indexOf('\r\n\r\n')) {
    const length = Number(/content-length: (\d+)/i.exec(rest.slice(0, end))?.[1] ?? 0)
    if (rest.length < end + 4 + length) break
    requests++
    rest = rest.slice(end + 4 + length)
  }
  return { requests, rest }
}

const server = createServer((socket) => {
  let waiting = ''
  socket.on('error', () => {})
  socket.on('data', (bytes) => {
    const { requests, rest } = take(waiting + bytes.toString('latin1'))
    waiting = rest
    taken += requests
    if (requests > 0) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'.repeat(requests))
  })
})
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as { port: number }
  console.log(JSON.stringify({ bench: 'ready', url: `http://127.0.0.1:${port}/` }))
})
process.on('SIGUSR2', () => console.log(JSON.stringify({ bench: 'count', taken })))
process.once('SIGTERM', () => {
  console.log(JSON.stringify({ bench: 'ended', taken }))
  process.exit(0)
})
