import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { defineAction, defineOutput, z } from '../src/plugin.ts'
import { checkSettings, duration, isTemplate, parseDuration, secret, size } from '../src/settings.ts'

const schema = z.strictObject({
  name: z.string().optional(),
  count: z.int().min(1).optional(),
  mode: z.enum(['observe', 'enforce']).optional(),
  only: z.literal('this').optional(),
  flag: z.boolean().optional(),
  list: z.array(z.string()).min(2).optional(),
  labels: z.record(z.string().regex(/^[a-z]+$/, 'must be lower case'), z.string()).optional(),
  timeout: duration().prefault('30s'),
  limit: size().optional(),
  token: secret().optional(),
  auth: z.union([z.strictObject({ user: z.string() }), z.strictObject({ port: z.int() })]).optional(),
  url: z.string().startsWith('https:', 'must begin with https:').optional(),
})

const problems = (value: unknown, options = {}) => checkSettings(schema, value, options).map(({ message }) => message)

describe('a duration', () => {
  it.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['1d', 86_400_000],
    ['1.5s', 1_500],
    ['0s', 0],
  ])('%s is %i ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
    expect(duration().parse(text)).toBe(ms)
  })

  it.each(['', '5', 's', '-5s', '5 s', '1w', '5S', '1h30m', '.5s', 'PT5S'])('%j is none', (text) => {
    expect(parseDuration(text)).toBeUndefined()
    expect(problems({ timeout: text })).toEqual(['timeout: must be a duration such as 500ms, 30s, 5m or 1h'])
  })

  it('is a text', () => {
    expect(problems({ timeout: 5 })).toEqual(['timeout: must be a duration such as 500ms, 30s, 5m or 1h'])
    expect(schema.parse({}).timeout).toBe(30_000)
  })
})

describe('a size', () => {
  it.each([
    [0, 0],
    [512, 512],
    ['512', 512],
    ['512B', 512],
    ['64KiB', 65_536],
    ['10 MiB', 10_485_760],
    ['1GiB', 1_073_741_824],
  ])('%s is %i bytes', (value, bytes) => {
    expect(size().parse(value)).toBe(bytes)
  })

  it.each(['10MB', 'x', '-1', '1.5KiB'])('%j is none', (limit) => {
    expect(problems({ limit })).toEqual(['limit: must be a size such as 512B, 64KiB or 10MiB'])
  })
})

describe('a secret', () => {
  it('is marked, and not empty', () => {
    expect(secret().meta()).toEqual({ secret: true })
    expect(problems({ token: '' })).toEqual(['token: must not be empty'])
  })
})

describe('a template', () => {
  it.each(['{{ x }}', 'a {% if x %}', '{{'])('%s is one', (text) => {
    expect(isTemplate(text)).toBe(true)
  })

  it.each(['text', '{ x }', '', 5, null, ['{{ x }}']])('%s is none', (value) => {
    expect(isTemplate(value)).toBe(false)
  })
})

describe('what is wrong with settings', () => {
  it.each<[unknown, string]>([
    [{ nmae: 'x' }, 'nmae is not a known setting'],
    [{ auth: { user: 1 } }, 'auth.user must be a string, not a number'],
    [{ auth: { port: 'x' } }, 'auth.port must be a number, not a string'],
    [{ auth: 1 }, 'auth must be a map, not a number'],
    [{ name: 5 }, 'name must be a string, not a number'],
    [{ name: null }, 'name must be a string, not null'],
    [{ name: ['x'] }, 'name must be a string, not a list'],
    [{ name: {} }, 'name must be a string, not a map'],
    [{ flag: 'yes' }, 'flag must be a boolean, not a string'],
    [{ count: '5' }, 'count must be a number, not a string'],
    [{ count: 1.5 }, 'count must be a whole number, not 1.5'],
    [{ count: 0 }, 'count: too small: expected number to be >=1'],
    [{ mode: 'act' }, 'mode must be one of observe, enforce'],
    [{ only: 'that' }, 'only must be this'],
    [{ list: 'x' }, 'list must be a list, not a string'],
    [{ list: ['x', 2] }, 'list[1] must be a string, not a number'],
    [{ list: ['x'] }, 'list: too small: expected array to have >=2 items'],
    [{ labels: ['x'] }, 'labels must be a map, not a list'],
    [{ labels: { a: 1 } }, 'labels.a must be a string, not a number'],
    [{ labels: { A: 'x' } }, 'labels.A: must be lower case'],
    [{ url: 'http:' }, 'url: must begin with https:'],
    ['x', 'the value must be a map, not a string'],
    [null, 'the value must be a map, not null'],
    [[], 'the value must be a map, not a list'],
  ])('%j: %s', (value, message) => {
    expect(problems(value)).toEqual([message])
  })

  it('is a required setting that is missing', () => {
    const needy = z.strictObject({ a: z.string(), b: z.enum(['x']), c: size(), d: z.strictObject({ e: z.int() }) })
    expect(checkSettings(needy, { d: {} })).toEqual([
      { path: ['a'], message: 'a is required' },
      { path: ['b'], message: 'b is required' },
      { path: ['c'], message: 'c is required' },
      { path: ['d', 'e'], message: 'd.e is required' },
    ])
  })

  it('is told with its place, all at once', () => {
    expect(checkSettings(schema, { name: 1, list: ['a', 1], x: 1, y: 2 })).toEqual([
      { path: ['name'], message: 'name must be a string, not a number' },
      { path: ['list', 1], message: 'list[1] must be a string, not a number' },
      { path: ['x'], message: 'x is not a known setting' },
      { path: ['y'], message: 'y is not a known setting' },
    ])
  })

  it('is nothing, when they are right', () => {
    expect(problems({ name: 'x', count: 1, auth: { port: 1 }, labels: { a: 'b' }, limit: 5 })).toEqual([])
  })
})

