/** The schema of the chart's values is of a draft that every Helm knows, and says what the declarations say. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { describe, expect, it } from 'vitest'
import { builtin } from '../../src/builtin.ts'
import { chartFiles, valuesSchema } from '../../src/config/chart.ts'
import { chartValues } from '../../src/config/chart-values.ts'
import type { JsonSchema } from '../../src/describe.ts'
import { VERSION } from '../../src/version.ts'
import { CHART, ROOT } from '../charts/_chart.ts'

const read = (name: string): string => readFileSync(join(CHART, name), 'utf8')
const values = parse(read('values.yaml')) as Record<string, unknown>
const schema = valuesSchema(builtin)
const config = schema.properties?.['config']

/** Every keyword of a schema, with its value. */
function* keywords(of: unknown, isMap = false): Generator<[string, unknown]> {
  if (typeof of !== 'object' || of === null) return
  for (const [key, value] of Object.entries(of)) {
    if (!isMap && !Array.isArray(of)) yield [key, value]
    if (isMap || !['enum', 'const', 'required'].includes(key))
      yield* keywords(value, !isMap && ['properties', 'patternProperties'].includes(key))
  }
}

const all = [...keywords(schema)]

describe('the schema of the values', () => {
  it('is draft-07, with no keyword that came later', () => {
    expect(schema['$schema']).toBe('http://json-schema.org/draft-07/schema#')
    const later = [
      '$defs',
      '$ref',
      'prefixItems',
      'unevaluatedProperties',
      'dependentRequired',
      'dependentSchemas',
      '$dynamicRef',
    ]
    const used = new Set(all.map(([key]) => key))
    expect(later.filter((key) => used.has(key))).toEqual([])
  })

  it('has only patterns that RE2 knows', () => {
    const patterns = all.flatMap(([key, value]) =>
      key === 'pattern' ? [String(value)] : key === 'patternProperties' ? Object.keys(value as object) : [],
    )
    expect(patterns.length).toBeGreaterThan(20)
    expect(patterns.filter((one) => /\(\?[=!<]|\\[1-9]/.test(one))).toEqual([])
  })

  it('knows each value and no other, and needs none of them', () => {
    expect(Object.keys(schema.properties ?? {}).sort()).toEqual([...Object.keys(values), 'global'].sort())
    expect(schema.additionalProperties).toBe(false)
    expect(schema.required).toBeUndefined()
    expect(schema.properties?.['rbac']?.required).toBeUndefined()
  })

  it('knows the sections of a configuration, and every plugin', () => {
    expect(config?.additionalProperties).toBe(false)
    const patterns = (config?.properties?.['outputs'] as { patternProperties: Record<string, JsonSchema> })
      .patternProperties
    expect(Object.keys(patterns)).toHaveLength(builtin.outputs.length)
    const slack = Object.entries(patterns).find(([pattern]) => new RegExp(pattern).test('slack/secops'))?.[1]
    expect(slack).toMatchObject({ additionalProperties: false })
    expect(Object.keys(slack?.properties ?? {})).toEqual(expect.arrayContaining(['webhookUrl', 'minimumPriority']))
    expect(config?.required).toBeUndefined()
  })

  it('is small enough for a release, which Helm keeps in a Secret', () => {
    const files = chartFiles(builtin)
    expect(JSON.stringify(files).length).toBeLessThan(600_000)
    expect(Object.keys(files)).toEqual(['charts/yarak/files/rights.json', 'charts/yarak/values.schema.json'])
  })

  it('tells the rules files that come along', () => {
    const rights = JSON.parse(chartFiles(builtin)['charts/yarak/files/rights.json'] ?? '') as { builtin: object }
    const shipped = readdirSync(join(ROOT, 'config/rules')).flatMap((file) => /^([a-z-]+)\.yaml$/.exec(file)?.[1] ?? [])
    const names = shipped.filter((name) => name !== 'demo').sort()
    expect(Object.keys(rights.builtin)).toEqual(names)
    for (const name of names) expect(chartValues.shape.rules.shape.builtin.safeParse([name]).success).toBe(true)
  })
})

describe('the chart', () => {
  it('has defaults that it takes, in a short file', () => {
    expect(chartValues.safeParse(values).error).toBeUndefined()
    expect(read('values.yaml').split('\n').length).toBeLessThan(260)
  })

  it.each(readdirSync(join(CHART, 'ci')))('takes %s', (name) => {
    const given = parse(read(join('ci', name))) as Record<string, Record<string, unknown>>
    const merged = Object.entries({ ...values, ...given }).map(([key, value]) => [key, merge(values[key], value)])
    expect(chartValues.safeParse(Object.fromEntries(merged)).error).toBeUndefined()
  })

  it('is of the version of the program', () => {
    expect(parse(read('Chart.yaml'))).toMatchObject({ appVersion: VERSION })
  })

  it('tells of every value in its README', () => {
    const readme = read('README.md').split('## Values')[1] ?? ''
    const missing = Object.keys(values).filter((key) => !new RegExp(`^\\| \`${key}[\`.]`, 'm').test(readme))
    expect(missing).toEqual([])
    const named = [...readme.matchAll(/^\| `([\w.]+)`/gm)].map(([, name = '']) => name.split('.'))
    const unknown = named.filter((path) => path.reduce<unknown>(member, values) === undefined)
    expect(unknown).toEqual([])
  })
})

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const member = (of: unknown, key: string): unknown => (isMap(of) ? of[key] : undefined)

/** As Helm merges values. */
const merge = (base: unknown, over: unknown): unknown =>
  isMap(base) && isMap(over)
    ? { ...base, ...Object.fromEntries(Object.entries(over).map(([key, value]) => [key, merge(base[key], value)])) }
    : over
