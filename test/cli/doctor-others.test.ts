/** `yarak doctor` and those it asks: who never answers, who never ends, who answers what nobody should print. */
import { mkdirSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { answering } from '../doctor/_kit.ts'
import { examined, saidOf } from './_doctor.ts'
import { closedPort, folder, start, yarak } from './_kit.ts'

const files = folder()

const MARK = [{ rule: 'Mark', match: {}, steps: [{ action: 'kubernetes:label', with: { labels: { a: 'b' } } }] }]

const kubeconfig = (server: string): string =>
  files.write('kubeconfig', {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'a' },
    contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
    clusters: [{ name: 'a', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'a', user: { token: 'a-token-of-an-account' } }],
  })

/** A configuration all of whose neighbours are at one port. */
const neighbours = (port: number): string =>
  files.write('yarak.yaml', {
    ...{ version: 1, mode: 'enforce', dataDir: files.at('data'), listen: `127.0.0.1:${port}`, rules: MARK },
    inputs: { http: {}, kafka: { brokers: [`127.0.0.1:${port}`], topics: ['falco'] } },
    outputs: {
      'webhook/plain': { address: `http://127.0.0.1:${port}/` },
      'webhook/secure': { address: `https://127.0.0.1:${port}/` },
    },
    resources: { kubernetes: { kubeconfig: kubeconfig(`https://127.0.0.1:${port}`) } },
  })

const late = expect.stringMatching(/^fail: (?:.*: )?there was no answer within 0\.2 s$/) as string

