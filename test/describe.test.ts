import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { pluginSchema, redact, settingRows, settingsSchema } from '../src/describe.ts'
import { duration, secret, size, z } from '../src/plugin.ts'
import { slack } from './config/_kit.ts'

const schema = z.strictObject({
  url: z.url().describe('Where to.'),
  token: secret().optional().describe('A token.'),
  timeout: duration().prefault('30s').describe('A deadline.'),
  limit: size().default(1024).describe('A limit.'),
  headers: z.record(z.string(), secret()).default({}).describe('Headers.'),
  routes: z
    .array(z.strictObject({ to: z.enum(['a', 'b']).describe('Which.'), key: secret().describe('Its key.') }))
    .optional(),
  login: z.union([z.literal('none'), z.strictObject({ password: secret() })]).default('none'),
})

describe('settingsSchema', () => {
  it('is the JSON Schema of what users write', () => {
    expect(settingsSchema(schema)).toMatchObject({
      type: 'object',
      additionalProperties: false,
      required: ['url'],
      properties: {
        url: { type: 'string', format: 'uri', description: 'Where to.' },
        token: { type: 'string', writeOnly: true, description: 'A token.' },
        timeout: { type: 'string', default: '30s' },
        limit: { default: 1024 },
        headers: { type: 'object', additionalProperties: { writeOnly: true } },
      },
    })
  })

  it('leaves no word of ours in it', () => {
    expect(JSON.stringify(settingsSchema(schema))).not.toMatch(/"secret"|9007199254740991|\$schema|propertyNames/)
  })

  it('refuses settings that contain themselves, whose secrets could not be found', () => {
    interface Tree {
      inner?: Tree | undefined
    }
    const tree: z.ZodType<Tree> = z.lazy(() => z.strictObject({ inner: tree.optional() }))
    expect(() => settingsSchema(tree)).toThrow()
  })

  it('takes title and description from the declaration', () => {
    expect(pluginSchema(slack)).toMatchObject({ title: 'slack', description: 'A Slack channel.', type: 'object' })
  })

  it('accepts what the settings accept', () => {
    const check = z.fromJSONSchema(settingsSchema(schema) as Parameters<typeof z.fromJSONSchema>[0])
    const good = { url: 'https://a.example', timeout: '5m', limit: '1MiB', headers: { a: 'b' } }
    expect(schema.safeParse(good).success).toBe(true)
    expect(check.safeParse(good).success).toBe(true)
    for (const bad of [{}, { ...good, extra: 1 }, { ...good, timeout: '5x' }, { ...good, limit: 'much' }]) {
      expect(schema.safeParse(bad).success).toBe(false)
      expect(check.safeParse(bad).success).toBe(false)
    }
  })
})

describe('redact', () => {
  it('hides secrets wherever they stand', () => {
    const value = {
      url: 'https://user:pass@a.example/x',
      token: 't',
      headers: { authorization: 'h' },
      routes: [{ to: 'a', key: 'k' }],
      login: { password: 'p' },
    }
    expect(redact(schema, value)).toEqual({
      url: 'https://***@a.example/x',
      token: '***',
      headers: { authorization: '***' },
      routes: [{ to: 'a', key: '***' }],
      login: { password: '***' },
    })
    expect(value.token).toBe('t')
  })

  it('shows that a secret is not set', () => {
    expect(redact(schema, { url: 'x', token: '' })).toEqual({ url: 'x', token: '' })
    expect(redact(schema, { url: 'x', token: undefined })).toEqual({ url: 'x', token: undefined })
  })

  it('never lets a secret through, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (name, value) => {
        const marked = `\u0001${value}\u0001`
        const shown = JSON.stringify(
          redact(schema, { token: marked, headers: { [name]: marked }, login: { password: marked } }),
        )
        expect(shown).not.toContain(JSON.stringify(marked).slice(1, -1))
      }),
    )
  })
})

describe('settingRows', () => {
  it('lists every setting in words', () => {
    const rows = settingRows(settingsSchema(schema)).map(
      ({ name, type, default: fallback, required, secret: hidden }) =>
        [name, type, fallback ?? '-', required ? 'required' : '', hidden ? 'secret' : ''].join(' | '),
    )
    expect(rows).toEqual([
      'url | URL | - | required | ',
      'token | text | - |  | secret',
      'timeout | duration | "30s" |  | ',
      'limit | whole number or size | 1024 |  | ',
      'headers | map of text | {} |  | ',
      'routes | list of map | - |  | ',
      'routes[].to | a | b | - | required | ',
      'routes[].key | text | - | required | secret',
      'login | "none" or map | "none" |  | ',
      'login.password | text | - | required | secret',
    ])
  })
})
