import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { headerValue } from '../../outputs/_cloudevent.ts'
import { cloudevents } from '../../outputs/cloudevents.ts'
import { type Notice } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { expectSame, requestsFor } from './_same.ts'

const ADDRESS = 'https://broker.example.com/default/falco'

const headersOf = async (notice: Notice, extensions: Record<string, string> = {}) => {
  const [request] = await requestsFor(cloudevents, { address: ADDRESS, extensions }, notice)
  return request?.headers ?? expect.fail('nothing was sent')
}

describe('cloudevents', () => {
  it('sends what Falcosidekick sends, its values encoded as the binding asks for', async () => {
    const headers = ({ event }: Notice) => ({
      'ce-rule': headerValue(event.rule),
      // Falcosidekick writes it in UTC.
      'ce-time': event.time,
      ...(event.hostname && { 'ce-hostname': headerValue(event.hostname) }),
    })
    const settings = { address: ADDRESS, extensions: { region: 'eu' } }
    await expectSame({ name: 'cloudevents', output: cloudevents, settings, url: ADDRESS, headers })
  })

  it('has the required attributes', async () => {
    expect(await headersOf(aNotice())).toMatchObject({
      'ce-specversion': '1.0',
      'ce-id': anEvent().id,
      'ce-source': 'https://falco.org',
      'ce-type': 'falco.rule.output.v1',
      'ce-time': '2026-01-31T12:00:00.123456789Z',
      'ce-rule': 'Terminal%20shell%20in%20container',
      'ce-priority': 'Notice',
      'ce-eventsource': 'syscall',
      'ce-hostname': 'node-1',
      'content-type': 'application/json',
    })
  })

  it('has the uuid that came along as its id, the same for every try', async () => {
    const notice = aNotice({ event: anEvent({ uuid: 'mine' }) })
    expect((await headersOf(notice))['ce-id']).toBe('mine')
    expect((await headersOf(notice))['ce-id']).toBe('mine')
  })

  it('tells of a response as an event of its own', async () => {
    const report = aReport({ outcome: 'timed_out' })
    expect(await headersOf(aNotice({ report }))).toMatchObject({
      'ce-id': report.id,
      'ce-source': '/yarak',
      'ce-type': 'falco.response.v1',
      'ce-time': report.startedAt,
      'ce-rule': 'Shell%20in%20a%20container',
      'ce-outcome': 'timed_out',
      'ce-mode': 'enforce',
      'ce-priority': 'Notice',
    })
  })

  it('leaves empty attributes out', async () => {
    const event = anEvent({ hostname: null, output_fields: {} })
    expect(await headersOf(aNotice({ event }))).not.toHaveProperty('ce-hostname')
  })

  it('takes extensions, which win over what is made of the event', async () => {
    const headers = await headersOf(aNotice(), { Region: 'eu west', rule: 'fixed' })
    expect(headers).toMatchObject({ 'ce-region': 'eu%20west', 'ce-rule': 'fixed' })
  })

  it.each([
    [{ 'a-b': 'x' }, /name of an extension/],
    [{ ['x'.repeat(21)]: 'x' }, /name of an extension/],
    [{ type: 'x' }, /an attribute that is not to be set/],
    [{ ID: 'x' }, /an attribute that is not to be set/],
    [{ ok: '' }, /extensions/],
  ])('refuses the extensions %j', (extensions, message) => {
    expect(() => cloudevents({ address: ADDRESS, extensions: extensions })).toThrow(message)
  })
})

describe('a value of a header', () => {
  /** The examples of the HTTP binding 1.0.2, 3.1.3.2. */
  it.each([
    ['Euro € 😀', 'Euro%20%E2%82%AC%20%F0%9F%98%80'],
    ['a"b%c', 'a%22b%25c'],
    ['plain-ASCII_~!', 'plain-ASCII_~!'],
    ['a\r\nx-injected: 1', 'a%0D%0Ax-injected:%201'],
    ['\u0000', '%00'],
  ])('of %j is %s', (text, value) => {
    expect(headerValue(text)).toBe(value)
  })

  it('can be decoded again, holds nothing but visible ASCII, and is short', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 600 }), (text) => {
        const value = headerValue(text)
        expect(value).toMatch(/^[\x21\x23-\x7e]*$/)
        expect(value.length).toBeLessThanOrEqual(2_304)
        if (text.length <= 256) expect(decodeURIComponent(value)).toBe(text.toWellFormed())
        else expect(decodeURIComponent(value)).toMatch(/… \[cut\]$/)
      }),
    )
  })
})
