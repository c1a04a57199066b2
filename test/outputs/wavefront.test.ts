/** "Wavefront Data Format" and "Direct Data Ingestion" of Wavefront's documentation, and what Falcosidekick sent. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { wavefront } from '../../outputs/wavefront.ts'
import type { Notice } from '../../src/plugin.ts'
import { type Answers, aNotice, anEvent, aReport, type EventMembers, testIo } from '../../src/testing.ts'
import { falcosidekickSent } from './_falcosidekick.ts'
import { NEVER } from './_link.ts'
import { requestsFor } from './_same.ts'

const PROXY = { endpointType: 'proxy', endpointHost: 'wavefront-proxy' }
const DIRECT = { endpointType: 'direct', endpointHost: 'example.wavefront.com', endpointToken: '0123456789abcdef' }

const linesFor = async (config: object, ...notices: Notice[]): Promise<string[]> => {
  const [request] = await requestsFor(wavefront, { ...PROXY, ...config }, ...notices)
  expect(request?.body.endsWith('\n')).toBe(true)
  return request?.body.split('\n').slice(0, -1) ?? []
}

const of = (members: EventMembers) => aNotice({ event: anEvent(members) })

const TAG = /"([\w\-.,/~∆Δ]+)"="((?:[^"\\\n]|\\.)*)"/g
const LINE = new RegExp(`^"([^"]+)" (\\d+) (\\d+) source="([^"]+)"((?: ${TAG.source})*)$`, 'u')

/** Reads a line, and takes nothing that is not one. */
const parsed = (line: string) => {
  const [, metric, value, time, source, rest = ''] = LINE.exec(line) ?? expect.fail(`not a line: ${line}`)
  const tags = [...rest.matchAll(TAG)].map(([, name = '', text = '']) => [name, text] as const)
  expect(new Set(tags.map(([name]) => name)).size).toBe(tags.length)
  return { metric, value, time, source, tags: Object.fromEntries(tags) }
}

describe('what Falcosidekick sent for the same event', () => {
  it.each(falcosidekickSent('wavefront').exchanges.filter(({ requests }) => requests.length > 0))(
    '$name',
    async ({ notice, requests }) => {
      const [ours = ''] = await linesFor({}, notice)
      const theirs = parsed(requests[0]?.body.trim() ?? '')
      const own = parsed(ours)
      // differences: Falcosidekick sorts the tags, and cuts at 4,096 bytes what is cut at 254 characters here
      expect(own).toEqual({
        ...theirs,
        tags: {
          ...theirs.tags,
          ...(notice.event.tags.length > 0 && { tags: notice.event.tags.join(', ') }),
          ...('proc.cmdline' in theirs.tags &&
            theirs.tags['proc.cmdline']?.includes('[...]') && { 'proc.cmdline': own.tags['proc.cmdline'] }),
        },
      })
    },
  )

  it('is not sent by it when a text is empty, and is sent here without that tag', async () => {
    const [line = ''] = await linesFor({}, of({ output_fields: { 'user.name': '', 'proc.name': ' ' }, hostname: '' }))
    expect(Object.keys(parsed(line).tags)).toEqual(['severity', 'rule', 'source', 'tags'])
  })
})

describe('the request', () => {
  it.each([
    [PROXY, 'http://wavefront-proxy:2878/report?f=wavefront'],
    [{ ...PROXY, endpointHost: 'http://proxy/', endpointMetricPort: 80 }, 'http://proxy:80/report?f=wavefront'],
    [{ ...PROXY, endpointHost: 'https://proxy' }, 'https://proxy:2878/report?f=wavefront'],
    [DIRECT, 'https://example.wavefront.com/report?f=wavefront'],
    [{ ...DIRECT, endpointHost: 'https://example.wavefront.com' }, 'https://example.wavefront.com/report?f=wavefront'],
  ])('of %j goes to %s', async (config, url) => {
    const [request] = await requestsFor(wavefront, config, aNotice())
    expect(request?.url.replace(':80/', '/')).toBe(url.replace(':80/', '/'))
    expect(request?.headers['content-type']).toBe('application/octet-stream')
    expect(request?.headers.authorization).toBe('endpointToken' in config ? 'Bearer 0123456789abcdef' : undefined)
  })

  it('is one for many points', async () => {
    expect(await linesFor({}, aNotice(), aNotice({ id: '2' }), aNotice({ id: '3' }))).toHaveLength(3)
  })

  const send = async (answer: Answers, count = 1) => {
    const sender = await wavefront.open(wavefront.config.parse(PROXY), testIo({ answer }))
    await sender.send(
      Array.from({ length: count }, (_, i) => aNotice({ id: `notice-${i}` })),
      NEVER,
    )
  }

  it('is sent again when Wavefront pushes back', async () => {
    const pushed = { status: 406, headers: { 'retry-after': '3' } }
    await expect(send(pushed)).rejects.toMatchObject({ permanent: false, reason: '406', retryAfter: 3_000 })
    await expect(send({ status: 406 })).rejects.toMatchObject({ permanent: false })
    await expect(send({ status: 403 })).rejects.toMatchObject({ permanent: true, reason: '403' })
  })

  it('is taken apart when one point makes it refused', async () => {
    const answer: Answers = ({ body }) => ({ status: body.split('\n').length > 2 ? 400 : 202 })
    await send(answer, 3)
  })
})

