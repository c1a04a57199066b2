import { readFileSync } from 'node:fs'
import { createServer as createSecure } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { endpointsIn } from '../../src/doctor/endpoints.ts'
import { outputFindings } from '../../src/doctor/outputs.ts'
import { closedPort, takePort } from '../cli/_kit.ts'
import { certificates } from './_certificates.ts'
import { answering, folder, lines, onPatient } from './_kit.ts'

const pem = certificates()
const files = folder()

const found = async (outputs: object, env = {}, send?: Parameters<typeof outputFindings>[1]) =>
  lines(await onPatient({ outputs }, (patient) => outputFindings(patient, send), { env }))

const open = async (): Promise<number> => {
  const { port, free } = await takePort()
  onTestFinished(free)
  return port
}

const secure = async (name: 'right' | 'old' | 'soon'): Promise<number> => {
  const { certFile, keyFile } = pem.pair(name)
  const server = createSecure({ cert: readFileSync(certFile), key: readFileSync(keyFile) })
  server.on('tlsClientError', () => {})
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => void server.close())
  return (server.address() as { port: number }).port
}

describe('an output that sends by HTTP', () => {
  it('is asked whether its server is there, and is sent nothing', async () => {
    let requests = 0
    const url = await answering((_, response) => {
      requests++
      response.end()
    })
    expect(await found({ webhook: { address: `${url}/path` } })).toEqual([`ok webhook: ${url.slice(7)} answers`])
    expect(requests).toBe(0)
  })

  it('whose port is closed', async () => {
    const port = await closedPort()
    const [one] = await onPatient({ outputs: { webhook: { address: `http://127.0.0.1:${port}` } } }, (p) =>
      outputFindings(p),
    )
    expect(one).toMatchObject({ status: 'fail', message: `127.0.0.1:${port}: nothing listens there` })
    expect(one?.remedy).toContain('no firewall or NetworkPolicy')
  })

  it('whose name is not known', async () => {
    expect(await found({ webhook: { address: 'http://nobody.invalid/' } })).toEqual([
      'fail webhook: the name nobody.invalid is not known',
    ])
  })

  it('that may not go to private addresses', async () => {
    const url = await answering((_, response) => void response.end())
    const [line] = await found({
      webhook: { address: url.replace('127.0.0.1', 'localhost'), http: { denyPrivate: true } },
    })
    expect(line).toMatch(/^fail webhook: localhost is a private address, which http.denyPrivate forbids/)
  })

  it('whose proxy is not there, of the settings or of the environment', async () => {
    const proxy = `http://user:a-password@127.0.0.1:${await closedPort()}`
    const expected = /^fail webhook: .*127.0.0.1:\d+: nothing listens there$/
    const own = await found({ webhook: { address: 'http://far.invalid/', http: { proxy } } })
    const named = await found({ webhook: { address: 'http://far.invalid/' } }, { HTTP_PROXY: proxy })
    expect([...own, ...named]).toEqual([expect.stringMatching(expected), expect.stringMatching(expected)])
    expect([...own, ...named].join()).not.toContain('a-password')
  })

  it('whose proxy answers: the rest of the way is not known', async () => {
    const proxy = `http://127.0.0.1:${await open()}`
    expect(await found({ webhook: { address: 'https://far.invalid/', http: { proxy } } })).toEqual([
      `ok webhook: the proxy ${proxy.slice(7)} for far.invalid:443 answers`,
    ])
  })
})

describe('TLS', () => {
  const at = async (name: Parameters<typeof secure>[0], tls: object) =>
    (await found({ webhook: { address: `https://127.0.0.1:${await secure(name)}`, http: { tls } } }))[0]

  it('with the right authority', async () => {
    expect(await at('right', { caFile: pem.at('ca.crt') })).toMatch(
      /^ok webhook: .* answers with a certificate for another \d+ days/,
    )
  })

  it('with an authority that is not trusted', async () => {
    expect(await at('right', {})).toMatch(/^fail webhook: .* signed by nobody that is trusted/)
  })

  it('that has expired', async () => {
    expect(await at('old', { caFile: pem.at('ca.crt') })).toMatch(/^fail webhook: .*: its certificate has expired/)
  })

  it('that ends soon', async () => {
    expect(await at('soon', { caFile: pem.at('ca.crt') })).toMatch(/^warn webhook: the certificate of .* ends in/)
  })

  it('that is not checked', async () => {
    expect(await at('soon', { verify: false })).toMatch(/^(ok|warn) webhook/)
  })

  it('where there is none', async () => {
    const url = await answering((_, response) => void response.end())
    const [line] = await found({ webhook: { address: url.replace('http', 'https') } })
    expect(line).toMatch(/^fail webhook: .*(it does not speak TLS|cut|EPROTO|SSL)/)
  })
})

