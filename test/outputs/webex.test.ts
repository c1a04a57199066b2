import { describe, expect, it } from 'vitest'
import { fit, markdown, utf8Bytes } from '../../outputs/_chat.ts'
import { printable } from '../../outputs/_text.ts'
import { webex } from '../../outputs/webex.ts'
import type { Notice } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { answered, bodyBy, digest, hugeNotices, mended, sentBy, TRACE_URL } from './_chat.ts'
import { falcosidekickSent } from './_falcosidekick.ts'

const WEBHOOK = 'https://webexapis.com/v1/webhooks/incoming/xxxxxxxxxxxxxxxx'
const text = async (notice: Notice): Promise<string> =>
  (await bodyBy<{ readonly markdown: string }>(webex, { webhookUrl: WEBHOOK }, notice)).markdown

/** `- key: value` as Go prints values that are no texts, and as they are printed here. */
const GO_VALUES: readonly (readonly [string, string])[] = [
  ['\t* ka.req: map[b:<x> z:map[a:[1 2.50 1e3]]]', '\t* ka.req: {"z":{"a":[1,2.5,1000]},"b":"<x>"}'],
  ['\t* proc.args: [a [b <nil> 1]]', '\t* proc.args: ["a",["b",null,1]]'],
]

/** Lines that stand for null, which are left out. */
const NULLS = /\t\* [\w.]+: <no value>\n\t\n/g

/** The output and the rule of one event have line breaks and marks; every other text is escaped value by value. */
const expected = (theirs: string, { event }: Notice): string => {
  const json = GO_VALUES.reduce((rest, [go, ours]) => rest.replace(go, ours), theirs.replaceAll(NULLS, ''))
  const line = (one: string): string => markdown(printable(one))
  const values = json.replaceAll(/^(\t\* )([\w.]+): (.*)$/gm, (_all, mark: string, name: string, value: string) =>
    [mark, line(name), ': ', fit(value, 1_000, line, utf8Bytes)].join(''),
  )
  const tags = values.replaceAll(/^( {4}\* )(.*)$/gm, (_all, mark: string, tag: string) => mark + line(tag))
  return tags
    .replace(`# Falco Rule '${event.rule}'`, () => `# Falco Rule '${line(event.rule)}'`)
    .replace(`Source:   ${event.source}`, () => `Source:   ${line(event.source)}`)
    .replace(`### ${event.output}`, () => `### ${fit(event.output, 2_200, line, utf8Bytes)}`)
}

/** Tags stand one by one, so their order is set back on the lines. */
const inOrder = (theirs: string, { event }: Notice): string =>
  event.tags.join() === 'b,a' ? theirs.replace('    * a\n    \n    * b\n', '    * b\n    \n    * a\n') : theirs

describe('webex', () => {
  const { exchanges, config: theirs } = falcosidekickSent('webex')

  it.each(exchanges)('sends what Falcosidekick sends for an event: $name', async ({ notice, requests: [request] }) => {
    const [sent] = await sentBy(webex, { webhookUrl: theirs.webhookurl }, notice)
    expect(sent).toMatchObject({ url: theirs.webhookurl, method: request?.method })
    expect(sent?.headers['content-type']).toBe(request?.headers['content-type'])
    const recorded = mended<{ markdown: string }>(request?.body ?? '', notice)
    const { markdown: ours } = JSON.parse(sent?.body ?? '') as { markdown: string }
    expect(ours).toBe(expected(inOrder(recorded.markdown, notice), notice))
  })

  it('tells of a report in lines', async () => {
    expect(await text(answered())).toBe(
      [
        '# \\[succeeded\\] Shell in a container',
        '',
        '* kubernetes:label: succeeded, labelled default/web-1',
        '* kubernetes:terminate: succeeded',
        '',
        '* response: 7d0f4a2c9b1e',
        '* rule: Shell in a container',
        '* outcome: succeeded',
        '* mode: enforce',
        '* target: pod/default/web-1',
        `* event: ${anEvent().output}`,
        '* duration: 42 ms',
        `* trace: ${TRACE_URL}`,
        '* undo: yarak responses undo 7d0f4a2c9b1e',
        '* time: 2026-01-31T12:00:00.200Z',
        '',
      ].join('\n'),
    )
  })

  it('tells how many alerts a digest stands for', async () => {
    expect(await text(digest())).toMatch(/^\t\* alerts: 3 from /m)
  })

  // https://developer.webex.com/docs/basics#formatting-messages: `<@all>` and `<@personEmail:...>` mention
  it('lets no event mention anybody, hide a link or write a line of its own', async () => {
    const evil = '<@all> <@personEmail:x@e.com> [click](https://evil.example)\n# heading\n  * Priority: Debug'
    const event = anEvent({
      output: evil,
      rule: evil,
      hostname: evil,
      source: evil,
      tags: [evil],
      output_fields: { [evil]: evil },
    })
    for (const notice of [aNotice({ event }), answered({ event, report: aReport({ rule: evil, target: evil }) })]) {
      const shown = await text(notice)
      expect(shown).not.toMatch(/<(?!\u200b)|\]\(|^# heading|^ {2}\* Priority: Debug/m)
    }
  })

  it.each(hugeNotices())('has at most 7,439 bytes with $name', async ({ notice }) => {
    const shown = await text(notice)
    expect(Buffer.byteLength(shown)).toBeLessThanOrEqual(7_439)
    expect(shown).toContain('cut')
    expect(shown.isWellFormed()).toBe(true)
  })

  it('says how many tags it left out', async () => {
    const event = anEvent({ tags: Array.from({ length: 30 }, (_, i) => `t${i}`) })
    expect(await text(aNotice({ event }))).toContain('    * t19\n    \n    * 10 more\n')
  })
})
