import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { alertId, isHandled, levelOf, noTags, wholeText } from '../../outputs/_alerting.ts'
import { postTexts } from '../../outputs/_texts.ts'
import { under } from '../../outputs/_url.ts'
import { type Mode, type Outcome, PRIORITIES, YarakError } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'

const refusal = (status: number) =>
  new YarakError('failed', `answered ${status}`, { permanent: status < 500, reason: `${status}` })

describe('how bad it is', () => {
  it('is told of an event by its priority', () => {
    const levels = PRIORITIES.map((priority) => `${priority} ${levelOf(aNotice({ event: anEvent({ priority }) }))}`)
    expect([...levels].sort()).toEqual([
      'Alert critical',
      'Critical critical',
      'Debug info',
      'Emergency critical',
      'Error error',
      'Informational info',
      'Notice info',
      'Warning warning',
    ])
  })

  it.each<[Outcome, string, boolean]>([
    ['succeeded', 'success', true],
    ['gone', 'success', true],
    ['skipped', 'info', false],
    ['refused', 'warning', false],
    ['failed', 'error', false],
    ['timed_out', 'error', false],
    ['unknown', 'error', false],
    ['interrupted', 'error', false],
  ])('is told of a response by its outcome: %s is %s', (outcome, level, handled) => {
    const event = anEvent({ priority: 'Emergency' })
    const inMode = (mode: Mode) => aNotice({ event, report: aReport({ outcome, mode }) })
    expect(levelOf(inMode('enforce'))).toBe(level)
    expect(isHandled(inMode('enforce'))).toBe(handled)
    expect(isHandled(inMode('observe'))).toBe(false)
    expect(isHandled(aNotice({ event }))).toBe(false)
  })
})

describe('the whole text', () => {
  it('of an event is its output, whatever its fields are called', () => {
    const event = anEvent({ output: 'x', output_fields: { alerts: 'mine' } })
    expect(wholeText(aNotice({ event }))).toBe('x')
  })

  it('of a report ends in its time, however long the output of the event is', () => {
    const event = anEvent({ output: 'x'.repeat(1e6) })
    const lines = wholeText(aNotice({ event, report: aReport({ steps: [] }) })).split('\n')
    expect(lines[0]).toBe('response: 7d0f4a2c9b1e')
    expect(lines.find((line) => line.startsWith('event: '))).toHaveLength('event: '.length + 1_000)
    expect(lines.at(-1)).toBe('time: 2026-01-31T12:00:00.200Z')
  })
})

describe('texts of alerts', () => {
  it('begin no tag and lose nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('<', '>', '&', 'b', '/', ' ') }), (text) => {
        expect(noTags(text)).not.toContain('<')
        expect(noTags(text).split('&lt;').length).toBe(text.split(/<|&lt;/).length)
      }),
    )
  })

  it('are known by the uuid of the sender, else by the id of the event', () => {
    expect(alertId(aNotice({ event: anEvent({ uuid: 'mine' }) }))).toBe('mine')
    expect(alertId(aNotice())).toBe(anEvent().id)
  })

  it.each(['http://a', 'http://a/', 'http://a//'])('go to a path below %s', (address) => {
    expect(under(address, '/v2/x')).toBe('http://a/v2/x')
  })
})

describe('texts sent many at once', () => {
  it('are all sent once, in order, within the limits', async () => {
    const texts = fc.array(fc.string({ unit: fc.constantFrom('a', '規'), maxLength: 12 }), { maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(texts, async (given) => {
        const requests: (readonly string[])[] = []
        await postTexts(given, { count: 7, size: 40 }, async (some) => requests.push(some))
        expect(requests.flat()).toEqual(given)
        for (const one of requests) {
          expect(one.length).toBeLessThanOrEqual(7)
          expect(Buffer.byteLength(one.join('\n')) <= 40 || one.length === 1).toBe(true)
        }
      }),
    )
  })

  it('are tried alone when their request is refused, and the others of the batch go on', async () => {
    const post = (some: readonly string[]) =>
      some.includes('c') ? Promise.reject(refusal(400)) : Promise.resolve(some.length)
    const sending = postTexts(['a', 'b', 'c', 'd', 'e'], { count: 2, size: 100 }, post)
    await expect(sending).rejects.toMatchObject({ permanent: true, failed: [{ index: 2, permanent: true }] })
  })

  it('wait for the next try behind a failure that may pass', async () => {
    const post = (some: readonly string[]) => (some.includes('b') ? Promise.reject(refusal(503)) : Promise.resolve())
    const sending = postTexts(['a', 'b', 'c'], { count: 1, size: 100 }, post)
    await expect(sending).rejects.toMatchObject({
      permanent: false,
      failed: [
        { index: 1, permanent: false },
        { index: 2, permanent: false },
      ],
    })
  })
})
