import { stripVTControlCharacters } from 'node:util'
import { cpSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { request } from 'undici'
import { describe, expect, it } from 'vitest'
import { receiver } from '../_otlp.ts'
import { alert } from '../kit.ts'
import { closedPort, folder, launch, noneLeft, start, takePort } from './_kit.ts'

const files = folder()
noneLeft()

const LISTEN = { YARAK_LISTEN: '127.0.0.1:0' }
const within = { timeout: 15_000, interval: 20 }

const post = (url: string, body: unknown) => request(url, { method: 'POST', body: JSON.stringify(body) })
const responses = (out: string): number => out.match(/─ respond /g)?.length ?? 0

interface Settings {
  readonly inputs?: object
  readonly listen?: string | readonly string[]
  readonly rules?: readonly unknown[]
  readonly outputs?: object
  readonly resources?: object
}

/** A configuration with the HTTP input, a file and a rule on every alert. */
const config = (more: Settings = {}) =>
  files.write('yarak.yaml', {
    version: 1,
    listen: '127.0.0.1:0',
    dataDir: files.at('data'),
    inputs: {
      http: {},
      'file/a': { path: files.write('events.jsonl', [alert()]), from: 'beginning' },
      ...more.inputs,
    },
    rules: more.rules ?? [{ rule: 'Note', steps: [{ action: 'log', with: { message: 'seen' } }] }],
    outputs: more.outputs ?? {},
    telemetry: { console: true },
    ...(more.listen && { listen: more.listen }),
    ...(more.resources && { resources: more.resources }),
  })

/** What stays on a terminal: a bar of progress, shown when a run takes a while, is erased again. */
const withoutProgress = (text: string): string => text.replaceAll(/(?:[^\n]*\r\u001b\[2K)+/g, '')

/** Log lines of this message, as objects. */
const logged = (err: string, message: string): Record<string, unknown>[] =>
  err
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((line) => String(line['message']).startsWith(message))

/** A folder with the demo's files, so that what it writes is away from the repository. */
const demo = (): string => {
  cpSync('config', files.at('config'), { recursive: true })
  return files.at('.')
}

describe('the shipped demo', () => {
  it('shows what it is, answers its alerts and those that are posted, and drains on Ctrl-C', async () => {
    const { child, said, ended, address } = launch(['run'], { env: LISTEN, cwd: demo() })
    const url = await address()
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
    expect(said.err).toContain(
      [
        `Yarak ${version}`,
        '  mode     enforce (steps really act)',
        '  inputs   http, file/demo',
        '  rules    3, of which 2 only observe',
        '  outputs  stdout',
        '  journal  .yarak/journal.db',
        '  listen   127.0.0.1:0  /healthz /readyz /metrics',
        '  admin    unix:.yarak/admin.sock',
        '',
      ].join('\n'),
    )
    await expect.poll(() => responses(said.out), within).toBeGreaterThanOrEqual(2)
    await expect.poll(() => said.out, within).toMatch(/^trace [0-9a-f]{32}\ntail file\/demo · Terminal shell/m)
    expect((await request(`${url}/healthz`)).statusCode).toBe(200)
    const { body } = await request(`${url}/readyz`)
    expect(await body.json()).toMatchObject({
      ready: true,
      listeners: [{ state: 'listening' }, { state: 'listening', admin: true }],
    })

    const { headers } = await post(url, alert({ output: 'posted by hand' }))
    expect(headers['yarak-event-id']).toMatch(/^[0-9a-f-]{36}$/)
    await expect
      .poll(() => said.out, within)
      .toMatch(/^POST \/ · Terminal shell in container · Notice +✔ 200 +[\d.]+ ms$/m)
    expect(said.out).not.toContain('\u001b')

    child.kill('SIGINT')
    expect(await ended).toMatchObject({ code: 0, signal: null })
    expect(logged(said.err, 'stopping')).toHaveLength(1)
    expect(readFileSync(files.at('.yarak/incidents.tsv'), 'utf8')).toContain(
      'Terminal shell in container\tshop/web-1\n',
    )
  })

  it('stops on SIGTERM as well', async () => {
    const { child, ended, address } = launch(['run'], { env: LISTEN, cwd: demo() })
    await address()
    child.kill('SIGTERM')
    expect(await ended).toMatchObject({ code: 0, signal: null })
  })
})

describe('Ctrl-C', () => {
  const slow = (seconds: string) => [
    {
      rule: 'Slow',
      steps: [{ action: 'local:script', with: { command: ['sleep', seconds], changes: 'nothing' }, timeout: '60s' }],
    },
  ]
  const running = async (url: string): Promise<number> =>
    ((await (await request(`${url}/readyz`)).body.json()) as { running: number }).running

  it('lets a running response finish', async () => {
    const { child, said, ended, address } = launch(['run', '-c', config({ rules: slow('1.5') })])
    const url = await address()
    await expect.poll(() => running(url), within).toBe(1)
    child.kill('SIGINT')
    expect(await ended).toMatchObject({ code: 0 })
    expect(said.out).toMatch(/respond Slow · observe +✔ succeeded/)
  })

  it('a second time ends at once', async () => {
    const { child, said, ended, address } = launch(['run', '-c', config({ rules: slow('45') })])
    const url = await address()
    await expect.poll(() => running(url), within).toBe(1)
    child.kill('SIGINT')
    await expect.poll(() => logged(said.err, 'stopping').length, within).toBe(1)
    child.kill('SIGINT')
    expect(await ended).toMatchObject({ code: 130 })
  })
})

describe('when something is down', () => {
  it('a taken port is told, and the file is answered all the same', async () => {
    const { port, free } = await takePort()
    const { said, ended, interrupt, address } = start([
      'run',
      '-c',
      config({ listen: [`127.0.0.1:${port}`, '127.0.0.1:0'] }),
    ])
    const url = await address()
    await expect.poll(() => responses(said.out), within).toBe(1)
    expect(logged(said.err, 'cannot listen')[0]).toMatchObject({
      level: 'error',
      address: `127.0.0.1:${port}`,
      error: 'the address is in use by another process',
    })
    const { statusCode, body } = await request(`${url}/readyz`)
    expect(statusCode).toBe(503)
    expect(await body.json()).toMatchObject({
      ready: false,
      listeners: [{ state: 'failing' }, { state: 'listening' }, { admin: true }],
    })
    await free()
    interrupt()
    expect((await ended).code).toBe(0)
  })

  it('a broker is told once for each try, with a wait between; the other inputs go on', async () => {
    const broker = `127.0.0.1:${await closedPort()}`
    const inputs = { kafka: { brokers: [broker], topics: ['falco'] } }
    const { said, ended, interrupt, address } = start(['run', '-c', config({ inputs })])
    const url = await address()
    await expect.poll(() => responses(said.out), within).toBe(1)
    await post(url, alert())
    await expect.poll(() => responses(said.out), within).toBe(2)
    const tries = () => logged(said.err, 'an input failed and will be started again')
    await expect.poll(() => tries().length, within).toBe(2)
    for (const line of tries()) {
      expect(line).toMatchObject({ level: 'error', input: 'kafka', in_ms: expect.any(Number) as number })
      expect(line['error']).toMatch(new RegExp(`^Kafka at ${broker}: .*ECONNREFUSED`))
    }
    const state = (await (await request(`${url}/readyz`)).body.json()) as { inputs: { id: string; state: string }[] }
    expect(state.inputs).toContainEqual(expect.objectContaining({ id: 'kafka', state: 'failing' }))
    expect(state.inputs).toContainEqual(expect.objectContaining({ id: 'file/a', state: 'running' }))
    expect(await (await request(`${url}/metrics`)).body.text()).toMatch(/yarak_input_failures_total\{input="kafka"\} 2/)
    const others = said.err
      .split('\n')
      .filter((line) => line.includes(broker) && !line.includes('will be started again'))
    expect(others).toEqual([])
    interrupt()
    expect((await ended).code).toBe(0)
  })

  it('a cluster that does not answer fails the step, and nothing else', async () => {
    const server = `https://127.0.0.1:${await closedPort()}`
    const kubeconfig = files.write('kubeconfig', {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server } }],
      users: [{ name: 'u', user: { token: 't' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
      'current-context': 'x',
    })
    const rules = [
      { rule: 'Label', steps: [{ action: 'kubernetes:label', with: { labels: { a: 'b' } } }] },
      { rule: 'Note', steps: [{ action: 'log', with: { message: 'seen' } }] },
    ]
    const args = ['run', '--mode', 'enforce', '-c', config({ rules, resources: { kubernetes: { kubeconfig } } })]
    const { said, ended, interrupt, address } = start(args)
    const url = await address()
    await expect.poll(() => responses(said.out), within).toBe(2)
    expect(said.out).toMatch(/respond Label · enforce +✘ failed/)
    expect(said.out).toMatch(/ECONNREFUSED|cannot be reached|does not answer/)
    expect(said.out).toMatch(/respond Note · enforce +✔ succeeded/)
    expect((await request(`${url}/readyz`)).statusCode).toBe(200)
    interrupt()
    expect((await ended).code).toBe(0)
  })

  it('an output that hangs does not keep a stop from ending', async () => {
    const hung = createServer(() => {})
    await new Promise<void>((done) => hung.listen(0, '127.0.0.1', done))
    const { port } = hung.address() as { port: number }
    const outputs = { webhook: { address: `http://127.0.0.1:${port}/`, timeout: '500ms', retryFor: '1s' } }
    const { said, ended, interrupt } = start(['run', '-c', config({ outputs })])
    await expect.poll(() => said.err, within).toContain('response ended')
    interrupt()
    expect((await ended).code).toBe(0)
    hung.close()
  })
})

describe('with OTEL_EXPORTER_OTLP_ENDPOINT', () => {
  it('the spans of a response that are shown arrive there too, as one trace', async () => {
    const collector = await receiver()
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url }
    const { code, out } = await launch(['run', '--once', '-c', config()], { env }).ended
    await collector.close()
    expect(code).toBe(0)
    const spans = collector.spans()
    expect(spans.map(({ name }) => name).sort()).toEqual(['action log', 'match', 'respond Note', 'tail file/a'])
    expect([...new Set(spans.map(({ traceId }) => traceId))]).toEqual([/^trace (\w+)/m.exec(out)?.[1]])
  })

  it('where nobody listens the responses go on, and it is said once', async () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await closedPort()}`,
      OTEL_EXPORTER_OTLP_TIMEOUT: '200',
    }
    const { code, out, err } = await launch(['run', '--once', '-c', config()], { env }).ended
    expect(code).toBe(0)
    expect(out).toMatch(/respond Note · observe +✔ succeeded/)
    expect(logged(err, 'spans cannot be exported')).toHaveLength(1)
  })
})

describe('what is printed', () => {
  it('is in colour on a terminal only, with a readable log', async () => {
    const args = ['run', '--once', '-c', config()]
    const shown = await start(args, { colours: true, tty: true }).ended
    expect(shown.err).toMatch(/^\u001b\[1mYarak\u001b\[22m /)
    expect(shown.out).toContain('\u001b[32m✔ succeeded')
    expect(stripVTControlCharacters(withoutProgress(shown.err))).toMatch(
      /^\d\d:\d\d:\d\d INFO {2}response {3}response ended {2}rule=Note/m,
    )
    const plain = await start(args, { tty: true }).ended
    expect(withoutProgress(plain.err) + plain.out).not.toContain('\u001b')
    expect(withoutProgress(plain.err)).toMatch(/^\d\d:\d\d:\d\d INFO {2}response {3}response ended/m)
    expect(logged((await start(args).ended).err, 'response ended')).toHaveLength(1)
  })

  it('to nobody is no crash: it stops in order', async () => {
    const { child, said, ended, address } = launch(['run', '-c', config({ rules: [], inputs: {} })])
    const url = await address()
    child.stdout.destroy()
    await post(url, alert())
    child.kill('SIGINT')
    expect(await ended).toMatchObject({ code: 0 })

    const reading = launch(['run', '-c', config()])
    reading.child.stdout.destroy()
    await reading.ended
    expect(reading.child.exitCode).toBe(0)
    expect(said.err + reading.said.err).not.toMatch(/EPIPE|node:internal/)
  })

  it('a lost log does not stop the gateway', async () => {
    const { child, said, ended, address } = launch(['run', '-c', config()])
    const url = await address()
    child.stderr.destroy()
    const before = responses(said.out)
    await post(url, alert())
    await expect.poll(() => responses(said.out), within).toBeGreaterThan(before)
    child.kill('SIGINT')
    expect(await ended).toMatchObject({ code: 0 })
  })
})
