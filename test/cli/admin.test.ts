/** The admin routes of `yarak run`: where they are, and to whom. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { alert } from '../kit.ts'
import { type Authority, authority, type KeyPair, loopback } from '../real/certificates.ts'
import { folder, launch, noneLeft, start, yarak } from './_kit.ts'

const files = folder()
noneLeft()
const within = { timeout: 15_000, interval: 20 }

const config = (admin: object = {}, more: object = {}): string =>
  files.write('yarak.yaml', {
    ...{ version: 1, listen: '127.0.0.1:0', dataDir: files.at('data'), inputs: { http: {} }, outputs: {}, admin },
    ...more,
  })

const lines = (err: string, message: string): Record<string, unknown>[] =>
  err
    .split('\n')
    .filter((line) => line.startsWith('{') && line.includes(message))
    .map((line) => JSON.parse(line) as Record<string, unknown>)

/** A gateway in this process, once its admin routes are there. */
const running = async (file: string) => {
  const { said, ended, interrupt, address } = start(['run', '-c', file])
  const at = (): string => (lines(said.err, '"admin":true').at(-1)?.['address'] as string | undefined) ?? ''
  await expect.poll(at, within).not.toBe('')
  return { said, url: await address(), at: at(), end: () => (interrupt(), ended) }
}

const socket = (): string => files.at('data/admin.sock')
const ls = (...more: string[]) => yarak(['dlq', 'ls', ...more])
const recorded = (): string => readFileSync(files.at('data/audit.jsonl'), 'utf8')

describe('by default', () => {
  it('they are a socket in the data folder, which only the user of the gateway may open, and nowhere else', async () => {
    const file = config()
    const { said, url, at, end } = await running(file)
    expect(at).toBe(`unix:${socket()}`)
    expect(said.err).toContain(`  admin    unix:${socket()}\n`)
    expect((statSync(socket()).mode & 0o777).toString(8)).toBe('600')
    await request(url, { method: 'POST', body: 'no event' })
    expect((await ls('-c', file)).out).toContain('http')
    for (const path of ['/admin', '/admin/dlq', '/admin/journal'])
      expect((await request(url + path, { headers: { 'x-yarak-admin': '1' } })).statusCode).toBe(404)
    expect((await request(url, { method: 'POST', body: JSON.stringify(alert()) })).statusCode).toBe(200)
    expect((await yarak(['dlq', 'rm', '--all', '-c', file])).out).toBe('removed 1 dead letter\n')
    await end()
    expect(existsSync(socket())).toBe(false)
    expect(JSON.parse(recorded())).toMatchObject({
      seq: 1,
      kind: 'admin',
      who: 'unix',
      what: 'DELETE /admin/dlq/1',
      verdict: '200',
    })
  })

  it('a socket that a killed gateway left is taken over', async () => {
    const file = config()
    const { child, said, ended } = launch(['run', '-c', file])
    await expect.poll(() => said.err, within).toContain('"admin":true')
    child.kill('SIGKILL')
    await ended
    expect(existsSync(socket())).toBe(true)
    const { end } = await running(file)
    expect((await ls('-c', file)).out).toBe('no dead letters\n')
    await end()
  })

  it('one on which somebody listens, or another file, is not; that is told, and events are taken all the same', async () => {
    mkdirSync(files.at('data'))
    const other = createServer().listen(socket())
    const file = config({}, { journal: { enabled: false } })
    const { said, ended, interrupt, address } = start(['run', '-c', file])
    const url = await address()
    const message = 'cannot listen, trying again'
    await expect
      .poll(() => lines(said.err, message)[0], within)
      .toMatchObject({ address: `unix:${socket()}`, error: 'the address is in use by another process' })
    const { statusCode, body } = await request(`${url}/readyz`)
    expect([statusCode, await body.json()]).toMatchObject([200, { ready: true, status: 'degraded' }])
    await new Promise((done) => other.close(done))
    writeFileSync(socket(), 'precious')
    await expect
      .poll(() => lines(said.err, message).at(-1)?.['error'], within)
      .toMatch(/a file of that name that is not a socket/)
    expect(readFileSync(socket(), 'utf8')).toBe('precious')
    interrupt()
    expect((await ended).code).toBe(0)
  })

  it('a trial has none, and records nothing', async () => {
    const cwd = files.at('.')
    const ran = await launch(['run', '--once', '--file', files.write('e.jsonl', [alert()])], { cwd }).ended
    expect(ran.code).toBe(0)
    expect(ran.err).not.toContain('admin')
    expect(existsSync(files.at('.yarak'))).toBe(false)
  })

  const root = process.getuid?.() === 0
  it.skipIf(!root)('another user is told what to do (skipped unless root runs the tests)', async () => {
    const { end } = await running(config())
    const said = { err: '' }
    const main = join(import.meta.dirname, '../../src/main.ts')
    const child = spawn(process.execPath, [main, 'dlq', 'ls', '--socket', socket()], { uid: 65_534, cwd: '/' })
    child.stderr.on('data', (text: Buffer) => (said.err += text.toString()))
    const code = await new Promise((done) => child.on('close', done))
    expect([code, said.err]).toEqual([
      1,
      expect.stringMatching(/^yarak: only the user that the gateway runs as may open unix:.*: run this as the user/),
    ])
    await end()
  })
})

