import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { defineAction, defineHttpOutput, defineInput, defineOutput, secret, z } from '../../src/plugin.ts'
import { actionCases, type aNotice, type Case, inputCases, outputCases, testStep } from '../../src/testing.ts'

/** The names of the cases that do not hold. */
const failing = async (cases: readonly Case[]): Promise<string[]> => {
  const results = await Promise.allSettled(cases.map(({ run }) => run()))
  return cases.flatMap(({ name }, i) => (results[i]?.status === 'rejected' ? [name] : []))
}

const SETTINGS = {
  strict: 'takes a map of settings and refuses an unknown one at every level',
  described: 'describes every setting',
  secrets: 'marks its secrets',
}

const base = {
  type: 'pager',
  summary: 'Pages whoever is on duty.',
  config: z.strictObject({ url: z.url().meta({ secret: true }).describe('Where.') }),
  example: { config: { url: 'https://pager.example.com/0123456789' } },
}
const sends = { url: 'https://pager.example.com/0123456789', body: { rule: 'Terminal shell in container' } }
const good = {
  ...base,
  example: { ...base.example, sends },
  request: ({ event }: ReturnType<typeof aNotice>, { url }: { url: string }) => ({ url, body: { rule: event.rule } }),
}

describe('outputCases', () => {
  it('hold for a good output', async () => {
    expect(await failing(outputCases(defineHttpOutput(good)))).toEqual([])
  })

  it.each([
    ['a type', { type: 'Pager!' }, 'has a well-formed type'],
    ['a summary without a full stop', { summary: 'Pages someone' }, 'has a summary of one sentence'],
    ['a summary of two sentences', { summary: 'Pages. Also rings.' }, 'has a summary of one sentence'],
  ])('find %s', async (_what, members, name) => {
    expect(await failing(outputCases(defineHttpOutput({ ...good, ...members })))).toEqual([name])
  })

  it.each([
    ['a loose map', z.object({ url: z.url().describe('Where.') }), [SETTINGS.strict]],
    [
      'a loose map inside',
      z.strictObject({ a: z.array(z.object({ b: z.int().describe('B.') })).describe('A.') }),
      [SETTINGS.strict],
    ],
    [
      'a setting without a description',
      z.strictObject({ a: z.strictObject({ b: z.int() }).describe('A.') }),
      [SETTINGS.described],
    ],
    ['an open secret', z.strictObject({ apiKey: z.string().describe('Key.') }), [SETTINGS.secrets]],
    [
      'an open optional secret',
      z.strictObject({ a: z.strictObject({ dbPassword: z.string().optional().describe('P.') }).describe('A.') }),
      [SETTINGS.secrets],
    ],
    ['open headers', z.strictObject({ headers: z.record(z.string(), z.string()).describe('H.') }), [SETTINGS.secrets]],
  ])('find %s', async (_what, config, names) => {
    const output = defineOutput({
      ...base,
      config: config as z.ZodType,
      open: () => ({ send: async () => {} }),
      example: undefined,
    })
    expect(await failing(outputCases(output))).toEqual(names)
  })

  it('take files, numbers and marked texts for no open secret', async () => {
    const config = z.strictObject({
      tokenFile: z.string().describe('A path.'),
      maxToken: z.int().describe('A number.'),
      token: secret().optional().describe('Marked.'),
      tokens: z.array(secret()).describe('Marked.'),
      headers: z.record(z.string(), secret()).default({}).describe('Marked.'),
    })
    const output = defineOutput({
      type: 'pager',
      summary: base.summary,
      config,
      open: () => ({ send: async () => {} }),
    })
    expect(await failing(outputCases(output))).toEqual([])
  })

  it('find an example that does not hold', async () => {
    const other = { ...good, example: { ...good.example, sends: { ...sends, body: { rule: 'Another' } } } }
    expect(await failing(outputCases(defineHttpOutput(other)))).toEqual(['sends what its example says'])
    const wrong = { ...base, example: { config: { url: 7 as never } }, open: () => ({ send: async () => {} }) }
    expect(await failing(outputCases(defineOutput(wrong)))).toEqual(['has an example with valid settings'])
  })

  it('find an output that swallows errors and ignores the signal', async () => {
    const deaf = defineOutput({
      ...base,
      example: good.example,
      open: ({ url }, io) => ({
        async send([notice]) {
          await io.http({ url, body: { rule: notice?.event.rule } }).catch(() => {})
        },
      }),
    })
    const { length } = await failing(outputCases(deaf).filter(({ name }) => !/on the way/.test(name)))
    expect(length).toBe(6)
  })

  it('find an output that lets the event choose the server, loses digits or tells a secret', async () => {
    const bad = defineHttpOutput({
      ...good,
      request: ({ event }, { url }) => {
        if (event.rule.startsWith('..')) return { url: 'https://evil.example' }
        return { url, template: url, body: { rule: event.rule, time: Number(event.fields['evt.time'] ?? 0) } }
      },
      example: base.example,
    })
    const names = await failing(outputCases({ ...bad, example: { ...base.example, sends } }))
    expect(names).toEqual([
      'sends what its example says',
      'takes an event with integers of 19 digits',
      'sends to the same servers whatever the event says',
      'tells no secret in errors and spans',
    ])
  })

  it('find an output that chokes on an odd event', async () => {
    const picky = {
      ...good,
      request: ({ event }: ReturnType<typeof aNotice>, { url }: { url: string }) => {
        if (!event.hostname) throw new Error('no hostname')
        return { url, body: { rule: event.rule } }
      },
    }
    const names = await failing(outputCases(defineHttpOutput(picky)))
    expect(names).toContain('takes an event with only what Falco always sends')
  })

  it('run one that does not speak HTTP only when they are told with what', async () => {
    const sent: number[] = []
    const output = defineOutput({
      ...base,
      batch: 3,
      open: () => ({ send: async (all) => void sent.push(all.length) }),
    })
    expect(await failing(outputCases(output))).toEqual([])
    expect(sent).toEqual([])
    const names = await failing(outputCases(output, { config: { url: 'https://x.example' } }))
    expect(names).toEqual(['rejects when the signal is aborted already'])
    expect(sent).toContain(3)
  })
})

