import { describe, expect, it } from 'vitest'
import { defused } from '../../outputs/_chat.ts'
import { grafanaoncall } from '../../outputs/grafanaoncall.ts'
import type { Mode, Notice, Outcome } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { bodyOf, compared, sent } from './_hosted.ts'

const WEBHOOK = 'https://oncall.example.com/integrations/v1/formatted_webhook/m12xmIjOcgwH74UF8CN4dk0Dh/'

interface Body {
  readonly alert_uid: string
  readonly state: string
  readonly title: string
  readonly message: string
  readonly link_to_upstream_details?: string
}

const body = (notice: Notice, config: object = {}): Promise<Body> =>
  bodyOf<Body>(grafanaoncall, { webhookUrl: WEBHOOK, ...config }, notice)

describe('grafanaoncall', () => {
  it.each(compared('grafanaoncall'))('sends what Falcosidekick sends, $name', async ({ notice, body }) => {
    const { requests } = await sent(grafanaoncall, { webhookUrl: WEBHOOK }, [notice])
    const theirs = JSON.parse(body) as Body
    expect(requests[0]?.url).toBe(WEBHOOK)
    expect(JSON.parse(requests[0]?.body ?? '')).toEqual({
      ...theirs,
      // different: no mentions, no tags, no hidden links
      title: defused(theirs.title),
      message: defused(theirs.message),
    })
  })

  it('keeps the uuid that came along', async () => {
    const event = anEvent({ uuid: 'b0f6d7f4-34c5-4a34-8b5c-0a4c1b2d3e4f' })
    expect((await body(aNotice({ event }))).alert_uid).toBe('b0f6d7f4-34c5-4a34-8b5c-0a4c1b2d3e4f')
  })

  it('tells of a response in the alert group of its event, with a link to the trace', async () => {
    const traceUrl = 'https://jaeger.example/trace/4bf92f3577b34da6a3ce929d0e0e4736'
    const event = await body(aNotice())
    const told = await body(aNotice({ report: aReport(), traceUrl }))
    expect(told).toMatchObject({
      alert_uid: event.alert_uid,
      state: 'alerting',
      title: '[succeeded] Shell in a container',
      link_to_upstream_details: traceUrl,
    })
    expect(told.message).toContain(
      'kubernetes:label: succeeded, labelled default/web-1\nkubernetes:terminate: succeeded',
    )
    expect(told.message).toContain(`\ntrace: ${traceUrl}`)
    expect(event).not.toHaveProperty('link_to_upstream_details')
  })

  it.each<[Outcome, Mode, string]>([
    ['succeeded', 'enforce', 'ok'],
    ['gone', 'enforce', 'ok'],
    ['succeeded', 'observe', 'alerting'],
    ['failed', 'enforce', 'alerting'],
    ['refused', 'enforce', 'alerting'],
  ])('with resolve, a report of %s in %s mode has the state %s', async (outcome, mode, state) => {
    const notice = aNotice({ report: aReport({ outcome, mode }) })
    expect((await body(notice, { resolve: true })).state).toBe(state)
    expect((await body(notice)).state).toBe('alerting')
  })

  it('never resolves for an event, and sends in order', async () => {
    expect((await body(aNotice(), { resolve: true })).state).toBe('alerting')
    expect(grafanaoncall.ordered).toBe(true)
  })

  it('lets no event mention anybody or hide where a link goes, in HTML, Markdown or Slack', async () => {
    const evil = '<!channel> <a href="https://evil.example">x</a> [ok](https://evil.example) @everyone'
    const event = anEvent({ output: evil, rule: evil })
    for (const notice of [aNotice({ event }), aNotice({ event, report: aReport({ rule: evil }) })]) {
      const { title, message } = await body(notice)
      expect(title + message).not.toMatch(/<(?![\s\u200b])|\]\(|(?<!\w)@\w/)
    }
  })

  it('cuts what is too long for a message', async () => {
    const { title, message } = await body(
      aNotice({ event: anEvent({ output: 'x'.repeat(1e6), rule: 'y'.repeat(5_000) }) }),
    )
    expect(message).toHaveLength(30_000)
    expect(message).toMatch(/x… \[cut\]$/)
    expect(title).toHaveLength(1_000)
  })

  it('says how many alerts a digest stands for', async () => {
    const digest = { count: 7, first: '2026-01-31T11:00:00Z', last: '2026-01-31T12:00:00Z' }
    expect((await body(aNotice({ digest }))).message.split('\n').at(-1)).toBe(
      'alerts: 7 from 2026-01-31T11:00:00Z to 2026-01-31T12:00:00Z',
    )
  })

  it.each([
    [{}, /webhookUrl is required/],
    [{ webhookUrl: 'oncall.example.com/x' }, /webhookUrl: must be an http or https address/],
  ])('refuses %j', (config, message) => {
    expect(() => grafanaoncall(config as never)).toThrow(message)
  })
})
