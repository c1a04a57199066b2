/** `npm run bench`: rates of Yarak beside the limit of the same machine, as ratios of one run. */
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { deliveryRows } from './delivery.ts'
import { httpRows, loopDelay, memory } from './http.ts'
import { matcherRows } from './matcher.ts'
import { compare, type Result, short } from './measure.ts'
import { responseRows } from './responses.ts'
import { streamRows } from './streams.ts'
import { tracingRows } from './tracing.ts'

const HELP = `npm run bench -- [options]
  --only <name>    one row, e.g. http or file (repeatable)
  --rounds <n>     rounds of each row; default 5
  --long           also: memory over 10 million events (minutes)
  --json           machine-readable
`

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    rounds: { type: 'string', default: '5' },
    long: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const rows = [...httpRows, ...deliveryRows, ...streamRows, ...matcherRows, ...responseRows, ...tracingRows]
const names = [...rows.map(({ name }) => name), 'loop-delay', 'memory']
const isAsked = (name: string): boolean => !values.only || values.only.includes(name)
const told = (line: string): void => void process.stderr.write(`${line}\n`)

const run = async (): Promise<void> => {
  const results: Result[] = []
  for (const row of rows.filter(({ name }) => isAsked(name))) {
    const missing = row.missing?.()
    if (missing) told(`${row.name}: skipped, ${missing}`)
    else results.push(await compare(row, Number(values.rounds), told))
  }
  const delay = isAsked('loop-delay') ? await loopDelay() : undefined
  const rss = values.long && isAsked('memory') ? await memory(10_000_000) : undefined
  if (values.json) console.log(JSON.stringify({ results, delay, rss }, undefined, 2))
  else print(results, delay, rss)
}

const print = (results: readonly Result[], delay?: number, rss?: { first: number; last: number }): void => {
  const table = new Table({ head: ['row', 'ours', 'anchor', 'ratio', 'min - max', 'goal', ''], style: { head: [] } })
  for (const { name, ours, anchor, ratio, goal } of results) {
    const [mid, least, most] = ratio.map((value) => value.toFixed(2))
    table.push([
      name,
      short(ours),
      short(anchor),
      mid,
      `${least} - ${most}`,
      `>= ${Number(goal.toFixed(3))}`,
      ratio[0] >= goal ? 'ok' : 'below',
    ])
  }
  console.log(table.toString())
  for (const { name, what, unit } of results) console.log(`${name}: ${what}; ${unit}`)
  if (delay !== undefined) console.log(`loop-delay: ${delay.toFixed(1)} ms at half load, 99th percentile; goal <= 10`)
  if (rss)
    console.log(`memory: ${rss.first.toFixed(0)} MiB after 1 million events, ${rss.last.toFixed(0)} after 10 million`)
}

const unknown = values.only?.find((name) => !names.includes(name))
if (values.help) process.stdout.write(HELP)
else if (unknown) {
  process.stderr.write(`there is no row ${unknown}; there are ${names.join(', ')}\n`)
  process.exitCode = 2
} else await run()
