import { describe, expect, it } from 'vitest'
import { type AdminOptions, mountAdmin } from '../src/admin.ts'
import { memoryJournal } from '../src/journal/memory.ts'
import { YarakError } from '../src/plugin.ts'
import { event, letter, notice } from './journal/_kit.ts'

const TOKEN = 's3cret-s3cret'

/** The routes over a journal with some dead letters, asked with the token. */
const admin = (more: Partial<AdminOptions> = {}) => {
  const journal = memoryJournal()
  journal.bury(letter({ body: '{"rule":', position: 'falco/3/1042' }))
  journal.bury(letter({ kind: 'notice', from: 'slack', reason: 'http-404', message: 'the webhook answered 404' }))
  journal.bury(letter({ kind: 'notice', from: 'loki', reason: 'http-500' }))
  const replayed: number[] = []
  const replay: AdminOptions['replay'] = async ({ id }) => {
    replayed.push(id)
    return { outcome: 'delivered' }
  }
  const app = mountAdmin({ journal, replay, clients: [{ name: 'ci', role: 'operate', token: TOKEN }], ...more })
  const send = async (method: string, path: string, headers: Record<string, string> = {}) => {
    const answer = await app.request(path, { method, headers: { authorization: `Bearer ${TOKEN}`, ...headers } })
    return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Record<string, unknown> }
  }
  return { journal, app, send, replayed }
}

const left = async (journal: { letters(): Promise<readonly { id: number }[]> }): Promise<number[]> =>
  (await journal.letters()).map(({ id }) => id)

describe('GET /admin/dlq', () => {
  it('lists dead letters without their bodies', async () => {
    const { status, body, headers } = await admin().send('GET', '/admin/dlq')
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store'])
    const { body: _body, ...first } = letter({ position: 'falco/3/1042' })
    const letters = body['letters'] as object[]
    expect(letters[0]).toEqual({ ...first, at: expect.any(Number) as number, id: 1, length: 8 })
    expect([letters.length, body['next']]).toEqual([3, undefined])
  })

  it.each([
    ['kind=notice', [2, 3]],
    ['from=slack', [2]],
    ['kind=notice&reason=http-500', [3]],
    ['reason=none', []],
    ['after=1&limit=1', [2]],
    ['limit=1000', [1, 2, 3]],
  ])('chooses by %s', async (query, ids) => {
    const { body } = await admin().send('GET', `/admin/dlq?${query}`)
    expect((body['letters'] as { id: number }[]).map(({ id }) => id)).toEqual(ids)
  })

  it('tells where the next page begins', async () => {
    const { send } = admin()
    expect((await send('GET', '/admin/dlq?limit=2')).body).toMatchObject({ next: 2 })
    expect((await send('GET', '/admin/dlq?limit=2&after=2')).body).not.toHaveProperty('next')
  })

  it.each(['limit=0', 'limit=1001', 'limit=x', 'after=-1', 'kind=other', 'reasons=x'])('refuses %s', async (query) => {
    const { status, body } = await admin().send('GET', `/admin/dlq?${query}`)
    expect(status).toBe(400)
    expect(body).toMatchObject({ error: 'invalid', message: expect.stringContaining('the query is wrong') as string })
  })
})

describe('one dead letter', () => {
  it('is shown whole', async () => {
    const { status, body } = await admin().send('GET', '/admin/dlq/1')
    expect([status, body['body'], body['position']]).toEqual([200, '{"rule":', 'falco/3/1042'])
  })

  it.each(['/admin/dlq/9', '/admin/dlq/0', '/admin/dlq/x', '/admin/dlq/1.5', '/admin/dlq/99999999999999999999'])(
    '%s is not there',
    async (path) => {
      const { send, journal, replayed } = admin()
      for (const [method, more] of [
        ['GET', ''],
        ['DELETE', ''],
        ['POST', '/replay'],
      ] as const) {
        expect(await send(method, path + more)).toMatchObject({ status: 404, body: { error: 'not_found' } })
      }
      expect([await left(journal), replayed]).toEqual([[1, 2, 3], []])
    },
  )

  it('can be removed', async () => {
    const { send, journal } = admin()
    expect((await send('DELETE', '/admin/dlq/2')).body).toEqual({ removed: 1 })
    expect(await left(journal)).toEqual([1, 3])
  })

  it('is replayed, and then gone', async () => {
    const { send, journal, replayed } = admin()
    expect(await send('POST', '/admin/dlq/2/replay')).toMatchObject({
      status: 200,
      body: { id: 2, outcome: 'delivered' },
    })
    expect([await left(journal), replayed]).toEqual([[1, 3], [2]])
  })

  it('stays when it cannot be replayed', async () => {
    const { send, journal } = admin({
      replay: () => Promise.reject(new YarakError('config', 'no output slack is configured')),
    })
    expect(await send('POST', '/admin/dlq/2/replay')).toMatchObject({
      status: 500,
      body: { error: 'config', message: 'no output slack is configured' },
    })
    expect(await left(journal)).toEqual([1, 2, 3])
  })

  it('of which only the beginning was kept is not replayed', async () => {
    const { send, journal, replayed } = admin()
    journal.bury(letter({ body: 'x'.repeat(300 * 1024) }))
    const { status, body } = await send('POST', '/admin/dlq/4/replay')
    expect([status, body['message'], replayed]).toEqual([
      400,
      'only the beginning of 4 was kept: it cannot be replayed',
      [],
    ])
  })
})

describe('many dead letters', () => {
  it.each(['DELETE /admin/dlq', 'POST /admin/dlq/replay'])('%s needs a choice', async (what) => {
    const [method = '', path = ''] = what.split(' ')
    const { send, journal } = admin()
    for (const query of ['', '?limit=10', '?after=1']) {
      expect(await send(method, path + query)).toMatchObject({ status: 400, body: { error: 'invalid' } })
    }
    expect((await send(method, `${path}?all=false`)).status).toBe(400)
    expect(await left(journal)).toEqual([1, 2, 3])
  })

  it('are removed by filter, or all', async () => {
    const { send, journal } = admin()
    expect((await send('DELETE', '/admin/dlq?kind=notice&limit=1')).body).toEqual({ removed: 1 })
    expect(await left(journal)).toEqual([1, 3])
    expect((await send('DELETE', '/admin/dlq?all=true')).body).toEqual({ removed: 2 })
    expect((await send('DELETE', '/admin/dlq?all=true')).body).toEqual({ removed: 0 })
  })

  it('are replayed one after the other; those that fail stay, and say why', async () => {
    const replay: AdminOptions['replay'] = async ({ from }) => {
      if (from === 'slack') throw new Error('no route to host')
      return { outcome: 'kept' }
    }
    const { send, journal } = admin({ replay })
    expect((await send('POST', '/admin/dlq/replay?kind=notice')).body).toEqual({
      replayed: [
        { id: 2, error: 'failed', message: 'no route to host' },
        { id: 3, outcome: 'kept' },
      ],
    })
    expect(await left(journal)).toEqual([1, 2])
  })
})

describe('GET /admin/journal', () => {
  it('tells its state and what is in it', async () => {
    const { send, journal } = admin()
    await journal.accept(event('a'))
    await journal.keep(notice('1'))
    expect((await send('GET', '/admin/journal')).body).toEqual({ ...(await journal.stats()) })
  })
})