const action = {
  type: 'demo:act',
  summary: 'Acts on something.',
  config: z.strictObject({ level: z.enum(['pod', 'node']).describe('What.') }),
  changes: 'reversible' as const,
  example: { level: 'pod' as const },
  run: async () => ({ summary: 'done' }),
}

describe('actionCases', () => {
  it('hold for a good action', async () => {
    const permissions = [{ apiGroups: ['', 'apps'], resources: ['pods', 'pods/eviction'], verbs: ['get', 'create'] }]
    expect(await failing(actionCases(defineAction({ ...action, permissions })))).toEqual([])
    const byLevel = defineAction({
      ...action,
      changes: ({ level }) => (level === 'pod' ? 'reversible' : 'nothing'),
      permissions: () => permissions,
    })
    expect(await failing(actionCases(byLevel))).toEqual([])
    const templated = defineAction({
      ...action,
      example: { level: '{{ context.level }}' as never },
      permissions: ({ level }) => (level ? permissions : []),
    })
    expect(await failing(actionCases(templated))).toEqual([])
  })

  it.each([
    ['an unknown change', { changes: 'much' as never }, 'says what it changes'],
    [
      'no verbs',
      { permissions: [{ apiGroups: [''], resources: ['pods'], verbs: [] }] },
      'needs well-formed permissions',
    ],
    [
      'every verb',
      { permissions: [{ apiGroups: [''], resources: ['pods'], verbs: ['*'] }] },
      'needs well-formed permissions',
    ],
    [
      'a kind for a resource',
      { permissions: [{ apiGroups: [''], resources: ['Pod'], verbs: ['get'] }] },
      'needs well-formed permissions',
    ],
    ['an invalid example', { example: { level: 'cluster' as never } }, 'has an example with valid settings'],
    ['a type', { type: 'demo:act:twice' }, 'has a well-formed type'],
  ])('find %s', async (_what, members, name) => {
    expect(await failing(actionCases(defineAction({ ...action, ...members })))).toEqual([name])
  })

  it('find a dry run that changes something', async () => {
    const request = (query: string) =>
      defineAction({
        ...action,
        dryRun: true,
        run: async (_params, step) => {
          await step.http({ method: 'GET', url: 'https://api.example' }, step.signal)
          await step.http({ method: 'PATCH', url: `https://api.example${query}` }, step.signal)
          return { summary: 'done' }
        },
      })
    const step = testStep
    expect(await failing(actionCases(request('?dryRun=All'), { step }))).toEqual([])
    expect(await failing(actionCases(request(''), { step }))).toEqual(['changes nothing in a dry run'])
    expect(await failing(actionCases(request('')))).toEqual([])
  })
})

describe('inputCases', () => {
  const input = {
    type: 'demo',
    summary: 'Brings events from somewhere.',
    config: z.strictObject({}),
    replayable: false,
  }
  const untilAborted = (signal: AbortSignal) =>
    new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))

  it('hold for good inputs', async () => {
    expect(await failing(inputCases(defineInput({ ...input, routes: () => new Hono() })))).toEqual([])
    const pull = defineInput({ ...input, run: (_config, io) => untilAborted(io.signal) })
    expect(await failing(inputCases(pull, { config: {} }))).toEqual([])
  })

  it('find an input that brings nothing, and one that does not say whether it is replayable', async () => {
    expect(await failing(inputCases(defineInput(input)))).toEqual(['has routes or a run'])
    const vague = { ...input, replayable: undefined as never, routes: () => new Hono() }
    expect(await failing(inputCases(defineInput(vague)))).toEqual(['says whether its source redelivers'])
  })

  it('find an input that fails when the gateway stops', async () => {
    const run = async (_config: unknown, io: { signal: AbortSignal }) => {
      await untilAborted(io.signal)
      throw new Error('aborted')
    }
    expect(await failing(inputCases(defineInput({ ...input, run }), { config: {} }))).toEqual([
      'ends when the gateway stops',
    ])
  })
})
