import { describe, expect, it } from 'vitest'
import { mountAdmin } from '../src/admin.ts'
import type { ResponsesOptions } from '../src/admin-responses.ts'
import { memoryJournal } from '../src/journal/memory.ts'
import { YarakError } from '../src/plugin.ts'
import { report } from './journal/_kit.ts'

const TOKEN = 's3cret-s3cret'

const admin = (gateway?: ResponsesOptions['gateway']) => {
  const journal = memoryJournal()
  journal.settle('e1', [report('aa1', { rule: 'Shell', traceId: '4bf92f' })], false)
  journal.settle('e2', [report('ab2', { rule: 'Shell', outcome: 'failed' })], false)
  journal.settle('e3', [report('ba3', { rule: 'Other' })], false)
  const app = mountAdmin({
    journal,
    gateway,
    clients: [{ name: 'ci', role: 'operate', token: TOKEN }],
    replay: async () => ({ outcome: 'x' }),
  })
  return async (method: string, path: string, token = TOKEN) => {
    const answer = await app.request(path, { method, headers: { authorization: `Bearer ${token}` } })
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }
}

const idsIn = (body: Record<string, unknown>): string[] =>
  (body['responses'] as { report: { id: string } }[]).map(({ report: { id } }) => id)

describe('GET /admin/responses', () => {
  it('lists the latest first, each with its report', async () => {
    const { status, body } = await admin()('GET', '/admin/responses')
    expect([status, idsIn(body), body['next']]).toEqual([200, ['ba3', 'ab2', 'aa1'], undefined])
    expect((body['responses'] as object[])[2]).toEqual({
      seq: 1,
      report: report('aa1', { rule: 'Shell', traceId: '4bf92f' }),
      undone: [],
    })
  })

  it.each([
    ['rule=Shell', ['ab2', 'aa1']],
    ['outcome=failed', ['ab2']],
    ['id=a', ['ab2', 'aa1']],
    ['trace=4bf', ['aa1']],
    ['rule=Shell&outcome=succeeded', ['aa1']],
    ['rule=none', []],
    ['before=3', ['ab2', 'aa1']],
  ])('chooses by %s', async (query, ids) => {
    expect(idsIn((await admin()('GET', `/admin/responses?${query}`)).body)).toEqual(ids)
  })

  it('tells where the next page begins', async () => {
    const ask = admin()
    const { body } = await ask('GET', '/admin/responses?limit=2')
    expect(body).toMatchObject({ next: 2 })
    const rest = (await ask('GET', '/admin/responses?limit=2&before=2')).body
    expect([idsIn(rest), rest['next']]).toEqual([['aa1'], undefined])
  })

  it.each(['limit=0', 'limit=1001', 'before=0', 'before=x', 'outcome=good', 'rules=x'])('refuses %s', async (query) => {
    const { status, body } = await admin()('GET', `/admin/responses?${query}`)
    expect(status).toBe(400)
    expect(body).toMatchObject({ error: 'invalid', message: expect.stringContaining('the query is wrong') as string })
  })

  it('is for those who are admitted', async () => {
    const ask = admin({ undo: () => expect.fail('it was asked'), undoable: () => expect.fail('it was asked') })
    for (const [method, path] of [
      ['GET', '/admin/responses'],
      ['GET', '/admin/undoable'],
      ['POST', '/admin/responses/aa1/undo'],
    ] as const) {
      expect((await ask(method, path, 'wrong')).status).toBe(401)
    }
  })
})

describe('undoing', () => {
  const undone = {
    action: 'a',
    rule: 'r',
    response: 'aa1',
    step: 's',
    object: 'o',
    outcome: 'succeeded',
    summary: 'x',
    at: 't',
  } as const

  it('is asked of the gateway, also for one step', async () => {
    const asked: unknown[] = []
    const ask = admin({
      undo: async (...args) => {
        asked.push(args)
        return [undone]
      },
      undoable: async () => [],
    })
    expect(await ask('POST', '/admin/responses/aa1/undo')).toEqual({ status: 200, body: { undone: [undone] } })
    await ask('POST', '/admin/responses/a%2Fb/undo?step=s')
    expect(asked).toEqual([
      ['aa1', undefined],
      ['a/b', 's'],
    ])
    expect((await ask('GET', '/admin/undoable')).body).toEqual({ undoable: [] })
  })

  it('of what is not there is told', async () => {
    const undo = () => Promise.reject(new YarakError('not_found', 'there is no change of the response x to undo'))
    const ask = admin({ undo, undoable: undo })
    expect(await ask('POST', '/admin/responses/x/undo')).toEqual({
      status: 404,
      body: { error: 'not_found', message: 'there is no change of the response x to undo' },
    })
  })

  it('needs a gateway', async () => {
    expect(await admin()('GET', '/admin/undoable')).toMatchObject({ status: 503, body: { error: 'unavailable' } })
    expect(await admin()('POST', '/admin/responses/aa1/undo')).toMatchObject({ status: 503 })
  })
})
