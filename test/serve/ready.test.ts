/** `/readyz` of a listener: what the gateway says, and how the listeners are. */
import { describe, expect, it } from 'vitest'
import type { Health } from '../../src/health.ts'
import { createGateway } from '../../src/index.ts'
import { sink } from '../kit.ts'
import { get, other, portOf, serve } from './_kit.ts'

type Ready = Health & { readonly code: number; readonly listeners: readonly { readonly address: string }[] }

const ready = async (url: string): Promise<Ready> => {
  const { status, text } = await get(`${url}/readyz`)
  return { code: status, ...(JSON.parse(text) as Omit<Ready, 'code'>) }
}

describe('/readyz', () => {
  it('is ok where every listener listens', async () => {
    const { first, listeners } = serve(['127.0.0.1:0'])
    expect(await ready(await first())).toMatchObject({
      ...{ code: 200, ready: true, status: 'ok', reasons: [] },
      listeners: listeners.status(),
    })
  })

  it('is failing while one does not, says which and why and since when, and is ok when it does', async () => {
    const taker = await other({ port: 0, host: '127.0.0.1' })
    const taken = `127.0.0.1:${portOf(taker)}`
    const { first } = serve(['127.0.0.1:0', taken])
    const url = await first()
    const reason = {
      part: 'listener',
      id: taken,
      severity: 'fails',
      message: 'the address is in use by another process',
    }
    await expect.poll(() => ready(url)).toMatchObject({ code: 503, ready: false, status: 'failing', reasons: [reason] })
    const { reasons } = await ready(url)
    expect(reasons[0]?.since).toMatch(/^\d{4}-.*Z$/)
    await expect.poll(() => new Date().toISOString() > (reasons[0]?.since ?? '')).toBe(true)
    expect((await ready(url)).reasons).toEqual(reasons)
    expect((await get(`${url}/metrics`)).text).toContain('\nyarak_ready 0\n')
    const { status, text } = await get(`${url}/readyz?verbose`)
    expect(status).toBe(503)
    expect(text).toMatch(
      /^\[\+\]gateway ok\n\[\+\]listener 127\.0\.0\.1:0 ok\n\[-\]listener \S+ failing: the address is in use [^]*check failed\n$/,
    )
    await new Promise((done) => taker.close(done))
    await expect.poll(() => ready(url), { timeout: 5_000 }).toMatchObject({ code: 200, status: 'ok', reasons: [] })
    expect((await get(`${url}/metrics`)).text).toContain('\nyarak_ready 1\n')
  })

  it('tells what is wrong in the gateway beside what is wrong with the listeners', async () => {
    const taker = await other({ port: 0, host: '127.0.0.1' })
    const gateway = createGateway({ outputs: [sink().use] })
    const wrong = () => {
      throw new Error('a rule is wrong')
    }
    await gateway.reload(wrong).catch(() => {})
    const { first, listeners } = serve(['127.0.0.1:0', `127.0.0.1:${portOf(taker)}`], gateway)
    const url = await first()
    await expect
      .poll(() => ready(url))
      .toMatchObject({ code: 503, status: 'failing', reasons: [{ part: 'rules' }, { part: 'listener' }] })
    expect(gateway.health()).toMatchObject({ ready: true, status: 'degraded' })
    expect(listeners.health()).toMatchObject({ ready: false, reasons: [{ part: 'rules' }, { part: 'listener' }] })
  })
})
