import { createServer } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { falcoFindings } from '../../src/doctor/falco.ts'
import { readFalco } from '../../src/doctor/falco-file.ts'
import { listenerFindings } from '../../src/doctor/listeners.ts'
import { findRunning } from '../../src/doctor/running.ts'
import { closedPort, takePort } from '../cli/_kit.ts'
import { serve } from '../serve/_kit.ts'
import { certificates } from './_certificates.ts'
import { folder, lines, onPatient, optionsOf } from './_kit.ts'

const pem = certificates()
const files = folder()

const found = (config: object) => onPatient(config, async (patient) => lines(await listenerFindings(patient)))
const at = async (more: object = {}) => ({ address: `127.0.0.1:${await closedPort()}`, ...more })

describe('addresses', () => {
  it('one that is free', async () => {
    expect(await found({ listen: [await at()] })).toEqual([expect.stringMatching(/^ok 127.0.0.1:\d+: it is free$/)])
  })

  it('one that another process has', async () => {
    const { port, free } = await takePort()
    onTestFinished(free)
    const [one] = await onPatient({ listen: `127.0.0.1:${port}` }, listenerFindings)
    expect(one).toMatchObject({
      status: 'fail',
      message: 'cannot listen there: the address is in use by another process',
      remedy: `ss -ltnp 'sport = :${port}' shows who has it; or set listen: to another port`,
    })
  })

  it('one that our gateway has', async () => {
    const { first } = serve(['127.0.0.1:0'])
    const listen = (await first()).replace('http://', '')
    const running = await findRunning(optionsOf({ listen }).listen, undefined, 2_000)
    const told = await onPatient({ listen }, listenerFindings, { running })
    expect(lines(told)).toEqual([`ok ${listen}: the gateway listens there`])
  })

  it('one that this machine does not have', async () => {
    expect(await found({ listen: '192.0.2.1:2801' })).toEqual([
      'fail 192.0.2.1:2801: cannot listen there: this machine has no such address',
    ])
  })

  it('unix sockets: a folder that is there, none, a file in the way, one that was left', async () => {
    files.write('file', '')
    const server = createServer().listen(files.at('left.sock'))
    onTestFinished(() => void server.close())
    const paths = ['new.sock', 'none/a.sock', 'file', 'left.sock'].map((name) => files.at(name))
    const told = await found({ listen: paths.map((path) => `unix:${path}`) })
    expect(told.map((line) => line.replaceAll(/unix:\S+/g, 'unix'))).toEqual([
      'ok unix it is free',
      'fail unix cannot listen there: the folder does not exist',
      'fail unix cannot listen there: there is a file of that name that is not a socket',
      'ok unix it is free',
    ])
  })
})

describe('certificates', () => {
  const told = async (tls: object) => {
    const all = await found({ listen: await at({ tls }) })
    return all
      .filter((line) => line.includes('certificate'))
      .map((line) => line.replace(/127.0.0.1:\d+ certificate: /, ''))
  }

  it('one that is valid for long, with its names', async () => {
    expect(await told(pem.pair('right'))).toEqual([
      'ok valid until 2099-01-01, and the key fits',
      'ok for 127.0.0.1, localhost',
    ])
  })

  it('one that ends soon', async () => {
    expect((await told(pem.pair('soon')))[0]).toMatch(/^warn .*soon.crt ends in \d+ (h|days), on 20/)
  })

  it('one that has expired', async () => {
    expect(await told(pem.pair('old'))).toEqual([expect.stringMatching(/^fail .*old.crt expired on 2021-01-01T/)])
  })

  it('one that names no host', async () => {
    expect(await told(pem.pair('unnamed'))).toContainEqual(expect.stringMatching(/^fail .* names no host/))
  })
})

describe('who may send from elsewhere', () => {
  const senders = async (input: object, tls?: object) => {
    const port = await closedPort()
    const listen = { address: `0.0.0.0:${port}`, ...(tls && { tls }) }
    const all = await found({ listen, inputs: { http: input } })
    return all.filter((line) => line.includes('senders')).map((line) => line.replace(/ \S+ senders: /, ' '))
  }

  it.each([
    [{}, 'fail http takes events of everybody who reaches it'],
    [{ trust: true }, 'warn http trusts everybody who reaches it'],
    [{ token: 'a-token-of-ours' }, 'ok http asks who sends'],
    [{ secretPath: 'a-secret-path' }, 'ok http asks who sends'],
    [{ basic: { username: 'falco', password: 'password' } }, 'ok http asks who sends'],
    [{ hmac: { secret: 'a-secret-key' } }, 'ok http asks who sends'],
  ])('%j', async (input, expected) => expect(await senders(input)).toEqual([expected]))

  it('a listener that asks for certificates asks enough', async () => {
    expect(await senders({}, { ...pem.pair('right'), caFile: pem.at('ca.crt') })).toEqual([])
  })
})

it('Falco without a client certificate is not let in where one is required', async () => {
  const listen = await at({ tls: { ...pem.pair('right'), caFile: pem.at('ca.crt') } })
  const url = `https://${listen.address}/`
  const text = `json_output: true\nhttp_output: {enabled: true, url: "${url}", keep_alive: true}\n`
  const look = (more: string) => {
    const falco = readFalco(files.write('falco.yaml', text.replace('}', `${more}}`)), {})
    return lines(falcoFindings({ falco }, optionsOf({ listen, inputs: { http: { clientCertificates: {} } } })))
  }
  expect(look('')).toContainEqual(expect.stringMatching(/^fail http_output.mtls: .* takes nobody without/))
  expect(look(', mtls: true').some((line) => line.startsWith('fail'))).toBe(false)
})
