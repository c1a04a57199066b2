import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mountAdmin } from '../src/admin.ts'
import type { AdminClient } from '../src/admin-access.ts'
import type { AuditEntry } from '../src/audit.ts'
import { createCounters } from '../src/counters.ts'
import { createGateway } from '../src/index.ts'
import { memoryJournal } from '../src/journal/memory.ts'
import { createLevels } from '../src/log-levels.ts'
import { letter } from './journal/_kit.ts'
import { type Authority, authority, type KeyPair, loopback } from './real/certificates.ts'
import { agent, listener, serve } from './serve/_kit.ts'

const CLIENTS: readonly AdminClient[] = [
  { name: 'ops', role: 'operate', token: 'operate-token' },
  { name: 'grafana', role: 'view', token: 'view-token' },
  { name: 'carol', role: 'operate', certificate: 'carol' },
  { name: 'probe', role: 'view', certificate: 'spiffe://acme/probe' },
]

/** The routes, with what they recorded and counted. */
const admin = (clients = CLIENTS) => {
  const journal = memoryJournal()
  for (let i = 0; i < 9; i++) journal.bury(letter())
  const recorded: AuditEntry[] = []
  const counters = createCounters()
  const gateway = createGateway({})
  const app = mountAdmin({
    journal,
    gateway,
    health: gateway.health,
    levels: createLevels({ level: 'info', levels: { journal: 'warn' } }),
    replay: async () => ({ outcome: 'delivered' }),
    clients,
    audit: { append: (entry) => void recorded.push(entry) },
    counters,
  })
  const ask = async (what: string, token?: string, body?: string) => {
    const [method = '', path = ''] = what.split(' ')
    const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const answer = await app.request(path, { method, headers, ...(body !== undefined && { body }) })
    return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Record<string, unknown> }
  }
  return { app, ask, recorded, counters }
}

const ROUTES: [what: string, status: number, body?: string][] = [
  ['GET /admin/outputs', 200],
  ['GET /admin/health', 200],
  ['GET /admin/log', 200],
  ['GET /admin/journal', 200],
  ['GET /admin/dlq', 200],
  ['GET /admin/dlq/1', 200],
  ['GET /admin/responses', 200],
  ['GET /admin/undoable', 200],
  ['GET /admin/none', 404],
  ['PUT /admin/log', 200, '{"level":"debug"}'],
  ['DELETE /admin/dlq/1', 200],
  ['DELETE /admin/dlq?from=none', 200],
  ['POST /admin/dlq/2/replay', 200],
  ['POST /admin/dlq/replay?from=none', 200],
  ['POST /admin/responses/none/undo', 404],
  ['POST /admin/none', 404],
  ['OPTIONS /admin/dlq', 404],
]

describe.each(ROUTES)('%s', (what, status, body) => {
  const looks = what.startsWith('GET')

  it('is not for strangers, who are counted and not recorded', async () => {
    const { ask, recorded, counters } = admin()
    for (const token of [undefined, '', 'wrong', 'operate-toke', 'operate-token2']) {
      const { status, headers, body: told } = await ask(what, token, body)
      expect([status, told['error'], headers.get('cache-control')]).toEqual([401, 'unauthorized', 'no-store'])
    }
    expect([counters.sum('yarak_admin_refusals_total', { reason: 'unauthorized' }), recorded]).toEqual([5, []])
  })

  it(`${looks ? 'is' : 'is not'} for who may look`, async () => {
    const { ask, recorded, counters } = admin()
    const answer = await ask(what, 'view-token', body)
    expect(answer.status).toBe(looks ? status : 403)
    expect(recorded).toEqual(looks ? [] : [{ kind: 'admin', who: 'grafana', what, verdict: '403' }])
    expect(counters.sum('yarak_admin_refusals_total', { reason: 'refused' })).toBe(looks ? 0 : 1)
  })

  it(`is for who may operate${looks ? '' : ', and recorded'}`, async () => {
    const { ask, recorded } = admin()
    const answer = await ask(what, 'operate-token', body)
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([status, 'no-store'])
    expect(recorded).toMatchObject(looks ? [] : [{ kind: 'admin', who: 'ops', what, verdict: `${status}` }])
  })
})

describe('who asks', () => {
  it('no token but a bearer token counts', async () => {
    const { app } = admin()
    for (const authorization of ['operate-token', 'Basic operate-token', 'Bearer  operate-token', 'Bearer'])
      expect((await app.request('/admin/dlq', { headers: { authorization } })).status).toBe(401)
    expect((await app.request('/admin/dlq', { headers: { authorization: 'bearer view-token' } })).status).toBe(200)
  })

  it('is nobody because of an empty token', async () => {
    const { app } = admin([{ name: 'a', role: 'operate', token: '' }])
    for (const authorization of ['Bearer', 'Bearer ', 'Basic x'])
      expect((await app.request('/admin/dlq', { headers: { authorization } })).status).toBe(401)
  })

  it('is nobody where no client is known, also from this machine', async () => {
    const { first } = serve(['127.0.0.1:0'], undefined, {
      admin: { app: admin([]).app, listeners: [listener('127.0.0.1:0')] },
    })
    await first()
    const { listeners } = serve([], undefined, { admin: { app: admin([]).app, listeners: [listener('127.0.0.1:0')] } })
    const headers = { 'x-yarak-admin': '1' }
    expect((await request(`${await listeners.ready[0]}/admin/dlq`, { headers })).statusCode).toBe(401)
  })

  it('values of a query that may be secret are not recorded', async () => {
    const { ask, recorded } = admin()
    await ask('DELETE /admin/dlq?kind=event&token=hush', 'operate-token')
    expect(recorded[0]).toMatchObject({ what: 'DELETE /admin/dlq?kind=event&token=***', verdict: '400' })
  })
})

