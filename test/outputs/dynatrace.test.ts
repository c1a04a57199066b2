import { describe, expect, it } from 'vitest'
import { dynatrace } from '../../outputs/dynatrace.ts'
import type { Notice, Outcome } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { exact } from './_falcosidekick.ts'
import { compared, sent } from './_hosted.ts'

const SERVER = { apiUrl: 'https://abc12345.live.dynatrace.com/api', apiToken: 'secret-token' }

type Entry = Readonly<Record<string, unknown>>

const recordsOf = (body = '[]') => JSON.parse(body) as Entry[]

const record = async (notice: Notice): Promise<Entry | undefined> =>
  recordsOf((await sent(dynatrace, SERVER, [notice])).requests[0]?.body)[0]

const withFields = (output_fields: object) => record(aNotice({ event: anEvent({ output_fields }) }))
const withTags = (tags: readonly string[]) => record(aNotice({ event: anEvent({ tags }) }))

describe('dynatrace', () => {
  it.each(compared('dynatrace'))('sends what Falcosidekick sends, $name', async ({ notice, path, headers, body }) => {
    const { requests } = await sent(dynatrace, { ...SERVER, apiUrl: 'http://sink/' }, [notice])
    expect(requests[0]).toMatchObject({ method: 'POST', url: `http://sink${path}`, headers })
    const [theirs] = exact(body) as [Entry]
    // different: the time with its fraction
    expect(exact(requests[0]?.body ?? '')).toEqual([{ ...theirs, timestamp: notice.event.time }])
  })

  it('keeps the uuid that came along', async () => {
    expect(await record(aNotice({ event: anEvent({ uuid: 'mine' }) }))).toMatchObject({ 'event.id': 'mine' })
  })

  it('takes attributes from fields that are texts', async () => {
    expect(
      await withFields({
        'container.id': 'c1',
        'container.name': 'web',
        'container.image': 'nginx:1',
        'ka.target.namespace': 'shop',
        'k8s.pod.name': 'web-1',
        'k8s.pod.id': 'u1',
        'proc.name': 'sh',
        'span.id': 17,
      }),
    ).toMatchObject({
      'container.id': 'c1',
      'container.name': 'web',
      'container.image.name': 'nginx:1',
      'k8s.namespace.name': 'shop',
      'k8s.pod.name': 'web-1',
      'k8s.pod.uid': 'u1',
      'process.executable.name': 'sh',
      'span.id': '17',
    })
    const others = await withFields({ 'container.id': 1, 'k8s.pod.name': null, 'proc.name': ['sh'], 'span.id': null })
    expect(Object.keys(others ?? {}).filter((name) => /^(?:container|k8s|process|span)\./.test(name))).toEqual([])
  })

  it('prefers the namespace of the pod to that of the audit event', async () => {
    const fields = { 'ka.target.namespace': 'other', 'k8s.ns.name': 'shop' }
    expect(await withFields(fields)).toMatchObject({ 'k8s.namespace.name': 'shop' })
  })

  it.each([
    [['T1059', 'mitre_execution'], { 'mitre.technique': 'T1059', 'mitre.tactic': 'mitre_execution' }],
    [['T1055.008', 'T1070'], { 'mitre.technique': 'T1070' }],
    [['mitre_execution', 'mitre_persistence'], { 'mitre.tactic': 'mitre_persistence' }],
    [['mitre_T1059'], { 'mitre.technique': 'mitre_T1059' }],
    [['container', 'mitre'], {}],
  ])('finds technique and tactic in the tags %j', async (tags, found) => {
    const entries = Object.entries((await withTags(tags)) ?? {}).filter(([name]) => name.startsWith('mitre.'))
    expect(Object.fromEntries(entries)).toEqual(found)
  })

  it.each<[Outcome, string]>([
    ['succeeded', 'Informational'],
    ['skipped', 'Informational'],
    ['refused', 'Warning'],
    ['failed', 'Error'],
  ])('tells of a response that %s by a record of its own', async (outcome, severity) => {
    const traceUrl = 'https://jaeger.example/trace/4bf92f3577b34da6a3ce929d0e0e4736'
    expect(await record(aNotice({ report: aReport({ outcome }), traceUrl }))).toMatchObject({
      timestamp: '2026-01-31T12:00:00.200Z',
      'event.name': 'Shell in a container',
      severity,
      trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
      content: { response: { id: '7d0f4a2c9b1e', outcome }, trace_url: traceUrl },
    })
  })

  // "Log Management and Analytics default limits", Dynatrace: 10 MB and 50,000 records of a request
  it('keeps requests below 10 MB, and cuts what is too long in a content', async () => {
    const event = anEvent({ output_fields: { 'proc.cmdline': '規'.repeat(400_000), 'proc.name': 'sh' } })
    const notices = Array.from({ length: 40 }, () => aNotice({ event }))
    const { requests } = await sent(dynatrace, SERVER, notices)
    expect(requests.length).toBeGreaterThan(1)
    for (const { body } of requests) expect(Buffer.byteLength(body)).toBeLessThan(10_000_000)
    const records = requests.flatMap(({ body }) => recordsOf(body))
    expect(records).toHaveLength(40)
    for (const one of records)
      expect(one.content).toMatchObject({ truncated: true, output_fields: { 'proc.name': 'sh' } })
  })

  it('warns when Dynatrace took only a part, and tells nothing when it took all', async () => {
    const part = { status: 200, body: { details: { code: 200, message: '1 of 2 events were ingested' } } }
    const warned = await sent(dynatrace, SERVER, [aNotice(), aNotice()], part)
    expect(warned.error).toBeUndefined()
    expect(warned.io.lines).toMatchObject([
      { level: 'warn', fields: { answer: expect.stringContaining('1 of 2') as string } },
    ])
    expect((await sent(dynatrace, SERVER, [aNotice()], { status: 204 })).io.lines).toEqual([])
  })

  it('says which record was refused, when the others are taken one by one', async () => {
    const notices = ['a', 'b', 'c'].map((rule) => aNotice({ event: anEvent({ rule }) }))
    const { error } = await sent(dynatrace, SERVER, notices, ({ body }) => ({
      status: body.includes('"event.name":"c"') ? 400 : 204,
    }))
    expect(error).toMatchObject({ failed: [{ index: 2, permanent: true }] })
  })

  it.each([
    [{ apiUrl: SERVER.apiUrl }, /apiToken is required/],
    [{ apiToken: 'x' }, /apiUrl is required/],
  ])('refuses %j', (config, message) => {
    expect(() => dynatrace(config as never)).toThrow(message)
  })
})
