import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { grafana } from '../../outputs/grafana.ts'
import type { Notice } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { bodyOf, type Compared, compared, sent } from './_hosted.ts'

const SERVER = { hostPort: 'http://grafana:3000', apiKey: 'secret-key' }

interface Body {
  readonly dashboardId?: number
  readonly panelId?: number
  readonly time: number
  readonly timeEnd: number
  readonly tags: readonly string[]
  readonly text: string
}

const body = (notice: Notice, config: object = {}): Promise<Body> =>
  bodyOf<Body>(grafana, { ...SERVER, ...config }, notice)

const noTags = (text: string) => text.replaceAll('<', '&lt;')

/** As Grafana counts them: as the text of a list of JSON. */
const lengthOf = (tags: readonly string[]) => Buffer.byteLength(`["${tags.join('","')}"]`)

const isShort = ({ name }: Compared) => name !== 'over 4,096 bytes'

describe('grafana', () => {
  it.each(compared('grafana'))('sends what Falcosidekick sends, $name', async ({ notice, path, headers, body }) => {
    const { requests } = await sent(grafana, { ...SERVER, dashboardId: 3, panelId: 4 }, [notice])
    const theirs = JSON.parse(body) as Body
    const { authorization } = headers
    expect(requests[0]).toMatchObject({ method: 'POST', url: `http://grafana:3000${path}`, headers: { authorization } })
    // different: no tags of HTML
    expect(JSON.parse(requests[0]?.body ?? '')).toEqual({ ...theirs, text: noTags(theirs.text) })
  })

  it.each(compared('grafana-tags').filter(isShort))(
    'has the tags that Falcosidekick has, $name',
    async ({ notice, body: text }) => {
      const theirs = JSON.parse(text) as Body
      const { tags } = await body(notice, { allFieldsAsTags: true, tagsLength: 4_096 })
      const { hostname, fields } = notice.event
      // different: the fields are in the order of their names, where Falcosidekick has them in none; null makes no tag, and
      // what is nested is JSON, not Go's form
      const isPlain = (tag: string) => tag !== '<nil>' && !/^map\[|^\[|^\{/.test(tag)
      expect([...tags].filter(isPlain).sort()).toEqual([...theirs.tags].filter(isPlain).sort())
      const names = Object.keys(fields).filter((name) => fields[name] !== null)
      const values = names.sort().map((name) => fields[name])
      const start = hostname ? 5 : 4
      const plain = values.map((value) => (typeof value === 'object' ? JSON.stringify(value) : String(value)))
      expect(tags.slice(start, start + names.length)).toEqual(plain)
    },
  )

  it('names neither dashboard nor panel when they are 0', async () => {
    const told = await body(aNotice())
    expect(told).not.toHaveProperty('dashboardId')
    expect(told).not.toHaveProperty('panelId')
  })

  it.each(['http://grafana:3000/', 'http://grafana:3000//'])('takes %s for the address', async (hostPort) => {
    const { requests } = await sent(grafana, { ...SERVER, hostPort })
    expect(requests[0]?.url).toBe('http://grafana:3000/api/annotations')
  })

  it('writes the report of a response as an annotation that lasts as long as it did', async () => {
    const told = await body(aNotice({ report: aReport({ duration: 1_500.4, outcome: 'failed' }) }))
    expect(told).toMatchObject({
      time: Date.parse('2026-01-31T12:00:00.200Z'),
      timeEnd: Date.parse('2026-01-31T12:00:01.700Z'),
      tags: [
        ...['falco', 'Notice', 'Terminal shell in container', 'syscall', 'node-1'],
        ...['response', 'Shell in a container', 'failed'],
      ],
    })
    expect(told.text).toContain('kubernetes:terminate: succeeded\nresponse: 7d0f4a2c9b1e')
    expect(told.text).toContain('trace: 4bf92f3577b34da6a3ce929d0e0e4736')
  })

  it('keeps the time of an event with an offset', async () => {
    const event = anEvent({ time: '2026-01-31T14:00:00.1239+02:00' })
    expect((await body(aNotice({ event }))).time).toBe(Date.parse('2026-01-31T12:00:00.123Z'))
  })

  it('lets no event add a tag of HTML', async () => {
    const event = anEvent({ output: '<a href="https://evil.example">ok</a>' })
    expect((await body(aNotice({ event }))).text).toBe('&lt;a href="https://evil.example">ok&lt;/a>')
  })

  it('leaves out the tags that are too many for Grafana, and cuts those that are too long', async () => {
    const event = anEvent({ output_fields: { a: 'x'.repeat(300), b: 'y'.repeat(300), c: 'z'.repeat(300), d: 'short' } })
    const { tags } = await body(aNotice({ event }), { allFieldsAsTags: true, tagsLength: 200 })
    expect(tags.slice(0, 5)).toEqual(['falco', 'Notice', 'Terminal shell in container', 'syscall', 'node-1'])
    expect(tags[5]).toMatch(/^x{93}… \[cut\]$/)
    expect(tags.slice(6)).toEqual(['short', 'container', 'shell'])
  })

  // pkg/services/annotations/annotationsimpl: the tags as a list of JSON; pkg/services/sqlstore/migrations/tag_mig.go: 100
  it('stays within the limits of Grafana whatever the event says', async () => {
    const text = fc.string({ unit: fc.constantFrom('規', '<', 'x', '\ud800', '🦉'), maxLength: 500 })
    const fields = fc.dictionary(fc.string(), text, { maxKeys: 50 })
    await fc.assert(
      fc.asyncProperty(text, fields, fc.integer({ min: 1, max: 4_096 }), async (output, output_fields, tagsLength) => {
        const notice = aNotice({ event: anEvent({ output, output_fields, hostname: output }), report: aReport() })
        const { tags } = await body(notice, { allFieldsAsTags: true, tagsLength })
        if (tags.length > 0) expect(lengthOf(tags)).toBeLessThanOrEqual(tagsLength)
        for (const tag of tags) expect(tag.length).toBeLessThanOrEqual(100)
      }),
      { numRuns: 40 },
    )
  })

  it.each([
    [{ hostPort: 'http://grafana:3000' }, /apiKey is required/],
    [{ ...SERVER, hostPort: 'http://u:p@grafana:3000' }, /hostPort: must have no credentials/],
    [{ ...SERVER, tagsLength: 5_000 }, /tagsLength/],
    [{ ...SERVER, dashboardId: -1 }, /dashboardId/],
  ])('refuses %j', (config, message) => {
    expect(() => grafana(config as never)).toThrow(message)
  })
})
