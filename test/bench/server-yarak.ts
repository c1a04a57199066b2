/** The binary's own `run`, with a watch over the event loop. Argument: the configuration. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { main } from '../../src/cli/index.ts'

const RESOLUTION = 5
const delay = monitorEventLoopDelay({ resolution: RESOLUTION })
const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())
await main(['run', '--config', process.argv[2] ?? ''], {
  out: () => {},
  err(text) {
    const url = /"message":"listening","address":"(http:[^"]+)"/.exec(text)?.[1]
    if (!url) return
    console.log(JSON.stringify({ bench: 'ready', url: `${url}/` }))
    delay.enable()
  },
  tty: false,
  colours: { out: false, err: false },
  env: {},
  signal: stop.signal,
})
const p99 = delay.percentile(99) / 1e6 - RESOLUTION
console.log(JSON.stringify({ bench: 'ended', delay: p99, rss: process.memoryUsage.rss() }))
