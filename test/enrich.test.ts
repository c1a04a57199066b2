import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createEnrich, type EnrichSettings, enrichSettings } from '../src/enrich.ts'
import { type FalcoEvent, parseEvent, toJson } from '../src/event.ts'
import { createGateway } from '../src/index.ts'
import { alert, sink } from './kit.ts'

const NANOS = '1706702400123456789'

const event = (members: object = {}): FalcoEvent =>
  parseEvent(
    JSON.stringify({
      rule: 'Terminal shell',
      priority: 'Warning',
      time: '2026-01-31T12:00:00.123456789Z',
      output: '12:00:00.123456789: Warning A shell (user=root)',
      tags: ['shell', 'container'],
      output_fields: { 'user.name': 'root', 'proc.aname[2]': 'sh', 'evt.time': '@' },
      ...members,
    }).replace('"@"', NANOS),
    { id: 'e1', input: 'http', authenticated: 'hmac', cluster: 'prod' },
  )

const enrich = (settings: Partial<EnrichSettings>, given = event(), failed: string[] = []): FalcoEvent =>
  createEnrich(settings, (field) => failed.push(field))(given)

describe('enrichment of events', () => {
  it('adds fields and tags; digits, and what is known of the sender, stay', () => {
    const made = enrich({ fields: { 'user.name': 'x', env: 'prod' }, tags: ['a'] })
    expect(made.fields).toEqual({ 'user.name': 'x', 'proc.aname[2]': 'sh', 'evt.time': BigInt(NANOS), env: 'prod' })
    expect(made.tags).toEqual(['shell', 'container', 'a'])
    expect(made).toMatchObject({ id: 'e1', input: 'http', authenticated: 'hmac', cluster: 'prod' })
    expect(toJson(made)).toContain(`"evt.time":${NANOS}`)
    expect(enrich({ tags: ['a'], sortTags: true }).tags).toEqual(['a', 'container', 'shell'])
  })

  it('gives fields to an event that has none', () => {
    const bare = parseEvent(
      { rule: 'r', priority: 'info', time: '2026-01-31T12:00:00Z', output: 'o' },
      { id: '1', input: 'i' },
    )
    expect(enrich({ fields: { env: 'prod' } }, bare).fields).toEqual({ env: 'prod' })
  })

  it('renders templates, which see the added fields', () => {
    const made = enrich({
      fields: { env: 'prod' },
      templatedFields: {
        who: '{{ user.name }}@{{ env }}',
        none: '{{ k8s.pod.name }}',
        rule: '{{ rule | upcase }}',
        all: '{{ tags }}',
      },
    })
    expect(made.fields).toMatchObject({
      who: 'root@prod',
      none: '',
      rule: 'TERMINAL SHELL',
      all: '["shell","container"]',
    })
  })

  it('leaves out a field whose template fails, tells it, and goes on', () => {
    const failed: string[] = []
    const slow = '{% for a in (1..99999999) %}{{ a }}{% endfor %}'
    const made = enrich({ templatedFields: { bad: slow, good: 'g' } }, event(), failed)
    expect(failed).toEqual(['bad'])
    expect(made.fields).not.toHaveProperty('bad')
    expect(made.fields).toHaveProperty('good', 'g')
  })

  it('replaces brackets in names of fields', () => {
    expect(Object.keys(enrich({ bracketReplacer: '_' }).fields)).toContain('proc.aname_2')
    expect(Object.keys(enrich({ bracketReplacer: '$&' }).fields)).toContain('proc.aname$&2')
  })

  it.each([
    ['<timestamp>: <priority> <output>', '12:00:00.123456789: Warning A shell (user=root)'],
    ['<priority> <tags> <custom_fields> <templated_fields>', 'Warning shell,container env=prod who=root'],
    ['<output> (<unknown>)', 'A shell (user=root) (<unknown>)'],
  ])('writes the output as %s', (outputFormat, output) => {
    const settings = { fields: { env: 'prod' }, templatedFields: { who: '{{ user.name }}' }, outputFormat }
    expect(enrich(settings).output).toBe(output)
  })

  it('takes what is left of an empty list away', () => {
    const none = event({ tags: [] })
    expect(enrich({ outputFormat: '<output> (<tags>)' }, none).output).toBe('A shell (user=root)')
    expect(enrich({ outputFormat: '<output> (<custom_fields> <templated_fields>)' }, none).output).toBe(
      'A shell (user=root)',
    )
  })

  it.each(['A shell', '12:00:00: Warning text', '12:00:00.1: Odd text', '12:00:00.1: Warning'])(
    'leaves an output alone that does not begin as those of Falco: %s',
    (output) => expect(enrich({ outputFormat: '<output>' }, event({ output })).output).toBe(output),
  )

  it('gives the very event where nothing changes', () => {
    const plain = event({ output: 'text', output_fields: { a: 1 }, tags: ['a', 'b'] })
    for (const settings of [{}, { bracketReplacer: '_' }, { outputFormat: '<output>' }, { sortTags: true }])
      expect(enrich(settings, plain)).toBe(plain)
  })

  it('keeps all that it does not set', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.bigInt(), fc.boolean())),
        (fields) => {
          const given = parseEvent({ ...event().toJSON(), output_fields: fields }, { id: '1', input: 'i' })
          const { output_fields: made, ...rest } = enrich({ fields: { added: 'x' } }, given).toJSON()
          const { output_fields: before, ...others } = given.toJSON()
          expect(rest).toEqual(others)
          expect(made).toEqual({ ...(before as object), added: 'x' })
        },
      ),
      { numRuns: 100 },
    )
  })

  it('refuses settings that are none', () => {
    expect(enrichSettings.safeParse({ templatedFields: { a: '{{ broken' } }).error?.issues[0]?.path).toEqual([
      'templatedFields',
      'a',
    ])
    expect(enrichSettings.safeParse({ customFields: {} }).success).toBe(false)
  })
})

describe('a gateway with enrichment', () => {
  it('tells outputs of enriched events, and takes up changes with a reload', async () => {
    const { use, told } = sink()
    const options = { outputs: [use], enrich: { fields: { env: 'prod' }, templatedFields: { bad: BAD } } }
    const gateway = createGateway(options)
    await gateway.start()
    await (
      await gateway.emit(alert())
    ).done
    expect(told[0]?.event.field('env')).toBe('prod')
    expect(await (await gateway.ops.request('/metrics')).text()).toContain('yarak_enrich_failures_total{field="bad"} 1')
    const changes = await gateway.reload(() => ({ ...options, enrich: { fields: { env: 'test' } } }))
    expect(changes).toMatchObject([{ what: 'enrich', change: 'changed' }])
    await (
      await gateway.emit(alert())
    ).done
    expect(told[1]?.event.field('env')).toBe('test')
    await gateway.stop()
  })
})

const BAD = '{% for a in (1..99999999) %}{{ a }}{% endfor %}'