describe('settings with templates', () => {
  it.each<[string, unknown]>([
    ['a text', { name: '{{ rule }}' }],
    ['a number', { count: '{{ user.uid }}' }],
    ['one of several', { mode: '{% if x %}observe{% endif %}' }],
    ['a text of a form', { url: '{{ x }}' }],
    ['a duration', { timeout: '{{ x }}' }],
    ['a list', { list: '{{ tags }}' }],
    ['an element', { list: ['{{ rule }}', 'x'] }],
    ['a map', { labels: '{{ map }}' }],
    ['a value of a map', { labels: { a: '{{ rule }}' } }],
    ['a union', { limit: '{{ x }}' }],
    ['a part of a union', { auth: { port: '{{ x }}' } }],
  ])('may have one in place of %s', (_what, value) => {
    expect(problems(value, { templates: true })).toEqual([])
  })

  it.each<[string, unknown, string]>([
    ['the name of a setting', { nmae: '{{ rule }}' }, 'nmae is not a known setting'],
    ['the name of a map', { lables: { a: '{{ rule }}' } }, 'lables is not a known setting'],
    ['the form of a setting', { labels: ['{{ rule }}'] }, 'labels must be a map, not a list'],
    ['a key', { labels: { A: '{{ rule }}' } }, 'labels.A: must be lower case'],
    ['a length', { list: ['{{ rule }}'] }, 'list: too small: expected array to have >=2 items'],
    ['another setting', { name: '{{ rule }}', count: 0 }, 'count: too small: expected number to be >=1'],
    ['all of it', '{{ rule }}', 'the value must be a map, not a string'],
  ])('are still checked for %s', (_what, value, message) => {
    expect(problems(value, { templates: true })).toEqual([message])
  })

  it('hide nothing else that is wrong', () => {
    const value = fc.dictionary(fc.constantFrom('name', 'count', 'nmae', 'x'), fc.constantFrom('{{ x }}', 5, null, 'x'))
    fc.assert(
      fc.property(value, (one) => {
        const all = checkSettings(schema, one)
        const left = checkSettings(schema, one, { templates: true })
        const known = ['name', 'count']
        const excused = all.filter(({ path }) => isTemplate(one[String(path[0])]) && known.includes(String(path[0])))
        expect(left).toEqual(all.filter((problem) => !excused.includes(problem)))
      }),
    )
  })
})

describe('a declaration', () => {
  const spec = { type: 'probe', summary: 'Does nothing.', config: schema }
  const output = defineOutput({ ...spec, open: () => ({ send: async () => {} }) })
  const action = defineAction({ ...spec, changes: 'nothing', run: async () => ({ summary: '' }) })

  it('called like a function gives checked settings, with their defaults', () => {
    expect(output({ limit: '1KiB' }, 'a-1')).toEqual({
      id: 'probe/a-1',
      plugin: output,
      config: { limit: 1_024, timeout: 30_000 },
    })
    expect(output({}).id).toBe('probe')
  })

  it('of an action keeps its templates', () => {
    expect(action({ name: '{{ rule }}', count: '{{ user.uid }}' }).config).toEqual({
      name: '{{ rule }}',
      count: '{{ user.uid }}',
    })
  })

  it.each<[string, () => unknown, string]>([
    ['a label', () => output({}, 'A b'), 'probe/A b: a label is of a-z, 0-9 and -'],
    ['settings', () => output({ name: 5 } as never, 'x'), 'probe/x: name must be a string, not a number'],
    ['a template', () => output({ count: '{{ x }}' } as never), 'probe: count must be a number, not a string'],
    ['an unknown setting', () => action({ nmae: '{{ x }}' } as never), 'probe: nmae is not a known setting'],
  ])('refuses %s that is wrong', (_what, make, message) => {
    expect(make).toThrow(expect.objectContaining({ code: 'config', message }))
  })

  it('is frozen', () => {
    expect(Object.isFrozen(output)).toBe(true)
  })
})
