/** What every output keeps, as cases. */
import assert from 'node:assert/strict'
import { toJson } from '../event.ts'
import { YarakError } from '../errors.ts'
import type { Notice, Output, Sender } from '../plugin.ts'
import { type Case, secretsIn, specCases, toCase } from './cases.ts'
import { testIo, type TestIo } from './io.ts'
import { type Answers, type RecordedRequest } from './recorder.ts'
import { aNotice, aReport, BIG, oddEvents } from './samples.ts'

export interface OutputCaseOptions {
  /** Settings to run with. Default those of the example, when it sends HTTP requests: those go nowhere. */
  readonly config?: unknown
  /** What it runs in, when it needs more than the network, e.g. a resource. */
  readonly io?: (answer?: Answers) => TestIo
}

/**
 * What every output keeps: strict, described and redacted settings; an example that holds; all odd events taken; an
 * aborted signal honoured; and, when the example's `sends` is an HTTP request, an error that says what the status means.
 *
 * An output that sends otherwise is run only with settings or an `io` given, since it could touch the machine.
 * @example
 * import { outputCases } from 'yarak/testing'
 * describe('webex', () => { for (const { name, run } of outputCases(webex)) it(name, run) })
 */
export const outputCases = (output: Output, options: OutputCaseOptions = {}): Case[] => {
  const runs = isHttp(output) || options.config !== undefined || options.io !== undefined
  return [
    ...specCases(output, /^[a-z0-9]+(\.[a-z0-9]+)?$/),
    ...(output.example ? exampleCases(output, options) : []),
    ...(runs ? sendCases(setupOf(output, options)) : []),
  ]
}

const ioWith = (answer?: Answers): TestIo => testIo(answer === undefined ? {} : { answer })

interface Setup {
  readonly output: Output
  readonly config: unknown
  readonly io: (answer?: Answers) => TestIo
}

const setupOf = (output: Output, { config, io }: OutputCaseOptions): Setup => ({
  output,
  config: config ?? output.example?.config ?? {},
  io: io ?? ioWith,
})

const NEVER = new AbortController().signal

/** Opens the output, hands over its sender, closes it again. */
const run = async <T>(
  { output, config, io }: Setup,
  answer: Answers | undefined,
  fn: (sender: Sender, io: TestIo) => Promise<T>,
): Promise<T> => {
  const used = io(answer)
  try {
    const sender = await output.open(output.config.parse(config), used)
    try {
      return await fn(sender, used)
    } finally {
      await sender.close?.()
    }
  } finally {
    await used.close()
  }
}

/** The requests that a notice becomes. */
const sent = (setup: Setup, notice: Notice): Promise<readonly RecordedRequest[]> =>
  run(setup, undefined, async (sender, io) => {
    await sender.send([notice], NEVER)
    return io.requests
  })

const isHttp = ({ example }: Output): boolean => /^https?:/.test(example?.sends?.url ?? '')

const exampleCases = (output: Output, { io = ioWith }: OutputCaseOptions): Case[] => {
  const { config, sends } = output.example ?? { config: {} }
  const valid = toCase('has an example with valid settings', () => void output.config.parse(config))
  if (!sends || !isHttp(output)) return [valid]
  const same = toCase('sends what its example says', async () => {
    const requests = await sent({ output, config, io }, aNotice())
    assert.equal(requests.length, 1)
    const [{ method, url, body }] = requests as readonly [RecordedRequest]
    assert.deepEqual({ method, url }, { method: sends.method ?? 'POST', url: sends.url })
    if (typeof sends.body === 'string') assert.equal(body, sends.body)
    else assert.deepEqual(JSON.parse(body), JSON.parse(toJson(sends.body)))
  })
  return [valid, same]
}

