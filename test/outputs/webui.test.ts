import { describe, expect, it } from 'vitest'
import { webui } from '../../outputs/webui.ts'
import type { Notice, Outcome } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { exact } from './_falcosidekick.ts'
import { bodyOf, compared, sent } from './_hosted.ts'

const URL = 'http://falcosidekick-ui:2802/'

interface Body {
  readonly event: Readonly<Record<string, unknown>> & { readonly output: string }
  readonly outputs: readonly string[]
}

const body = (notice: Notice, config: object = {}): Promise<Body> =>
  bodyOf<Body>(webui, { url: URL, ...config }, notice)

describe('webui', () => {
  it.each(compared('webui'))('sends what Falcosidekick sends, $name', async ({ notice, body }) => {
    const { outputs } = JSON.parse(body) as Body
    const { requests } = await sent(webui, { url: URL, outputs }, [notice])
    expect(requests[0]).toMatchObject({ method: 'POST', url: URL })
    expect(exact(requests[0]?.body ?? '')).toEqual(exact(body))
  })

  it('names no outputs unless it is told some', async () => {
    expect((await body(aNotice())).outputs).toEqual([])
    expect((await body(aNotice(), { outputs: ['Slack', 'Loki'] })).outputs).toEqual(['Slack', 'Loki'])
  })

  it('keeps the uuid that came along, and every digit of integers', async () => {
    const event = anEvent({ uuid: 'mine', output_fields: { 'evt.time': 1769860800123456789n } })
    const { requests } = await sent(webui, { url: URL }, [aNotice({ event })])
    expect(requests[0]?.body).toContain('"uuid":"mine"')
    expect(requests[0]?.body).toContain('"evt.time":1769860800123456789')
  })

  it.each<[Outcome, string]>([
    ['succeeded', 'Notice'],
    ['gone', 'Notice'],
    ['skipped', 'Informational'],
    ['refused', 'Warning'],
    ['failed', 'Error'],
  ])('shows the report of a response that %s as an event of priority %s', async (outcome, priority) => {
    const notice = aNotice({ report: aReport({ outcome }) })
    const { event } = await body(notice)
    expect(event).toMatchObject({
      uuid: notice.id,
      rule: 'Shell in a container',
      priority,
      source: 'yarak',
      time: '2026-01-31T12:00:00.200Z',
      hostname: 'node-1',
      tags: ['container', 'shell', 'mitre_execution', 'response', outcome],
      output_fields: { response: '7d0f4a2c9b1e', target: 'pod/default/web-1', duration: '42 ms' },
    })
    expect(event.output.split('\n').slice(0, 2)).toEqual([
      `[${outcome}] Shell in a container`,
      'kubernetes:label: succeeded, labelled default/web-1',
    ])
  })

  it.each([
    [{}, /url is required/],
    [{ url: URL, outputs: 'Slack' }, /outputs/],
  ])('refuses %j', (config, message) => {
    expect(() => webui(config as never)).toThrow(message)
  })
})
