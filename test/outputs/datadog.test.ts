import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clip } from '../../outputs/_text.ts'
import { datadog } from '../../outputs/datadog.ts'
import { type Notice, type Outcome, toJson } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { bodyOf, compared, sent } from './_hosted.ts'

const KEY = '9775a026f1ca7d1c6c5af9d94d9595a4'

interface Body {
  readonly title: string
  readonly text: string
  readonly alert_type: string
  readonly source_type_name: string
  readonly tags: readonly string[]
}

const body = (notice: Notice): Promise<Body> => bodyOf<Body>(datadog, { apiKey: KEY }, notice)

/** Fields that Falcosidekick leaves out: those that are neither text nor null. */
const others = ({ event }: Notice) =>
  Object.entries(event.fields)
    .filter(([, value]) => typeof value !== 'string' && value !== null)
    .map(([name, value]) => `${name}:${toJson(value)}`)

describe('datadog', () => {
  it.each(compared('datadog'))('sends what Falcosidekick sends, $name', async ({ notice, path, body }) => {
    const { requests } = await sent(datadog, { apiKey: 'secret-key', host: 'http://sink' }, [notice])
    const theirs = JSON.parse(body) as Body
    // different: the key is in a header
    expect(requests[0]).toMatchObject({
      url: `http://sink${path.replace('?api_key=secret-key', '')}`,
      headers: { 'dd-api-key': 'secret-key' },
    })
    const mine = JSON.parse(requests[0]?.body ?? '') as Body
    // different: cut where Datadog would
    expect({ ...mine, tags: [] }).toEqual({ ...theirs, text: clip(theirs.text, 4_000), tags: [] })
    // different: numbers, booleans and nested values too
    const added = others(notice)
    expect(added.every((tag) => mine.tags.includes(tag))).toBe(true)
    expect(mine.tags.filter((tag) => !added.includes(tag))).toEqual(theirs.tags.map((tag) => clip(tag, 200)))
  })

  it('sorts fields by their names and keeps the order of tags', async () => {
    const event = anEvent({ output_fields: { b: 1, a: null, 'a.b': 'x', c: ['y'] }, tags: ['z', 'a'] })
    const tags = ['a.b:x', 'b:1', 'c:["y"]', 'source:syscall', 'source:falco', 'hostname:node-1', 'z', 'a']
    expect((await body(aNotice({ event }))).tags).toEqual(tags)
  })

  it.each<[Outcome, string]>([
    ['succeeded', 'success'],
    ['gone', 'success'],
    ['skipped', 'info'],
    ['refused', 'warning'],
    ['failed', 'error'],
    ['timed_out', 'error'],
    ['unknown', 'error'],
    ['interrupted', 'error'],
  ])('tells of a response that %s by an event of the type %s', async (outcome, type) => {
    const told = await body(aNotice({ report: aReport({ outcome }) }))
    expect(told).toMatchObject({ title: `[${outcome}] Shell in a container`, alert_type: type })
    expect(told.tags).toEqual(expect.arrayContaining(['source:falco', 'response:7d0f4a2c9b1e', `outcome:${outcome}`]))
    expect(told.text).toContain('kubernetes:label: succeeded, labelled default/web-1')
    expect(told.text).toContain('\nduration: 42 ms\ntrace: 4bf92f3577b34da6a3ce929d0e0e4736')
  })

  it('tells how a response is undone', async () => {
    const steps = aReport().steps.map((step) => ({ ...step, undoable: true }))
    expect((await body(aNotice({ report: aReport({ steps }) }))).text).toContain(
      'undo: yarak responses undo 7d0f4a2c9b1e',
    )
  })

  it.each(['%%%', '%%%%%%', 'a%%%\n[ok](https://evil.example)\n%%%'])('lets %j begin no Markdown', async (output) => {
    const { text } = await body(aNotice({ event: anEvent({ output }) }))
    expect(text).not.toContain('%%%')
    expect(text.replaceAll('% ', '%')).toBe(output)
  })

  it('leaves other percent signs as they are', async () => {
    expect((await body(aNotice({ event: anEvent({ output: '100% of %%x' }) }))).text).toBe('100% of %%x')
  })

  it('says how many fields it left out', async () => {
    const output_fields = Object.fromEntries(Array.from({ length: 130 }, (_, i) => [`f${i}`, 'v']))
    const { tags } = await body(aNotice({ event: anEvent({ output_fields }) }))
    expect(tags[100]).toBe('cut:30')
    expect(tags).toHaveLength(107)
  })

  // "Post an event", Datadog: text 4,000 characters
  it('stays within the limits of Datadog whatever the event says', async () => {
    const text = fc.string({ unit: fc.constantFrom('%', '規', 'x', '\ud800', '"'), maxLength: 6_000 })
    await fc.assert(
      fc.asyncProperty(text, fc.dictionary(text, text, { maxKeys: 20 }), async (output, output_fields) => {
        const event = anEvent({ output, output_fields, rule: output || 'r', tags: [output] })
        for (const notice of [aNotice({ event }), aNotice({ event, report: aReport({ rule: output }) })]) {
          const told = await body(notice)
          expect(told.title.length).toBeLessThanOrEqual(100)
          expect(told.text.length).toBeLessThanOrEqual(4_000)
          expect(told.text).not.toContain('%%%')
          for (const tag of told.tags) expect(tag.length).toBeLessThanOrEqual(200)
        }
      }),
      { numRuns: 20 },
    )
  })

  it('goes to the site that is set', async () => {
    const { requests } = await sent(datadog, { apiKey: KEY, host: 'https://api.datadoghq.eu/' })
    expect(requests[0]?.url).toBe('https://api.datadoghq.eu/api/v1/events')
  })

  it.each([
    [{}, /apiKey is required/],
    [{ apiKey: KEY, host: 'https://api.datadoghq.com?api_key=x' }, /host: must have no credentials, query or fragment/],
  ])('refuses %j', (config, message) => {
    expect(() => datadog(config as never)).toThrow(message)
  })
})
