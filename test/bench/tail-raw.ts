/** The limit: read, split, JSON.parse in one loop. Argument: the file. */
import { open } from 'node:fs/promises'

const handle = await open(process.argv[2] ?? '')
const chunk = Buffer.allocUnsafe(256 * 1024)
let rest: Buffer = Buffer.alloc(0)
let events = 0
const started = performance.now()
for (;;) {
  const { bytesRead } = await handle.read(chunk, 0, chunk.length)
  if (bytesRead === 0) break
  const text = Buffer.concat([rest, chunk.subarray(0, bytesRead)])
  let from = 0
  for (let end = text.indexOf(10); end >= 0; end = text.indexOf(10, from)) {
    JSON.parse(text.toString('utf8', from, end))
    events++
    from = end + 1
  }
  rest = Buffer.from(text.subarray(from))
}
console.log(JSON.stringify({ bench: 'ended', rate: events / ((performance.now() - started) / 1_000) }))
