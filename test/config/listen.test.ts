import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Address,
  addressText,
  type ConfigProblem,
  type Listener,
  listenerText,
  loadConfig,
  parseAddress,
} from '../../src/config/index.ts'
import { settingRows, settingsSchema } from '../../src/describe.ts'
import { fileSettings } from '../../src/config/settings.ts'
import { defineInput, z } from '../../src/plugin.ts'
import { Hono } from 'hono'
import { authority, type KeyPair } from '../real/certificates.ts'
import { file, memory, plugins, print } from './_kit.ts'

const START = 'version: 1\n'

/** Takes requests, as the shipped one does; `bare` has no path among its settings. */
const routes = (type: string, path: boolean) =>
  defineInput({
    type,
    summary: 'Takes events by HTTP.',
    replayable: false,
    config: path ? z.strictObject({ path: z.string().default('/') }) : z.strictObject({}),
    routes: () => new Hono(),
  })

const dir = mkdtempSync(join(tmpdir(), 'yarak-listen-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

let files: Record<string, string> = {}
let pair: KeyPair

beforeAll(async () => {
  const ca = await authority(dir)
  const other = await ca.issue('other', { name: 'other' })
  pair = await ca.issue('server', { name: 'server' })
  const locked = join(dir, 'locked.key')
  execFileSync('openssl', ['pkcs8', '-topk8', '-in', pair.key, '-out', locked, '-passout', 'pass:x'], {
    stdio: 'ignore',
  })
  files = {
    'tls.crt': readFileSync(pair.cert, 'utf8'),
    'tls.key': readFileSync(pair.key, 'utf8'),
    'ca.crt': readFileSync(ca.cert, 'utf8'),
    'other.key': readFileSync(other.key, 'utf8'),
    'locked.key': readFileSync(locked, 'utf8'),
    'old.crt': oldCertificate(ca, join(dir, 'server.csr')),
    'noise.pem': 'noise\n',
    'broken.pem': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  }
})

/** A certificate that expired, by way of a whole authority: only that can date one with every openssl. */
const oldCertificate = (ca: KeyPair, request: string): string => {
  const own = [
    '[x]',
    'policy=p',
    'default_md=sha256',
    `database=${join(dir, 'index')}`,
    `serial=${join(dir, 'serial')}`,
  ]
  const settings = ['[ca]', 'default_ca=x', ...own, '[p]', 'commonName=supplied', '']
  writeFileSync(join(dir, 'ca.cnf'), settings.join('\n'))
  writeFileSync(join(dir, 'index'), '')
  writeFileSync(join(dir, 'serial'), '01\n')
  const dates = ['-startdate', '20200101000000Z', '-enddate', '20210101000000Z']
  const signing = ['-config', join(dir, 'ca.cnf'), '-cert', ca.cert, '-keyfile', ca.key, '-outdir', dir]
  const out = ['-in', request, '-out', join(dir, 'old.crt'), '-batch', '-notext']
  execFileSync('openssl', ['ca', ...signing, ...dates, ...out], { stdio: 'ignore' })
  return readFileSync(join(dir, 'old.crt'), 'utf8')
}

const load = (text: string, name = 'yarak.yaml') =>
  loadConfig({
    file: name,
    text: START + text,
    env: {},
    plugins: { ...plugins, inputs: [routes('http', true), routes('bare', false), file] },
    files: memory(files),
  })

const listenOf = (text: string, name?: string): readonly Listener[] => {
  const loaded = load(text, name)
  expect(print(loaded)).toBe('')
  return loaded.options?.listen ?? []
}

/** Problems with the text that they point to. */
const told = (problems: readonly ConfigProblem[]): string[] =>
  problems.map(({ excerpt, severity, message }) => {
    const pointed = excerpt?.text.slice(excerpt.from, excerpt.to)
    return `${pointed}: ${severity === 'error' ? '' : 'warning '}${message}`
  })

const problemsOf = (text: string): string[] => told(load(text).problems)

describe('an address', () => {
  it('and its text are the same thing', () => {
    const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.constantFrom('localhost', 'yarak.example'))
    const address: fc.Arbitrary<Address> = fc.oneof(
      fc.record({ host, port: fc.integer({ min: 0, max: 65_535 }) }),
      fc.record({ path: fc.string({ minLength: 1 }) }),
    )
    fc.assert(
      fc.property(address, (one) => {
        expect(parseAddress(addressText(one))).toEqual(one)
      }),
    )
  })

  it('of any other text is none, and no text makes it throw', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const found = parseAddress(text)
        if (found) expect(parseAddress(addressText(found))).toEqual(found)
      }),
    )
  })
})