describe('points', () => {
  it('have the name that is set, and the number of alerts of a digest', async () => {
    const digest = { count: 9, first: '2026-01-31T12:00:00Z', last: '2026-01-31T12:01:00Z' }
    const [line = ''] = await linesFor({ metricName: '∆falco alert"s' }, aNotice({ digest }))
    expect(parsed(line)).toMatchObject({ metric: '∆falco-alert-s', value: '9', time: '1769860800123456789' })
  })

  it('tell of a response', async () => {
    const [line = ''] = await linesFor({}, aNotice({ report: aReport({ duration: 41.7 }) }))
    expect(parsed(line)).toEqual({
      metric: 'yarak.response.duration',
      value: '42',
      time: '1769860800200000000',
      source: 'yarak',
      tags: {
        rule: 'Shell in a container',
        outcome: 'succeeded',
        mode: 'enforce',
        target: 'pod/default/web-1',
        event_rule: 'Terminal shell in container',
        severity: 'Notice',
      },
    })
  })

  it('have no number among their tags, and at most 20 of them, the event itself first', async () => {
    const output_fields = {
      n: 1,
      yes: true,
      ...Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`f${i}`, 'v'])),
    }
    const { tags } = parsed((await linesFor({}, of({ output_fields })))[0] ?? '')
    expect(Object.keys(tags)).toHaveLength(20)
    expect(Object.keys(tags).slice(0, 5)).toEqual(['severity', 'rule', 'source', 'hostname', 'tags'])
  })

  it.each([
    ['a "b"', String.raw`a \"b\"`],
    ['a\nb\r', String.raw`a\nb`],
    ['C:\\', 'C:_'],
    ['  padded ', 'padded'],
    ['\u001b[2J\u202e', String.raw`\u001b[2J\u202e`],
  ])('write %j as %s', async (text, written) => {
    const [line = ''] = await linesFor({}, of({ output_fields: { x: text } }))
    expect(parsed(line).tags.x).toBe(written)
  })

  it('are one line each, within the limits, whatever the event says', async () => {
    const unit = fc.constantFrom('"', '\\', '\n', ' ', '=', 'x', '\u{1f989}', '\ud800', '\u2028')
    const text = fc.string({ unit, maxLength: 400 })
    await fc.assert(
      fc.asyncProperty(text, fc.dictionary(text, text, { maxKeys: 30 }), async (rule, output_fields) => {
        const lines = await linesFor({}, of({ rule: `r${rule}`, output_fields }))
        expect(lines).toHaveLength(1)
        for (const [name, value] of Object.entries(parsed(lines[0] ?? '').tags)) {
          expect(name.length).toBeLessThanOrEqual(64)
          expect(name.length + value.length).toBeLessThanOrEqual(254)
        }
      }),
      { numRuns: 60 },
    )
  })
})

it.each([
  [{ endpointType: 'tcp', endpointHost: 'x' }, /endpointType must be one of direct, proxy/],
  [{ endpointType: 'direct', endpointHost: 'x' }, /endpointToken: is required for direct/],
  [{ ...PROXY, endpointHost: 'token@host' }, /endpointHost: must be a host/],
  [{ ...PROXY, endpointHost: 'host:2878' }, /endpointHost: must be a host/],
  [{ ...PROXY, endpointMetricPort: 0 }, /endpointMetricPort/],
  [{ ...PROXY, batchSize: 1 }, /batchSize is not a known setting/],
])('refuses %j', (config, message) => {
  expect(() => wavefront(config as never)).toThrow(message)
})