describe('who never answers', () => {
  /** Takes every connection, and says nothing. */
  const silent = async (): Promise<number> => {
    const server = createServer((socket) => socket.on('error', () => {}).resume())
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    onTestFinished(() => void server.close())
    return (server.address() as AddressInfo).port
  }

  it('holds up nothing and nobody: each is told of, and the rest goes on', async () => {
    const port = await silent()
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` }
    const findings = await examined(['--config', neighbours(port), '--timeout', '200ms'], { env })
    expect(saidOf(findings, 'inputs', 'kafka')).toEqual([late])
    expect(saidOf(findings, 'cluster')).toEqual([late])
    expect(saidOf(findings, 'telemetry', 'traces')).toEqual([late])
    expect(saidOf(findings, 'outputs', 'webhook/secure')).toEqual([late])
    expect(saidOf(findings, 'gateway')).toEqual([expect.stringMatching(/^skip: no gateway answers/)])
    expect(saidOf(findings, 'journal')).toHaveLength(1)
    expect(saidOf(findings, 'rules')).toHaveLength(1)
  })

  it('as administration of a gateway that else answers', async () => {
    const gateway = await answering((request, response) => {
      if (request.url === '/readyz') response.end('{"ready":true,"mode":"observe"}')
    })
    mkdirSync(files.at('data'))
    const config = files.write('yarak.yaml', { version: 1, dataDir: files.at('data'), inputs: { http: {} } })
    const findings = await examined(['--config', config, '--url', gateway, '--timeout', '200ms'])
    expect(saidOf(findings, 'gateway', 'ready')).toEqual([expect.stringMatching(/^ok: .* is ready, in mode observe/)])
    expect(saidOf(findings, 'gateway', 'metrics')).toEqual(['skip: it serves no /metrics here'])
    expect(saidOf(findings, 'gateway', 'dead letters')).toEqual(['skip: not told: there was no answer within 0.2 s'])
  })

  it('is given up when the user has had enough', async () => {
    const port = await silent()
    const { interrupt, ended } = start(['doctor', '--config', neighbours(port), '--timeout', '10m', '--json'])
    interrupt()
    const { out } = await ended
    expect(out).toContain('it was interrupted')
  })
})

it('who never ends is cut short', async () => {
  const endless = await answering((_, response) => {
    const pour = (): void =>
      void (response.write('x'.repeat(1_000)) ? setImmediate(pour) : response.once('drain', pour))
    pour()
  })
  const port = Number(new URL(endless).port)
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: endless }
  const findings = await examined(['--config', neighbours(port), '--url', endless, '--timeout', '200ms'], { env })
  expect(saidOf(findings, 'gateway')).toEqual([expect.stringMatching(/^skip: no gateway answers/)])
  expect(saidOf(findings, 'telemetry', 'traces')).toEqual([expect.stringMatching(/^fail: /)])
})

describe('who answers as a gateway', () => {
  const EVIL = 'a\u001b[2J\u009b31m\u202eb\u0007\u2028c\u0000\n  ok    forged: all is well'
  const gateway = (health: unknown, date?: Date): Promise<string> =>
    answering((request, response) => {
      if (date) response.setHeader('date', date.toUTCString())
      if (request.url === '/readyz') response.end(JSON.stringify(health))
      else response.writeHead(404).end()
    })
  const config = (): string =>
    files.write('yarak.yaml', { version: 1, dataDir: files.at('data'), inputs: { http: {} }, rules: [] })

  it.each([
    [{ ready: true, inputs: 'none' }],
    [{ ready: true, inputs: [null] }],
    [{ ready: true, inputs: [{ id: 'a', state: 'running', lastEvent: 'yesterday' }] }],
    [{ ready: true, outputs: [{ id: 7 }] }],
    [{ ready: true, journal: { mode: 'durable', size: 'much' } }],
    [{ ready: false, reasons: { input: 'a' } }],
    [{ ready: 'yes' }],
    [[]],
    [null],
  ])('and is none: %j', async (health) => {
    const findings = await examined(['--config', config(), '--url', await gateway(health)])
    expect(saidOf(findings, 'gateway')).toEqual([expect.stringMatching(/^skip: no gateway answers/)])
  })

  it('and has text that a terminal would obey: it is written out, and cut', async () => {
    const reasons = [{ part: 'input', id: EVIL, severity: 'fails', message: EVIL + 'x'.repeat(10_000) }]
    const inputs = [{ id: EVIL, state: 'failing', error: EVIL }]
    const url = await gateway({ ready: false, mode: EVIL, version: EVIL, reasons, inputs })
    for (const colours of [false, true]) {
      const { out, code } = await yarak(['doctor', '--config', config(), '--url', url], { colours })
      expect(code).toBe(1)
      expect(out).toContain(String.raw`a\u001b[2J\u009b31m\u202eb\u0007`)
      expect(out.replaceAll(/\u001b\[\d+m/g, '')).not.toMatch(
        /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2028]/,
      )
      expect(out).not.toMatch(/^ +ok +forged/m)
      expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThan(900)
    }
    const { out } = await yarak(['doctor', '--config', config(), '--url', url, '--json'])
    expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/)
    expect(JSON.stringify(JSON.parse(out))).toContain(JSON.stringify(EVIL).slice(1, -1))
  })

  it('and only degrades says with what, besides its outputs', async () => {
    const of = (part: string, id: string) => ({ part, id, severity: 'degrades', message: `the ${part} is ill` })
    const reasons = [of('cluster', 'kubernetes'), of('audit', 'audit'), of('output', 'slack')]
    const url = await gateway({ ready: true, reasons })
    const findings = await examined(['--config', config(), '--url', url])
    expect(saidOf(findings, 'gateway', 'cluster kubernetes')).toEqual(['warn: the cluster is ill'])
    expect(saidOf(findings, 'gateway', 'audit')).toEqual(['warn: the audit is ill'])
    expect(JSON.stringify(findings)).not.toContain('the output is ill')
  })

  it.each([
    [0, /^ok: our clock agrees with it$/],
    [30_000, /^warn: our clock is (29|30|31) s behind it$/],
    [-30_000, /^warn: our clock is (29|30|31) s ahead of it$/],
    [90_000, /^fail: our clock is (89|90|91) s behind it: events are taken for coming from the future/],
    [-3_600_000, /^fail: our clock is 60 min ahead of it: events are taken for stale/],
  ])('and has a clock that is %i ms from ours', async (skew, told) => {
    const url = await gateway({ ready: true }, new Date(Date.now() + skew))
    const findings = await examined(['--config', config(), '--url', url])
    expect(saidOf(findings, 'clock', 'gateway')).toEqual([expect.stringMatching(told)])
    const [finding] = findings.filter(({ group }) => group === 'clock')
    if (skew !== 0) expect(finding?.remedy).toContain('chrony')
  })

  it('and has a password in its address: it is not printed', async () => {
    const url = (await gateway({ ready: true })).replace('http://', 'http://user:pass%2Fword@')
    const collector = `http://user:other-word@127.0.0.1:${await closedPort()}`
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector, HTTP_PROXY: `http://u:third-word@127.0.0.1:1` }
    for (const more of [[], ['--json']]) {
      const { out, err } = await yarak(['doctor', '--config', config(), '--url', url, ...more], { env })
      expect(out + err).not.toMatch(/pass%2Fword|pass\/word|other-word|third-word/)
    }
  })
})

describe('a collector', () => {
  const told = async (status: number, more: Record<string, string> = {}) => {
    const address = await answering((_, response) => response.writeHead(status).end())
    const config = files.write('yarak.yaml', { version: 1, dataDir: files.at('data') })
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: address, OTEL_METRICS_EXPORTER: 'none', ...more }
    const [first] = (await examined(['--config', config], { env })).filter(({ group }) => group === 'telemetry')
    return first
  }

  it.each([
    [200, {}, 'ok', undefined],
    [401, {}, 'fail', /OTEL_EXPORTER_OTLP_HEADERS/],
    [404, {}, 'fail', /without \/v1\/traces; OTEL_TRACES_EXPORTER=none where it takes none/],
    [404, { OTEL_TRACES_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'otlp' }, 'fail', /OTEL_LOGS_EXPORTER=none/],
    [415, {}, 'fail', /OTEL_EXPORTER_OTLP_PROTOCOL/],
    [503, {}, 'fail', /the log of the collector/],
  ])('that answers %i to %j is %s', async (status, env, as, remedy) => {
    const found = await told(status, env)
    expect(found?.status).toBe(as)
    if (remedy) expect(found?.remedy).toMatch(remedy)
    else expect(found?.remedy).toBeUndefined()
  })
})
