#!/usr/bin/env node
/** The binary: checks the Node version before anything else is loaded, hands over signals, sets the exit code. */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

if (major < 22 || (major === 22 && minor < 19)) {
  process.stderr.write(`yarak needs Node.js 22.19 or newer, this is ${process.versions.node}\n`)
  process.exitCode = 1
} else {
  // Node 22 calls its SQLite experimental, and kafkajs asks for timeouts below zero: neither is news to a user
  const warn = process.emitWarning
  process.emitWarning = (text: string | Error, ...rest: never[]) => {
    const known = String(text).startsWith('SQLite') || (rest as unknown[]).includes('TimeoutNegativeWarning')
    if (!known) warn.call(process, text, ...rest)
  }
  const { main } = await import('./cli/index.ts')
  const stop = new AbortController()
  const onSignal = (): void => {
    if (stop.signal.aborted) process.exit(130)
    stop.abort()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  // whoever read along has gone, as in `yarak run | head`: what runs is finished in order
  process.stdout.on('error', () => stop.abort())
  // a gateway that has lost its log still answers
  process.stderr.on('error', () => {})
  process.exitCode = await main(process.argv.slice(2), {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    tty: process.stderr.isTTY,
    colours: { out: process.stdout.isTTY && !process.env.NO_COLOR, err: process.stderr.isTTY && !process.env.NO_COLOR },
    columns: () => process.stdout.columns,
    env: process.env,
    signal: stop.signal,
    onHangup: (listener) => void process.on('SIGHUP', listener),
  })
  process.off('SIGINT', onSignal)
  process.off('SIGTERM', onSignal)
  // a collector that never answers would hold up the end
  setTimeout(() => process.exit(), 1_000).unref()
}
