import { expect, it } from 'vitest'
import { YarakError } from '../../src/index.ts'
import { alert, sink } from '../kit.ts'
import { journalled } from './_gateway.ts'
import { folder, yarak } from './_kit.ts'

const files = folder()
const at = journalled(files)

const failing = () =>
  sink(() => {
    throw new YarakError('failed', 'POST http://siem answered 503\n\u001b[2J', { retryAfter: 60_000 })
  }).use

it('lists the outputs of a running gateway, and exits with 1 when one has failed several times', async () => {
  const { use } = sink(undefined, { type: 'fine' })
  const options = { outputs: [{ output: failing(), breaker: 1 }, use] }
  const { gateway, url } = await at.run(
    { host: '127.0.0.1', port: 0 },
    { clients: [{ name: 'ci', role: 'view', token: 't' }], options },
  )
  const ask = (...more: string[]) => yarak(['outputs', 'status', '--url', url, '--token', 't', ...more])

  const before = await ask()
  expect(before).toMatchObject({ code: 0, err: '' })
  expect(before.out).toMatch(/^OUTPUT +QUEUED +BREAKER +LAST ERROR\nsink +0 +closed\nfine +0 +closed\n$/)

  await gateway.emit(alert())
  await expect.poll(() => gateway.health().outputs[0]?.breaker).toBe('open')
  const { code, out } = await ask()
  expect(code).toBe(1)
  expect(out).toMatch(/\nsink +1 +open +POST http:\/\/siem answered 503/)
  expect(out).not.toContain('\u001b[2J')
  expect(JSON.parse((await ask('--json')).out)).toMatchObject([
    { id: 'sink', queued: 1, breaker: 'open' },
    { id: 'fine', queued: 0, breaker: 'closed' },
  ])
})

it('says when no gateway runs', async () => {
  const file = at.config()
  const { code, err } = await yarak(['outputs', 'status', '--config', file])
  expect({ code, err }).toEqual({
    code: 1,
    err: 'yarak: no gateway runs here; give --socket or --url where its admin routes are\n',
  })
})
