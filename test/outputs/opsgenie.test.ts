import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clip } from '../../outputs/_text.ts'
import { opsgenie } from '../../outputs/opsgenie.ts'
import { type Notice, type Outcome, toJson } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { bodyOf, compared, sent } from './_hosted.ts'

const KEY = 'eb243592-faa2-4ba2-a551-1afdf565c889'

interface Body {
  readonly message: string
  readonly description: string
  readonly alias: string
  readonly entity: string
  readonly details: Readonly<Record<string, string>>
  readonly priority: string
}

const body = (notice: Notice, config: object = {}): Promise<Body> =>
  bodyOf<Body>(opsgenie, { apiKey: KEY, ...config }, notice)

/** Fields that Falcosidekick leaves out: those that are neither text nor null. */
const others = ({ event }: Notice) =>
  Object.entries(event.fields)
    .filter(([, value]) => typeof value !== 'string' && value !== null)
    .map(([name, value]) => [name.replaceAll('.', '_'), toJson(value)] as const)

const noTags = (text: string) => text.replaceAll('<', '&lt;')

describe('opsgenie', () => {
  it.each(compared('opsgenie'))('sends what Falcosidekick sends, $name', async ({ notice, path, body, headers }) => {
    const { requests } = await sent(opsgenie, { apiKey: 'secret-key', entity: 'Falcosidekick' }, [notice])
    const theirs = JSON.parse(body) as Body
    const isLong = noTags(theirs.message).length > 130
    const mine = JSON.parse(requests[0]?.body ?? '') as Body & { details: { truncated?: string } }
    expect(requests[0]).toMatchObject({ url: `https://${path}`, headers })
    expect({ ...mine, details: { ...mine.details, proc_cmdline: undefined, truncated: undefined } }).toEqual({
      ...theirs,
      // different: a second try makes no second alert
      alias: notice.event.id,
      // different: no tags of HTML; cut where Opsgenie would refuse it, and whole in the description
      message: clip(theirs.message, 130, noTags),
      description: noTags(isLong ? `${theirs.description}\n\n${theirs.message}` : theirs.description),
      // different: all fields that are not null
      details: Object.fromEntries(
        Object.entries({ ...theirs.details, ...Object.fromEntries(others(notice)), proc_cmdline: undefined }).map(
          ([name, value]) => [name, value && noTags(value)],
        ),
      ),
    })
    expect(mine.details.proc_cmdline?.length ?? 0).toBeLessThanOrEqual(theirs.details.proc_cmdline?.length ?? 0)
  })

  it.each([
    ['us', 'https://api.opsgenie.com/v2/alerts'],
    ['eu', 'https://api.eu.opsgenie.com/v2/alerts'],
  ])('sends to the region %s, with the key in a header', async (region, url) => {
    const { requests } = await sent(opsgenie, { apiKey: KEY, region })
    expect(requests[0]).toMatchObject({ url, headers: { authorization: `GenieKey ${KEY}` } })
  })

  it('calls itself Yarak unless it is told otherwise', async () => {
    expect((await body(aNotice())).entity).toBe('Yarak')
    expect((await body(aNotice(), { entity: 'Falcosidekick' })).entity).toBe('Falcosidekick')
  })

  it.each<[Outcome, string]>([
    ['succeeded', 'P5'],
    ['gone', 'P5'],
    ['skipped', 'P5'],
    ['refused', 'P4'],
    ['failed', 'P3'],
    ['unknown', 'P3'],
  ])('makes an alert of its own of a report of %s, of priority %s', async (outcome, priority) => {
    const traceUrl = 'https://jaeger.example/trace/4bf92f3577b34da6a3ce929d0e0e4736'
    const told = await body(aNotice({ report: aReport({ outcome }), traceUrl }))
    expect(told).toMatchObject({
      message: `[${outcome}] Shell in a container`,
      alias: '7d0f4a2c9b1e',
      priority,
      details: {
        response: '7d0f4a2c9b1e',
        mode: 'enforce',
        target: 'pod/default/web-1',
        duration: '42 ms',
        trace: traceUrl,
      },
    })
    expect(told.description.split('\n').slice(0, 3)).toEqual([
      'kubernetes:label: succeeded, labelled default/web-1',
      'kubernetes:terminate: succeeded',
      'response: 7d0f4a2c9b1e',
    ])
  })

  it('has the whole text in the description when the message is cut', async () => {
    const output = 'x'.repeat(500)
    const told = await body(aNotice({ event: anEvent({ output }) }))
    expect(told.message).toHaveLength(130)
    expect(told.message).toMatch(/x… \[cut\]$/)
    expect(told.description).toBe(`Terminal shell in container\n\n${output}`)
  })

  it('says how many alerts a digest stands for', async () => {
    const digest = { count: 7, first: '2026-01-31T11:00:00Z', last: '2026-01-31T12:00:00Z' }
    const told = await body(aNotice({ digest }))
    const alerts = '7 from 2026-01-31T11:00:00Z to 2026-01-31T12:00:00Z'
    expect(told.details.alerts).toBe(alerts)
    expect(told.description).toContain(`alerts: ${alerts}`)
  })

  it('lets no event add a tag of HTML, nor take the place of what it says itself', async () => {
    const evil = '<a href="https://evil.example">ok</a>'
    const event = anEvent({ output: evil, rule: evil, output_fields: { rule: evil, 'fd.name': evil } })
    const { requests } = await sent(opsgenie, { apiKey: KEY }, [
      aNotice({ event }),
      aNotice({ event, report: aReport() }),
    ])
    expect(requests.map(({ body }) => body).join('')).not.toContain('<')
    expect((await body(aNotice({ event: anEvent({ output_fields: { rule: 'x' } }) }))).details.rule).toBe(
      'Terminal shell in container',
    )
  })

  // "Create alert", Opsgenie: message 130, description 15,000, details 8,000 characters of all, alias 512
  it('stays within the limits of Opsgenie whatever the event says', async () => {
    const text = fc.string({ unit: fc.constantFrom('<', '"', '規', '\ud800', 'x', '\n'), maxLength: 2_000 })
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 30 }), fc.nat(300), async (one, times, count) => {
        const many = Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, one]))
        const output = one.repeat(times)
        const event = anEvent({ output, output_fields: { ...many, 'proc.cmdline': output } })
        for (const notice of [aNotice({ event }), aNotice({ event, report: aReport() })]) {
          const { message, description, details, alias } = await body(notice)
          expect(message.length).toBeLessThanOrEqual(130)
          expect(description.length).toBeLessThanOrEqual(15_000)
          expect(Object.entries(details).flat().join('').length).toBeLessThanOrEqual(8_000)
          expect(Object.values(details).every((value) => typeof value === 'string')).toBe(true)
          expect(alias.length).toBeLessThanOrEqual(512)
          expect(details.rule).toBeDefined()
        }
      }),
      { numRuns: 15 },
    )
  })

  it.each([
    [{}, /apiKey is required/],
    [{ apiKey: KEY, region: 'mars' }, /region must be one of us, eu/],
    [{ apiKey: KEY, apikey: KEY }, /apikey is not a known setting/],
  ])('refuses %j', (config, message) => {
    expect(() => opsgenie(config as never)).toThrow(message)
  })
})