describe('listen with a map', () => {
  it('takes an address, alone or in a list with texts', () => {
    const at = { host: '0.0.0.0', port: 2801, maxConnections: 2_000 }
    expect(listenOf("listen: { address: '0.0.0.0:2801' }")).toEqual([at])
    expect(listenOf("listen: [{ address: '0.0.0.0:2801' }, 'unix:/x']")).toEqual([at, { path: '/x' }])
  })

  it('takes inputs, paths, and a number of connections', () => {
    const text = `
inputs: { http: , http/b: { path: /b } }
listen:
  - { address: '[::]:1', inputs: [http, http/b], exceptPaths: [/healthz, /admin/*], maxConnections: 10 }
  - { address: '[::]:2', inputs: [], paths: [/healthz, /admin/*] }`
    expect(listenOf(text)).toEqual([
      { host: '::', port: 1, inputs: ['http', 'http/b'], exceptPaths: ['/healthz', '/admin/*'], maxConnections: 10 },
      { host: '::', port: 2, inputs: [], paths: ['/healthz', '/admin/*'], maxConnections: 2_000 },
    ])
  })

  it('takes TLS, with the files beside the configuration, and client certificates as soon as it can check them', () => {
    const tls = (text: string) =>
      listenOf(`listen: { address: ':::1'.x, tls: ${text} }`.replace("':::1'.x", "'[::]:1'"))
    expect(tls('{ certFile: tls.crt, keyFile: tls.key }')[0]?.tls).toEqual({
      certFile: 'tls.crt',
      keyFile: 'tls.key',
      clientAuth: 'none',
      minVersion: 'TLSv1.2',
    })
    const mutual = '{ certFile: tls.crt, keyFile: tls.key, caFile: ca.crt, minVersion: TLSv1.3 }'
    expect(tls(mutual)[0]?.tls).toMatchObject({ caFile: 'ca.crt', clientAuth: 'require', minVersion: 'TLSv1.3' })
    const asked = '{ certFile: tls.crt, keyFile: tls.key, caFile: ca.crt, clientAuth: request }'
    expect(tls(asked)[0]?.tls).toMatchObject({ clientAuth: 'request' })
    files = { ...files, '/etc/yarak/tls.crt': files['tls.crt'] ?? '', '/etc/yarak/tls.key': files['tls.key'] ?? '' }
    const text = "listen: { address: '[::]:1', tls: { certFile: tls.crt, keyFile: /etc/yarak/tls.key } }"
    expect(listenOf(text, '/etc/yarak/yarak.yaml')[0]?.tls).toMatchObject({
      certFile: '/etc/yarak/tls.crt',
      keyFile: '/etc/yarak/tls.key',
    })
  })

  it('has its settings in the docs', () => {
    const rows = settingRows(settingsSchema(fileSettings)).filter(({ name }) => name.startsWith('listen'))
    expect(rows.find(({ name }) => name === 'listen.maxConnections')?.default).toBe('2000')
    for (const { name, description } of rows) expect(description, name).toMatch(/\.$/)
    expect(new Set(rows.map(({ name }) => name))).toContain('listen.tls.caFile')
  })
})

describe('what is wrong with listen is told at its place', () => {
  const tls = (text: string): string => `listen: { address: '[::]:1', tls: { ${text} } }`
  const address = 'must be host:port such as 127.0.0.1:2801 or [::]:2801, or unix:/path'
  const path = 'must be a path such as /healthz, or /admin/* for all below /admin'

  it.each([
    ['listen: 2801', [`2801: listen: ${address}`]],
    ['listen: [2801, x]', [`2801: listen[0]: ${address}`, `x: listen[1]: ${address}`]],
    ['listen: {}', ['listen: listen.address is required']],
    ['listen: { address: x }', [`x: listen.address: ${address}`]],
    [
      'listen: [{ addres: x }]',
      [
        '{ addres: x }: listen[0].address is required',
        'addres: listen[0].addres is not a known setting; did you mean `address`?',
      ],
    ],
    [
      "listen: ['[::]:1', { address: '[::]:2', tsl: {} }]",
      ['tsl: listen[1].tsl is not a known setting; did you mean `tls`?'],
    ],
    ["listen: { address: '[::]:1', paths: [healthz] }", [`healthz: listen.paths[0]: ${path}`]],
    [
      "listen: { address: '[::]:1', paths: [/a*, /*/b] }",
      [`/a*: listen.paths[0]: ${path}`, `/*/b: listen.paths[1]: ${path}`],
    ],
    [
      "listen: { address: '[::]:1', paths: [/a], exceptPaths: [/b] }",
      ['[/b]: listen.exceptPaths: does not go together with paths'],
    ],
    [
      "listen: { address: '[::]:1', maxConnections: 0 }",
      ['0: listen.maxConnections: too small: expected number to be >=1'],
    ],
    ["listen: ['[::]:1', '[::]:1']", [`'[::]:1': listen[1]: [::]:1 is listened at already`]],
    ["listen: ['[::]:0', '[::]:0']", []],
    [tls('certFile: tls.crt'), ['tls: listen.tls.keyFile is required']],
    [
      tls('certFile: tls.crt, keyFile: tls.key, clientAuth: require'),
      ['require: listen.tls.clientAuth: needs caFile: the authorities of the certificates'],
    ],
    [
      tls('certFile: tls.crt, keyFile: tls.key, minVersion: 1.1'),
      ['1.1: listen.tls.minVersion must be one of TLSv1.2, TLSv1.3'],
    ],
  ])('%s', (text, problems) => {
    expect(problemsOf(text)).toEqual(problems)
  })

  it.each([
    [
      'certFile: none.crt, keyFile: none.key',
      [
        'none.crt: listen.tls.certFile cannot be read: there is no such file',
        'none.key: listen.tls.keyFile cannot be read: there is no such file',
      ],
    ],
    ['certFile: tls.crt, keyFile: other.key', ['other.key: listen.tls.keyFile is not the key of the certificate']],
    [
      'certFile: tls.key, keyFile: tls.crt',
      [
        'tls.key: listen.tls.certFile holds no certificate in PEM',
        'tls.crt: listen.tls.keyFile holds no private key in PEM',
      ],
    ],
    [
      'certFile: tls.crt, keyFile: locked.key',
      ['locked.key: listen.tls.keyFile needs a passphrase; give the key without one'],
    ],
    ['certFile: broken.pem, keyFile: tls.key', ['broken.pem: listen.tls.certFile holds a broken certificate']],
    [
      'certFile: tls.crt, keyFile: tls.key, caFile: noise.pem',
      ['noise.pem: listen.tls.caFile holds no certificate in PEM'],
    ],
  ])('%s', (text, problems) => {
    expect(problemsOf(tls(text))).toEqual(problems)
  })

  it('an old certificate is a warning: it may be renewed by the time it is used', () => {
    const loaded = load(tls('certFile: old.crt, keyFile: tls.key'))
    expect(told(loaded.problems)).toEqual(['old.crt: warning listen.tls.certFile expired on 2021-01-01T00:00:00.000Z'])
    expect(loaded.options).toBeDefined()
  })
})

