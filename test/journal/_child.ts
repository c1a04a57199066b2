/** A process with a journal, for tests that need one to end: `node _child.ts <what> <path>`. */
import { sqliteJournal } from '../../src/journal/sqlite.ts'

const [what, path = ''] = process.argv.slice(2)
const say = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`)
const told = (message: string, fields?: unknown): void =>
  void process.stderr.write(`${message} ${JSON.stringify(fields)}\n`)
const log = { debug: told, info: told, warn: told, error: told }
const journal = await sqliteJournal({ path, log })
const event = (id: string) => ({ id, input: 'http', body: 'x'.repeat(1_000), at: Date.now() })

/** Writes on and on; says what is durable only once it is. */
const write = async (worker: number): Promise<void> => {
  const run = `${process.pid}-${worker}`
  for (let i = 0; ; i++) {
    const id = `${run}-${i}`
    await journal.accept(event(id))
    await journal.note(id, 'step', i)
    await journal.keep({ output: 'slack', id, at: 1, body: '{}' })
    say({ accepted: id })
    if (i % 3 !== 0) continue
    say({ settling: id })
    journal.settle(id, [], false)
    journal.drop({ output: 'slack', id })
    await journal.flush()
    say({ settled: id })
  }
}

const tasks: Record<string, () => unknown> = {
  async idle() {
    await journal.accept(event('a'))
    say(journal.health())
  },
  unawaited: () => void journal.accept(event('a')),
  hold() {
    say('ready')
    setInterval(() => {}, 60_000)
  },
  write: () => Promise.all([0, 1, 2, 3].map(write)),
  async fill() {
    for (let i = 0; i < 3_000; i++) await journal.accept(event(`e${i}`))
    say(await journal.stats())
    say((await journal.read(['e0', 'e2999'])).length)
    await journal.close()
  },
}
await tasks[what ?? '']?.()