describe('admin.listen', () => {
  it('off: there are none, and the file is read', async () => {
    const file = config({ listen: 'off' })
    const { said, ended, interrupt, address } = start(['run', '-c', file])
    await address()
    expect(said.err).toContain('  admin    off\n')
    expect((await ls('-c', file)).out).toBe('no dead letters\n')
    expect(existsSync(socket())).toBe(false)
    interrupt()
    await ended
  })

  it('over TCP, with tokens and their roles', async () => {
    const admin = { listen: '127.0.0.1:0', token: 'operate-token', viewToken: 'view-token' }
    const { url, at, end } = await running(config(admin))
    await request(url, { method: 'POST', body: 'no event' })
    const dlq = (token: string, ...args: string[]) => yarak(['dlq', ...args, '--url', at, '--token', token])
    expect((await dlq('view-token', 'ls')).out).toContain('invalid')
    expect(await dlq('view-token', 'rm', '1')).toMatchObject({
      code: 1,
      err: 'yarak: 1: viewToken may look, and not change anything\n',
    })
    expect((await dlq('operate-token', 'rm', '1')).code).toBe(0)
    expect((await ls('--url', at)).err).toMatch(/the bearer token is missing \(give --token/)
    expect((await request(`${at}/readyz`)).statusCode).toBe(200)
    const page = await (await request(`${at}/metrics`)).body.text()
    expect(page).toMatch(/^yarak_admin_refusals_total\{reason="unauthorized"\} 1$/m)
    expect(page).toMatch(/^yarak_admin_refusals_total\{reason="refused"\} 1$/m)
    await end()
    const who = recorded()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { who: string; verdict: string })
    expect(who.map((line) => `${line.who} ${line.verdict}`)).toEqual(['viewToken 403', 'token 200'])
  })

  describe('with client certificates', () => {
    const dir = mkdtempSync(join(tmpdir(), 'yarak-cli-admin-'))
    afterAll(() => rmSync(dir, { recursive: true, force: true }))
    let ca: Authority
    let server: KeyPair
    let carol: KeyPair
    beforeAll(async () => {
      ca = await authority(dir)
      server = await ca.issue('server', { name: 'yarak', hosts: loopback })
      carol = await ca.issue('carol', { name: 'carol' })
    })

    it('they are shown by --cert and --key', async () => {
      const tls = { certFile: server.cert, keyFile: server.key, caFile: ca.cert }
      const clients = [{ name: 'carol', role: 'operate', certificate: 'carol' }]
      const { at, end } = await running(config({ listen: { address: '127.0.0.1:0', tls }, clients }))
      const trusted = ['--url', at, '--ca', ca.cert]
      expect((await ls(...trusted, '--cert', carol.cert, '--key', carol.key)).out).toBe('no dead letters\n')
      expect((await ls(...trusted)).code).toBe(1)
      expect((await ls('--url', at, '--cert', carol.cert, '--key', carol.key)).err).toMatch(
        /no gateway answers.*certificate/,
      )
      expect((await ls(...trusted, '--cert', join(dir, 'none'))).err).toMatch(
        /^yarak: --cert .*none: there is no such file/,
      )
      await end()
    })
  })
})

describe('log level', () => {
  it('shows and changes what a running gateway logs', async () => {
    const file = config({}, { log: { levels: { journal: 'warn' } } })
    const { end } = await running(file)
    const level = (...args: string[]) => yarak(['log', 'level', ...args, '-c', file])
    expect((await level()).out).toBe('journal     warn\nall others  info\n')
    expect((await level('kubernetes', 'debug')).out).toBe('journal     warn\nkubernetes  debug\nall others  info\n')
    expect((await level('error')).out).toMatch(/^all others {2}error$/m)
    expect(JSON.parse((await level('kubernetes', 'default', '--json')).out)).toEqual({
      level: 'error',
      levels: { journal: 'warn' },
    })
    expect((await level('default')).out).toMatch(/^all others {2}info$/m)
    expect(await level('kubernetes', 'loud')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^yarak: loud is no level: debug/) as string,
    })
    await end()
    expect((await level()).err).toMatch(/no gateway runs here; give --socket or --url/)
    expect(recorded().trim().split('\n')).toHaveLength(4)
  })
})
