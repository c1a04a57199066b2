import { describe, expect, it } from 'vitest'
import { defineResource, YarakError, z } from '../src/plugin.ts'
import { aNotice, anEvent, aReport, oddEvents, testInputIo, testIo, testStep } from '../src/testing.ts'

describe('the samples', () => {
  it('are always the same, and frozen', () => {
    expect(anEvent()).toEqual(anEvent())
    expect(Object.isFrozen(anEvent())).toBe(true)
    expect(anEvent({ priority: 'critical', output_fields: { n: 1_769_860_800_123_456_789n } })).toMatchObject({
      priority: 'Critical',
      fields: { n: 1_769_860_800_123_456_789n },
    })
  })

  it('can be changed member by member', () => {
    expect(aNotice({ report: aReport({ outcome: 'gone' }) })).toMatchObject({
      event: { rule: 'Terminal shell in container' },
      report: { outcome: 'gone', event: anEvent().id },
    })
    expect(() => anEvent({ rule: '' })).toThrow(/rule is empty/)
  })

  it('have odd ones, each with a name of its own', () => {
    const names = oddEvents().map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    expect(names.length).toBeGreaterThan(10)
  })
})

describe('testIo', () => {
  it('records requests and spans, and answers as told', async () => {
    const io = testIo({
      headers: { traceparent: '00-a-b-01' },
      answer: ({ body }) => ({ status: 201, headers: { 'X-Seen': 'yes' }, body: { got: body } }),
    })
    const request = { url: 'https://a.example/b?c=d', template: '/b', method: 'PUT', body: { a: 1 } }
    expect(await io.http(request)).toMatchObject({
      status: 201,
      headers: { 'x-seen': 'yes' },
      body: '{"got":"{\\"a\\":1}"}',
    })
    expect(io.requests).toMatchObject([
      { method: 'PUT', url: 'https://a.example/b?c=d', body: '{"a":1}', headers: { traceparent: '00-a-b-01' } },
    ])
    expect(io.spans).toMatchObject([{ name: 'PUT /b', attributes: { 'http.response.status_code': 201 } }])
  })

  it('records bytes and streams as text', async () => {
    const io = testIo()
    const { Readable } = await import('node:stream')
    await io.http({ url: 'https://a.example', body: Buffer.from('bytes') })
    await io.http({ url: 'https://a.example', body: Readable.from(['a ', 'stream']) })
    await io.http({ url: 'https://a.example' })
    expect(io.requests.map(({ body }) => body)).toEqual(['bytes', 'a stream', ''])
  })

  it('turns statuses and failures into the errors that the engine sees', async () => {
    const answers = [{ status: 400 }, { status: 503, headers: { 'retry-after': '2' } }, new Error('reset')]
    const io = testIo({ answer: () => answers.shift() ?? {} })
    const ask = () => io.http({ url: 'https://a.example' })
    await expect(ask()).rejects.toMatchObject({ permanent: true })
    await expect(ask()).rejects.toMatchObject({ permanent: false, retryAfter: 2_000 })
    await expect(ask()).rejects.toMatchObject({ code: 'unavailable' })
    await expect(ask()).resolves.toMatchObject({ status: 200, body: '' })
  })

  it('can leave a request without an answer', async () => {
    const io = testIo({ answer: 'hang' })
    await expect(io.http({ url: 'https://a.example', timeout: 20 })).rejects.toMatchObject({ code: 'timed_out' })
  })

  it('fails a request whose answer cannot be made', async () => {
    const answer = () => Promise.reject(new Error('no idea'))
    await expect(testIo({ answer }).http({ url: 'https://a.example' })).rejects.toThrow(/no idea/)
  })

  it('records log lines, and keeps state as JSON', async () => {
    const io = testIo({ env: { HOME: '/home/me' }, id: 'slack/secops' })
    io.log.warn('careful', { n: 1 })
    io.log.info('fine')
    expect(io.lines).toEqual([
      { level: 'warn', message: 'careful', fields: { n: 1 } },
      { level: 'info', message: 'fine', fields: {} },
    ])
    await io.state.set('offset', { at: 7, nothing: undefined })
    expect(await io.state.get('offset')).toEqual({ at: 7 })
    expect(await io.state.get('other')).toBeUndefined()
    expect([io.env.HOME, io.id]).toEqual(['/home/me', 'slack/secops'])
  })

  it('opens a resource once and closes it, or takes one that is given', async () => {
    const steps: string[] = []
    const counter = defineResource({
      type: 'counter',
      summary: 'Counts.',
      config: z.strictObject({ from: z.int().default(5) }),
      open: async ({ from }) => {
        steps.push('open')
        return { from }
      },
      close: async () => void steps.push('close'),
    })
    const io = testIo()
    expect(await Promise.all([io.use(counter), io.use(counter)])).toEqual([{ from: 5 }, { from: 5 }])
    await io.close()
    expect(steps).toEqual(['open', 'close'])
    expect(await testIo({ resources: { counter: 'given' } }).use(counter)).toBe('given')
  })
})

describe('testInputIo', () => {
  it('takes events, counts and stops', async () => {
    const io = testInputIo()
    const receipt = await io.emit('{}', { position: 'a/1' })
    await expect(receipt.done).resolves.toEqual([])
    io.count('skipped', 'blank')
    expect(io).toMatchObject({ emitted: [{ raw: '{}', options: { position: 'a/1' } }], counted: ['skipped blank'] })
    expect(io.signal.aborted).toBe(false)
    io.stop()
    expect(io.signal.aborted).toBe(true)
  })

  it('refuses as told', async () => {
    const emit = () => Promise.reject(new YarakError('overloaded', 'full'))
    const io = testInputIo({ emit })
    await expect(io.emit('{}')).rejects.toMatchObject({ code: 'overloaded' })
    expect(io.emitted).toEqual([])
  })
})

describe('testStep', () => {
  it('is about the sample event, or another', () => {
    expect(testStep()).toMatchObject({
      mode: 'enforce',
      dryRun: false,
      attempt: 1,
      target: { key: 'pod/default/web-1' },
    })
    const event = anEvent({ output_fields: { 'container.id': 'abc' } })
    expect(testStep({ event, dryRun: true })).toMatchObject({ dryRun: true, target: { key: 'container/abc' } })
  })
})