describe('PUT /admin/log', () => {
  it('changes a level, and takes it back', async () => {
    const { ask, recorded } = admin()
    const put = async (body: object) => (await ask('PUT /admin/log', 'operate-token', JSON.stringify(body))).body
    expect(await put({ area: 'kubernetes', level: 'debug' })).toEqual({
      level: 'info',
      levels: { journal: 'warn', kubernetes: 'debug' },
    })
    expect(await put({ level: 'error' })).toMatchObject({ level: 'error' })
    expect(await put({ area: 'kubernetes', level: null })).toEqual({ level: 'error', levels: { journal: 'warn' } })
    expect((await ask('GET /admin/log', 'view-token')).body).toEqual({ level: 'error', levels: { journal: 'warn' } })
    expect(recorded.map(({ target, why }) => `${target}: ${why}`)).toEqual([
      'kubernetes: level debug',
      'all: level error',
      'kubernetes: level as at the start',
    ])
  })

  it.each(['', 'x', '{}', '{"level":"loud"}', '{"level":"debug","area":"\\u001b"}', '{"level":"debug","x":1}'])(
    'refuses %s',
    async (body) => {
      const { ask } = admin()
      const answer = await ask('PUT /admin/log', 'operate-token', body)
      expect([answer.status, answer.body['error']]).toEqual([400, 'invalid'])
    },
  )

  it('refuses a body without end', async () => {
    const answer = await admin().ask('PUT /admin/log', 'operate-token', 'x'.repeat(5_000))
    expect([answer.status, answer.body['error']]).toEqual([413, 'too_large'])
  })
})

describe('over TLS with client certificates', () => {
  const dir = mkdtempSync(join(tmpdir(), 'yarak-admin-tls-'))
  afterAll(() => rmSync(dir, { recursive: true, force: true }))
  let ca: Authority
  const pairs: Record<string, KeyPair> = {}
  beforeAll(async () => {
    ca = await authority(dir)
    pairs['server'] = await ca.issue('server', { name: 'yarak', hosts: loopback })
    pairs['carol'] = await ca.issue('carol', { name: 'carol' })
    pairs['probe'] = await ca.issue('probe', { name: 'x', hosts: ['URI:spiffe://acme/probe'] })
    pairs['eve'] = await ca.issue('eve', { name: 'eve', hosts: ['DNS:a.example', 'DNS:carol.example'] })
    pairs['mallory'] = await (await authority(dir, 'other')).issue('mallory', { name: 'carol' })
  })
  const read = (file = ''): string => readFileSync(file, 'utf8')

  const served = async (clientAuth: 'request' | 'require') => {
    const { server } = pairs
    const tls = {
      certFile: server?.cert ?? '',
      keyFile: server?.key ?? '',
      caFile: ca.cert,
      minVersion: 'TLSv1.2',
    } as const
    const listeners = [listener('127.0.0.1:0', { tls: { ...tls, clientAuth } })]
    const { app, recorded } = admin()
    const { first } = serve([], undefined, { admin: { app, listeners } })
    const url = await first()
    const ask = async (who: string | undefined, method: 'GET' | 'DELETE', headers: Record<string, string> = {}) => {
      const pair = who === undefined ? undefined : pairs[who]
      const shown = pair && { cert: read(pair.cert), key: read(pair.key) }
      const dispatcher = agent({ connect: { ca: read(ca.cert), ...shown } })
      const { statusCode, body } = await request(`${url}/admin/dlq/1`, { method, headers, dispatcher })
      await body.dump()
      return statusCode
    }
    return { ask, recorded }
  }
  const HEADER = { 'x-yarak-admin': '1' }

  it('a client is known by a name in its certificate, and may do what its role says', async () => {
    const { ask, recorded } = await served('require')
    expect(await ask('probe', 'GET', HEADER)).toBe(200)
    expect(await ask('probe', 'DELETE', HEADER)).toBe(403)
    expect(await ask('carol', 'DELETE', HEADER)).toBe(200)
    expect(recorded.map(({ who, verdict }) => `${who} ${verdict}`)).toEqual(['probe 403', 'carol 200'])
  })

  it('a web page in the browser of such a client may not', async () => {
    const { ask } = await served('require')
    expect([await ask('carol', 'GET'), await ask('carol', 'DELETE')]).toEqual([401, 401])
  })

  it('a certificate of nobody who is known, or of another authority, is none', async () => {
    const { ask } = await served('request')
    expect(await ask('eve', 'GET', HEADER)).toBe(401)
    expect(await ask('mallory', 'GET', HEADER)).toBe(401)
    expect(await ask(undefined, 'GET', HEADER)).toBe(401)
    expect(await ask(undefined, 'GET', { authorization: 'Bearer view-token' })).toBe(200)
    expect(await ask('carol', 'GET', { ...HEADER, authorization: 'Bearer wrong' })).toBe(401)
  })
})