describe('other outputs', () => {
  it.each([
    ['redis', (port: number) => ({ address: `127.0.0.1:${port}` })],
    ['nats', (port: number) => ({ hostPort: `nats://127.0.0.1:${port}` })],
    ['mqtt', (port: number) => ({ broker: `mqtt://127.0.0.1:${port}` })],
    ['rabbitmq', (port: number) => ({ url: `amqp://user:a-password@127.0.0.1:${port}`, queue: 'q' })],
    ['smtp', (port: number) => ({ hostPort: `127.0.0.1:${port}`, from: 'a@example.org', to: 'b@example.org' })],
    ['syslog', (port: number) => ({ host: '127.0.0.1', port, protocol: 'tcp' })],
    ['logstash', (port: number) => ({ address: '127.0.0.1', port })],
    ['kafka', (port: number) => ({ brokers: [`127.0.0.1:${port}`], topic: 't' })],
    ['timescaledb', (port: number) => ({ host: '127.0.0.1', port, hypertableName: 'falco' })],
  ])('%s: open and closed', async (type, settings) => {
    expect(await found({ [type]: settings(await open()) })).toEqual([
      expect.stringMatching(/^ok \w+: 127.0.0.1:\d+ answers$/),
    ])
    const closed = await found({ [type]: settings(await closedPort()) })
    expect(closed).toEqual([expect.stringMatching(/^fail \w+: 127.0.0.1:\d+: nothing listens there$/)])
    expect(closed.join()).not.toContain('a-password')
  })

  it('over UDP only the name can be looked up', async () => {
    expect(await found({ statsd: { forwarder: '127.0.0.1:8125' } })).toEqual([
      expect.stringMatching(/^ok statsd: the name of 127.0.0.1:8125 is known; over UDP nobody answers/),
    ])
  })

  it('a file needs its folder', async () => {
    const told = await found({ file: { path: files.at('x.jsonl') }, 'file/b': { path: files.at('none/x.jsonl') } })
    expect(told).toEqual([
      expect.stringMatching(/^ok file/),
      expect.stringMatching(/^fail file\/b: .* cannot be written/),
    ])
  })

  it('standard output needs nothing', async () => {
    expect(await found({ stdout: {} })).toEqual([expect.stringMatching(/^skip stdout/)])
  })
})

describe('places in settings', () => {
  it.each([
    ['redis', { address: 'redis' }, [{ host: 'redis', port: 6_379 }]],
    ['redis', { address: '[::1]:7', tls: { verify: true } }, [{ host: '::1', port: 7, tls: { verify: true } }]],
    [
      'nats',
      { hostPort: 'a:1,tls://b' },
      [
        { host: 'a', port: 1 },
        { host: 'b', port: 4_222 },
      ],
    ],
    ['mqtt', { broker: 'mqtts://m' }, [{ host: 'm', port: 8_883, tls: {} }]],
    ['syslog', { host: 'h', port: 514, protocol: 'udp' }, [{ host: 'h', port: 514, udp: true }]],
    [
      'kafka',
      { brokers: ['a:1', 'b:2'] },
      [
        { host: 'a', port: 1 },
        { host: 'b', port: 2 },
      ],
    ],
    ['x', { url: 'gopher://x' }, []],
    ['x', undefined, []],
  ])('%s %j', (type, config, expected) => {
    expect(endpointsIn(type, config).map(({ endpoint }) => endpoint)).toEqual(expected)
  })
})

it('a sample is sent only where it is asked for, and the answer is told', async () => {
  const port = await open()
  const outputs = { redis: { address: `127.0.0.1:${port}` }, 'redis/b': { address: `127.0.0.1:${port}` } }
  const send = async (id: string): Promise<string> => {
    if (id === 'redis/b') throw new Error('it was refused')
    return `${id} took it`
  }
  expect((await found(outputs, {}, send)).filter((line) => line.includes('sample'))).toEqual([
    'ok redis sample: redis took it',
    'fail redis/b sample: it was refused',
  ])
})