const sendCases = (setup: Setup): Case[] => [
  ...oddEvents().map(({ name, event }) =>
    toCase(`takes an event with ${name}`, async () => {
      for (const notice of [aNotice({ event }), aNotice({ event, report: aReport({ rule: event.rule }) })]) {
        checkDigits(await sent(setup, notice))
      }
    }),
  ),
  toCase('takes the report of a response without steps', async () => {
    await sent(setup, aNotice({ report: aReport({ steps: [], outcome: 'refused', mode: 'observe' }) }))
  }),
  toCase('takes several notices', () =>
    run(setup, undefined, async (sender) => {
      const notices = Array.from({ length: setup.output.batch ?? 1 }, (_, i) => aNotice({ id: `notice-${i}` }))
      await sender.send(notices, NEVER)
      await sender.send([aNotice()], NEVER)
    }),
  ),
  toCase('can be closed without having sent', () => run(setup, undefined, async () => {})),
  toCase('rejects when the signal is aborted already', () =>
    run(setup, undefined, (sender) => assert.rejects(async () => sender.send([aNotice()], AbortSignal.abort()))),
  ),
  ...(isHttp(setup.output) ? httpCases(setup) : []),
]

/** A double would have turned the last digits to zeros or others. */
const checkDigits = (requests: readonly RecordedRequest[]): void => {
  const digits = String(BIG)
  for (const { body } of requests) {
    const found = body.match(new RegExp(`${digits.slice(0, 14)}\\d*`, 'g')) ?? []
    for (const one of found) assert.equal(one, digits, 'an integer lost digits')
  }
}

const failureOf = (setup: Setup, answer: Answers): Promise<{ error: YarakError; io: TestIo }> =>
  run(setup, answer, async (sender, io) => {
    const error: unknown = await sender.send([aNotice()], NEVER).then(
      () => assert.fail('send resolved'),
      (reason: unknown) => reason,
    )
    assert.ok(error instanceof YarakError, `not a YarakError: ${String(error)}`)
    return { error, io }
  })

const httpCases = (setup: Setup): Case[] => [
  toCase('rejects when the signal is aborted on the way', async () => {
    const stop = new AbortController()
    const hang = () => {
      setImmediate(() => stop.abort())
      return 'hang' as const
    }
    await run(setup, hang, (sender) => assert.rejects(async () => sender.send([aNotice()], stop.signal)))
  }),
  toCase('may try again after a 429, and waits as long as it was asked to', async () => {
    const { error } = await failureOf(setup, { status: 429, headers: { 'retry-after': '7' } })
    assert.deepEqual(
      { permanent: error.permanent, retryAfter: error.retryAfter },
      { permanent: false, retryAfter: 7_000 },
    )
  }),
  toCase('may try again after a 503', async () => {
    assert.equal((await failureOf(setup, { status: 503 })).error.permanent, false)
  }),
  toCase('may try again when there is no connection', async () => {
    assert.equal((await failureOf(setup, new Error('connect ECONNREFUSED'))).error.permanent, false)
  }),
  toCase('gives up after a 400', async () => {
    assert.equal((await failureOf(setup, { status: 400, body: 'no' })).error.permanent, true)
  }),
  toCase('sends to the same servers whatever the event says', async () => {
    const origins = async (notice: Notice) => (await sent(setup, notice)).map(({ url }) => new URL(url).origin)
    const usual = new Set(await origins(aNotice()))
    for (const { name, event } of oddEvents()) {
      for (const origin of await origins(aNotice({ event }))) assert.ok(usual.has(origin), `${name}: ${origin}`)
    }
  }),
  toCase('tells no secret in errors and spans', async () => {
    const secrets = secretsIn(setup.output.config, setup.config)
    const echo = (request: RecordedRequest) => ({ status: 404, body: `Cannot ${request.method} ${request.url}` })
    const { error, io } = await failureOf(setup, echo)
    const told = toJson([error.message, error.reason, io.spans, io.lines])
    for (const one of secrets) assert.ok(!told.includes(one), 'a secret is told')
  }),
]
