import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clip } from '../../outputs/_text.ts'
import { pagerduty } from '../../outputs/pagerduty.ts'
import { type Notice, PRIORITIES } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { exact } from './_falcosidekick.ts'
import { bodyOf, compared, sent } from './_hosted.ts'

const KEY = 'e93facc04764012d7bfb002500d5d1a6'

interface Body {
  readonly event_action: string
  readonly dedup_key: string
  readonly payload: {
    readonly summary: string
    readonly severity: string
    readonly timestamp: string
    readonly custom_details: Readonly<Record<string, unknown>>
  }
  readonly links?: readonly unknown[]
}

const body = (notice: Notice, config: object = {}): Promise<Body> =>
  bodyOf<Body>(pagerduty, { routingKey: KEY, ...config }, notice)

const STEPS = 'kubernetes:label: succeeded, labelled default/web-1\nkubernetes:terminate: succeeded'

const ACTIONS = [
  ['succeeded', 'enforce', 'resolve'],
  ['gone', 'enforce', 'resolve'],
  ['succeeded', 'observe', 'trigger'],
  ['skipped', 'enforce', 'trigger'],
  ['refused', 'enforce', 'trigger'],
  ['failed', 'enforce', 'trigger'],
  ['timed_out', 'enforce', 'trigger'],
  ['unknown', 'enforce', 'trigger'],
  ['interrupted', 'enforce', 'trigger'],
] as const

describe('pagerduty', () => {
  it.each(compared('pagerduty'))('sends what Falcosidekick sends, $name', async ({ notice, path, body }) => {
    const { requests } = await sent(pagerduty, { routingKey: 'secret-key' }, [notice])
    const { event } = notice
    const theirs = exact(body) as { payload: { summary: string; custom_details: object } }
    const severity = /Emergency|Alert|Critical/.test(event.priority) ? 'critical' : event.priority.toLowerCase()
    expect(requests[0]?.url).toBe(`https://${path}`)
    expect(exact(requests[0]?.body ?? '')).toEqual({
      ...theirs,
      // different: the report of a response goes to the same incident
      dedup_key: event.id,
      payload: {
        ...theirs.payload,
        // different: cut where PagerDuty would refuse it
        summary: clip(theirs.payload.summary, 1_024),
        // different: not always critical
        severity: /^(?:notice|informational|debug)$/.test(severity) ? 'info' : severity,
        // different: with its fraction
        timestamp: event.time,
        custom_details: {
          ...theirs.payload.custom_details,
          // different: Falcosidekick forgets these
          rule: event.rule,
          priority: event.priority,
          source: event.source,
          ...(event.tags.length > 0 && { tags: event.tags.join(', ') }),
        },
      },
    })
  })

  it.each([
    ['us', 'https://events.pagerduty.com/v2/enqueue'],
    ['eu', 'https://events.eu.pagerduty.com/v2/enqueue'],
  ])('sends to the region %s', async (region, url) => {
    const { requests, io } = await sent(pagerduty, { routingKey: KEY, region })
    expect(requests[0]?.url).toBe(url)
    expect(io.spans[0]?.name).toBe('POST /v2/enqueue')
  })

  it('gives each priority a severity that PagerDuty knows', async () => {
    const severities = await Promise.all(
      PRIORITIES.map(async (priority) => (await body(aNotice({ event: anEvent({ priority }) }))).payload.severity),
    )
    expect(Object.fromEntries(PRIORITIES.map((priority, i) => [priority, severities[i]]))).toEqual({
      Emergency: 'critical',
      Alert: 'critical',
      Critical: 'critical',
      Error: 'error',
      Warning: 'warning',
      Notice: 'info',
      Informational: 'info',
      Debug: 'info',
    })
  })

  it('tells of a response at the incident of its event, with a link to the trace', async () => {
    const traceUrl = 'https://jaeger.example/trace/4bf92f3577b34da6a3ce929d0e0e4736'
    const event = await body(aNotice())
    const told = await body(aNotice({ report: aReport({ outcome: 'failed' }), traceUrl }))
    expect(told.dedup_key).toBe(event.dedup_key)
    expect(told).toMatchObject({
      event_action: 'trigger',
      links: [{ href: traceUrl, text: 'Trace' }],
      payload: {
        summary:
          '[failed] Shell in a container · kubernetes:label: succeeded, labelled default/web-1 · kubernetes:terminate: succeeded',
        severity: 'error',
        timestamp: '2026-01-31T12:00:00.200Z',
        custom_details: {
          response: '7d0f4a2c9b1e',
          outcome: 'failed',
          target: 'pod/default/web-1',
          duration: '42 ms',
          steps: STEPS,
        },
      },
    })
    expect(event).not.toHaveProperty('links')
  })

  it.each(ACTIONS)('with resolve, a report of %s in %s mode is a %s', async (outcome, mode, action) => {
    const notice = aNotice({ report: aReport({ outcome: outcome, mode }) })
    expect((await body(notice, { resolve: true })).event_action).toBe(action)
    expect((await body(notice)).event_action).toBe('trigger')
  })

  it('never resolves for an event', async () => {
    expect((await body(aNotice(), { resolve: true })).event_action).toBe('trigger')
  })

  it('sends what is of one target in order, so that nothing is resolved before it is there', () => {
    expect(pagerduty.ordered).toBe(true)
  })

  it('lets no field of the event take the place of what it says itself', async () => {
    const output_fields = { rule: 'x', priority: 'x', 'proc.pid': 1 }
    const { payload } = await body(aNotice({ event: anEvent({ output_fields }) }))
    expect(payload.custom_details).toMatchObject({ rule: 'Terminal shell in container', priority: 'Notice' })
  })

  it('says how many alerts a digest stands for', async () => {
    const digest = { count: 7, first: '2026-01-31T11:00:00Z', last: '2026-01-31T12:00:00Z' }
    expect((await body(aNotice({ digest }))).payload.custom_details).toMatchObject({ digest })
  })

  // "Send an alert event", PagerDuty: summary 1,024 characters, the whole 512 KB
  it('stays within the limits of PagerDuty whatever the event says', async () => {
    const text = fc.string({ unit: fc.constantFrom('"', '\u0000', '規', '\ud800', 'x'), maxLength: 3_000 })
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 1, max: 500 }), async (output, times) => {
        const output_fields = {
          'proc.cmdline': output.repeat(times),
          'fd.name': output.repeat(times),
          'proc.pid': 4711,
        }
        const event = anEvent({ output: output.repeat(times), output_fields })
        for (const notice of [aNotice({ event }), aNotice({ event, report: aReport() })]) {
          const { requests } = await sent(pagerduty, { routingKey: KEY }, [notice])
          const [{ body = '' } = {}] = requests
          expect(Buffer.byteLength(body)).toBeLessThan(512_000)
          expect((JSON.parse(body) as Body).payload.summary.length).toBeLessThanOrEqual(1_024)
        }
      }),
      { numRuns: 15 },
    )
  })

  it.each([
    [{}, /routingKey is required/],
    [{ routingKey: KEY, region: 'mars' }, /region must be one of us, eu/],
    [{ routingkey: KEY }, /routingkey is not a known setting/],
  ])('refuses %j', (config, message) => {
    expect(() => pagerduty(config as never)).toThrow(message)
  })
})
