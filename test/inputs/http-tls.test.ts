import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execFileSync } from 'node:child_process'
import type { SecureContextOptions } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { http } from '../../inputs/http.ts'
import { testInputIo } from '../../src/testing.ts'
import { alert } from '../kit.ts'
import { closed, type HttpSettings, listening } from './_http-rig.ts'

const dir = mkdtempSync(join(tmpdir(), 'yarak-http-tls-'))
const file = (name: string): string => join(dir, name)
const openssl = (...args: string[]): unknown => execFileSync('openssl', args, { stdio: 'pipe', cwd: dir })
const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']

const issue = (name: string, subject: string, san: string): void => {
  openssl('req', '-new', ...EC, '-subj', subject, '-keyout', `${name}.key`, '-out', `${name}.csr`)
  writeFileSync(file(`${name}.ext`), `subjectAltName=${san}`)
  const signing = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-days', '2', '-extfile', `${name}.ext`]
  openssl('x509', '-req', '-in', `${name}.csr`, ...signing, '-out', `${name}.crt`)
}

beforeAll(() => {
  openssl('req', '-x509', ...EC, '-subj', '/CN=test-ca', '-keyout', 'ca.key', '-out', 'ca.crt')
  openssl('req', '-x509', ...EC, '-subj', '/CN=falco-1', '-keyout', 'stranger.key', '-out', 'stranger.crt')
  issue('server', '/CN=server', 'IP:127.0.0.1')
  issue('falco', '/O=Acme/OU=Security/CN=falco-1', 'DNS:falco.acme.example,URI:spiffe://acme.example/falco')
  openssl('req', '-new', ...EC, '-subj', '/CN=falco-1\\, O=Acme', '-keyout', 'sly.key', '-out', 'sly.csr')
  writeFileSync(file('sly.ext'), 'subjectAltName=@a\n[a]\nDNS.1=a.example, DNS:falco.acme.example\n')
  const signing = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-days', '2', '-extfile', 'sly.ext']
  openssl('x509', '-req', '-in', 'sly.csr', ...signing, '-out', 'sly.crt')
}, 60_000)
afterAll(() => rmSync(dir, { recursive: true }))

const pair = (name: string): SecureContextOptions => ({
  cert: readFileSync(file(`${name}.crt`)),
  key: readFileSync(file(`${name}.key`)),
  ca: readFileSync(file('ca.crt')),
})

/** Two posts, each on a connection of its own, the second of which resumes the session of the first. */
const posted = async (settings: HttpSettings, client: string | undefined) => {
  const io = testInputIo()
  const handle = http.handle?.(http.config.parse(settings), io)
  const options = { ...pair('server'), requestCert: true, rejectUnauthorized: false }
  const server = await listening(createServer(options, (asked, answer) => void handle?.(asked, answer)))
  const { port } = server.address() as AddressInfo
  let session: Buffer | undefined
  const post = () =>
    new Promise<number>((resolve, reject) => {
      const identity = client === undefined ? { ca: readFileSync(file('ca.crt')) } : { ...pair(client) }
      const resumed = session && { session }
      const asked = request(
        { host: '127.0.0.1', port, method: 'POST', agent: false, ...identity, ...resumed },
        (answer) => answer.resume().on('end', () => resolve(answer.statusCode ?? 0)),
      )
      asked.on('socket', (socket) => socket.on('session', (ticket: Buffer) => (session = ticket)))
      asked.on('error', reject).end(JSON.stringify(alert()))
    })
  const statuses = [await post(), await post()]
  await closed(server)
  return { statuses, proofs: io.emitted.map(({ options: { authenticated } }) => authenticated) }
}

const only = (...subjects: string[]): HttpSettings => ({ clientCertificates: { subjects } })

describe('a client certificate', () => {
  it.each([
    ['verified, nothing asked for', {}, 'falco', 'mtls'],
    ['verified, any will do', { clientCertificates: {} }, 'falco', 'mtls'],
    ['of this common name', only('x', 'falco-1'), 'falco', 'mtls'],
    ['of this DNS name', only('falco.acme.example'), 'falco', 'mtls'],
    ['of this URI', only('spiffe://acme.example/falco'), 'falco', 'mtls'],
    ['of this subject', only('CN=falco-1,OU=Security,O=Acme'), 'falco', 'mtls'],
    ['of another name', only('falco-2'), 'falco', 403],
    ['of only a part of this subject', only('CN=falco-1,O=Acme'), 'falco', 403],
    ['with a name in which a name is hidden', only('falco.acme.example'), 'sly', 403],
    ['with a common name in which a subject is hidden', only('CN=falco-1,O=Acme'), 'sly', 403],
    ['of an unknown authority', only('falco-1'), 'stranger', 403],
    ['of an unknown authority, nothing asked for', {}, 'stranger', 'loopback'],
    ['none', { clientCertificates: {} }, undefined, 403],
    ['none, nothing asked for', {}, undefined, 'loopback'],
    ['verified, but a token is asked for', { token: 's3cret' }, 'falco', 401],
    ['verified, or a token', { token: 's3cret', clientCertificates: {} }, 'falco', 'mtls'],
  ] as [string, HttpSettings, string | undefined, string | number][])('%s', async (_what, settings, client, is) => {
    const { statuses, proofs } = await posted(settings, client)
    expect(statuses).toEqual(typeof is === 'number' ? [is, is] : [200, 200])
    expect(proofs).toEqual(typeof is === 'number' ? [] : [is, is])
  })
})