describe('the inputs of a listener', () => {
  const at = (inputs: string): string =>
    `inputs: { http: , file: { path: x } }\nlisten: { address: '[::]:1', inputs: [${inputs}] }`

  it('must be there, and take requests', () => {
    expect(problemsOf(at('http'))).toEqual([])
    expect(problemsOf(at('http, htp'))).toEqual([
      'htp: listen.inputs[1]: htp is not an input of this file; did you mean `http`?',
    ])
    expect(problemsOf(at('http, file'))).toEqual(['file: listen.inputs[1]: file takes nothing over HTTP'])
  })

  it('with settings that are wrong are told of once', () => {
    expect(problemsOf("inputs: { http: { pat: x } }\nlisten: { address: '[::]:1', inputs: [http] }")).toHaveLength(1)
  })

  it('that no listener serves are a warning', () => {
    const loaded = load("inputs: { http: , http/b: }\nlisten: { address: '[::]:1', inputs: [http] }")
    expect(told(loaded.problems)).toEqual(['http/b: warning no listener serves inputs.http/b'])
    expect(loaded.options).toBeDefined()
  })

  it('have each their own path, at each listener', () => {
    const two = 'inputs: { http/a: , http/b: { path: / }, bare/a: , bare/b: }\n'
    const message =
      'inputs.http/b.path: http/a takes / at 127.0.0.1:2801 already; give it another path, or a listener of its own by `inputs`'
    expect(problemsOf(two)).toEqual([`/: ${message}`])
    expect(problemsOf('inputs: { http/a: , http/b: { path: /b } }')).toEqual([])
    const apart = `listen: [{ address: '[::]:1', inputs: [http/a, bare/a] }, { address: '[::]:2', inputs: [http/b, bare/b] }]`
    expect(problemsOf(two + apart)).toEqual([])
  })
})

describe('a listener as people read it', () => {
  const tls = { certFile: 'c', keyFile: 'k', clientAuth: 'none', minVersion: 'TLSv1.2' } as const
  it.each<[Listener, string]>([
    [{ host: '::', port: 1 }, '[::]:1'],
    [{ path: '/x', maxConnections: 5 }, 'unix:/x'],
    [{ host: '::', port: 1, tls }, 'https://[::]:1'],
    [{ host: 'a', port: 1, tls: { ...tls, clientAuth: 'require' } }, 'https://a:1 (client certificate required)'],
    [{ host: 'a', port: 1, tls: { ...tls, clientAuth: 'request' } }, 'https://a:1 (client certificate asked for)'],
    [{ host: 'a', port: 1, inputs: ['http/a', 'b'], exceptPaths: ['/x'] }, 'a:1 (inputs http/a b, all but /x)'],
    [{ host: 'a', port: 1, inputs: [], paths: ['/x', '/y'] }, 'a:1 (no inputs, only /x /y)'],
  ])('%#', (listener, text) => {
    expect(listenerText(listener)).toBe(text)
  })
})
