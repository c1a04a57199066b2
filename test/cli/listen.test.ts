import { beforeAll, describe, expect, it } from 'vitest'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { afterAll } from 'vitest'
import { authority, type KeyPair, loopback } from '../real/certificates.ts'
import { folder, start, yarak } from './_kit.ts'

const files = folder()
const dir = mkdtempSync(join(tmpdir(), 'yarak-cli-tls-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

let server: KeyPair
let sender: KeyPair
let ca: KeyPair

beforeAll(async () => {
  const made = await authority(dir)
  ca = made
  server = await made.issue('server', { name: 'yarak', hosts: loopback })
  sender = await made.issue('sender', { name: 'falco' })
})

const config = (listen: unknown): string =>
  files.write('yarak.yaml', { version: 1, dataDir: files.at('data'), inputs: { http: {} }, outputs: {}, listen })

const tls = (more: object = {}) => ({ certFile: server.cert, keyFile: server.key, ...more })

describe('yarak run with a port for senders and one for probes', () => {
  it('shows both in its banner, and serves both', async () => {
    const mutual = { address: '127.0.0.1:0', tls: tls({ caFile: ca.cert }), exceptPaths: ['/metrics'] }
    const plain = { address: '127.0.0.1:0', inputs: [], paths: ['/healthz', '/metrics'] }
    const { said, ended, interrupt } = start(['run', '-c', config([mutual, plain])])
    const addresses = (): string[] => [...said.err.matchAll(/"address":"(https?:[^"]+)"/g)].map(([, url = '']) => url)
    await expect.poll(() => addresses().length, { timeout: 15_000 }).toBe(2)
    expect(said.err).toContain(
      '  listen   https://127.0.0.1:0 (client certificate required, all but /metrics), ' +
        '127.0.0.1:0 (no inputs, only /healthz /metrics)',
    )
    const secure = addresses().find((url) => url.startsWith('https:')) ?? ''
    const open = addresses().find((url) => url.startsWith('http:')) ?? ''
    const [pem, cert, key] = [ca.cert, sender.cert, sender.key].map((file) => readFileSync(file, 'utf8'))
    const dispatcher = new Agent({ connect: { ca: pem ?? '', cert: cert ?? '', key: key ?? '' } })
    const status = async (url: string): Promise<number> => {
      const { statusCode, body } = await request(url, { dispatcher })
      await body.dump()
      return statusCode
    }
    expect([await status(`${secure}/healthz`), await status(`${secure}/metrics`)]).toEqual([200, 404])
    expect([await status(`${open}/healthz`), await status(`${open}/readyz`)]).toEqual([200, 404])
    await dispatcher.destroy()
    interrupt()
    expect((await ended).code).toBe(0)
  })

  it('does not start with a key that is not of its certificate, and says where that stands', async () => {
    const listen = { address: '127.0.0.1:0', tls: { ...tls(), keyFile: sender.key } }
    const { code, err } = await yarak(['run', '-c', config(listen)])
    expect(code).not.toBe(0)
    expect(err).toMatch(/yarak\.yaml:1:\d+: error: listen\.tls\.keyFile is not the key of the certificate/)
  })
})
