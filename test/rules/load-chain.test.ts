/** Groups, pauses, jumps, `onFailure`, `finally` and `deadline` in rules files. */
import { describe, expect, it } from 'vitest'
import { defineAction, defineOutput, z } from '../../src/plugin.ts'
import { loadConfig } from '../../src/config/index.ts'
import { createGateway } from '../../src/index.ts'
import { alert } from '../kit.ts'
import { brief, load, loadRulesText, memory, plugins, print } from '../config/_kit.ts'

const capture = defineAction({
  type: 'capture',
  summary: 'Makes a file.',
  changes: 'nothing',
  saves: 'always',
  config: z.strictObject({}),
  run: async () => ({ summary: 'captured' }),
})

const bucket = defineOutput({
  type: 'bucket',
  summary: 'Keeps files.',
  stores: true,
  config: z.strictObject({}),
  open: () => ({ send: async () => {}, store: async () => ({ url: 'bucket:' }) }),
})

const log = (more = ''): string => `{ action: log, with: { message: x }${more} }`
const rule = (keys: string): string => `- rule: A\n${keys.replaceAll(/^/gm, '  ')}\n`

const ruleOf = (keys: string) => {
  const loaded = loadRulesText(rule(keys))
  expect(print(loaded)).toBe('')
  return loaded.options?.rules[0]
}

const problemsOf = (keys: string): string[] => brief(loadRulesText(rule(keys)).problems)

describe('a chain in a file', () => {
  it('is what an embedding program gives', () => {
    expect(
      ruleOf(`steps:
  - parallel:
      - ${log(', id: a')}
      - ${log(', id: b, onError: continue')}
  - wait: 30s
    id: settle
    if: steps.a.outcome = succeeded
  - ${log(', id: c, onError: last, dryRun: true')}
  - ${log(', if: steps.settle.outcome = succeeded')}
  - ${log(', id: last')}
onFailure: [${log(', if: steps.last.outcome = failed')}]
finally: [{ wait: 1s }, ${log()}]
deadline: 5m`),
    ).toMatchObject({
      steps: [
        { parallel: [{ id: 'a' }, { id: 'b', onError: 'continue' }] },
        { wait: '30s', id: 'settle', if: 'steps.a.outcome = succeeded' },
        { id: 'c', onError: 'last', dryRun: true },
        { action: { id: 'log' } },
        { id: 'last' },
      ],
      onFailure: [{ if: 'steps.last.outcome = failed' }],
      finally: [{ wait: '1s' }, { action: { id: 'log' } }],
      deadline: 300_000,
    })
  })

  it('is one that the engine takes, and runs in its order', async () => {
    const made = ruleOf(`match: { rules: [Terminal shell in container] }
steps:
  - parallel: [${log()}, ${log()}]
  - wait: 5ms
  - ${log(", if: 'steps.log-2.outcome = succeeded and steps.wait.outcome = succeeded'")}
finally: [${log(', if: steps.log-3.outcome = succeeded')}]`)
    const gateway = createGateway({ rules: made ? [made] : [], mode: 'enforce' })
    const [report] = await (await gateway.emit(alert())).done
    await gateway.stop()
    expect(report?.steps.map(({ id, outcome }) => `${id} ${outcome}`)).toEqual([
      'log succeeded',
      'log-2 succeeded',
      'wait succeeded',
      'log-3 succeeded',
      'log-4 succeeded',
    ])
  })

  it.each(['onFailure', 'finally'])('%s is overridden as steps are', (key) => {
    const text = (how: string) =>
      `${rule(`steps: [${log()}]\n${key}: [${log(', id: one')}]`)}${rule(`${key}: [${log(', id: two')}]\noverride: { ${key}: ${how} }`)}`
    expect(loadRulesText(text('append')).options?.rules[0]).toMatchObject({ [key]: [{ id: 'one' }, { id: 'two' }] })
    expect(loadRulesText(text('replace')).options?.rules[0]).toMatchObject({ [key]: [{ id: 'two' }] })
    expect(brief(loadRulesText(text('remove')).problems)).toEqual([expect.stringContaining(`override.${key}`)])
  })

  it('has a deadline that can be replaced', () => {
    const text = `${rule(`steps: [${log()}]\ndeadline: 1m`)}${rule('deadline: 2m\noverride: { deadline: replace }')}`
    expect(loadRulesText(text).options?.rules[0]).toMatchObject({ deadline: 120_000 })
  })
})

describe('what is wrong with a chain', () => {
  it.each([
    [
      `steps: [${log(', id: a, onError: lst')}, ${log(', id: last')}]`,
      '2:64 rule "A": steps[0].onError: no later step of the list has the id lst; did you mean `last`?',
    ],
    [
      `steps: [${log(', id: a')}, ${log(', onError: a')}]`,
      '2:103 rule "A": steps[1].onError: no later step of the list has the id a; known are continue, stop',
    ],
    [
      `steps: [${log(', onError: end')}]\nfinally: [${log(', id: end')}]`,
      '2:57 rule "A": steps[0].onError: no later step of the list has the id end; known are continue, stop',
    ],
    [
      `steps: [{ parallel: [${log(', onError: b')}, ${log(', id: b')}] }]`,
      expect.stringContaining('steps[0].parallel[0].onError: no later step of the list has the id b'),
    ],
    [
      `steps: [${log(', id: a')}]\nonFailure: [${log(', id: b')}]\nfinally: [${log(', id: a')}]`,
      '4:54 rule "A": finally[0].id: steps[0] is named a too',
    ],
    [
      `steps: [{ wait: 1s }, ${log(', id: wait')}]`,
      expect.stringContaining('rule "A": steps[1].id: steps[0] is named wait too'),
    ],
    [
      `steps: [{ parallel: [${log(', id: a')}, ${log(', if: steps.a.outcome = failed')}] }]`,
      '2:111 rule "A": steps[0].parallel[1].if: steps.a: runs at the same time; only steps before the group have a result',
    ],
    [
      `steps: [{ parallel: [${log(', id: a')}, { action: log, with: { message: '{{ steps.a.summary }}' } }] }]`,
      expect.stringContaining('steps[0].parallel[1].with: steps.a: runs at the same time'),
    ],
    [
      `steps: [${log(', if: steps.later.outcome = failed')}]\nfinally: [${log(', id: later')}]`,
      expect.stringContaining('warning rule "A": steps[0].if: steps.later: no step before this one has that id'),
    ],
    [
      `steps: [{ parallel: [{ parallel: [${log()}] }] }]`,
      expect.stringContaining('steps[0].parallel[0].parallel: a group cannot stand in a group'),
    ],
    [
      `steps: [{ parallel: [${log()}, { wait: 5s }] }]`,
      expect.stringContaining('steps[0].parallel[1].wait: a pause cannot stand in a group'),
    ],
    [`steps: [{ parallel: [] }]`, '2:23 rule "A": steps[0].parallel: must list at least one step'],
    [`steps: [{ wait: soon }]`, /^2:19 rule "A": steps\[0\]\.wait: must be a duration/],
    [`steps: [{ wait: 5s, timeout: 3s }]`, '2:23 rule "A": steps[0].timeout is not a known setting beside wait'],
    [`steps: [{ wiat: 5s }]`, expect.stringContaining('wiat is not a known setting; did you mean `wait`?')],
    [
      `steps: [{ wait: 6m }, { wait: 4m }, ${log()}]`,
      '2:33 rule "A": steps[1].wait: the pauses take 600 s of a deadline of 600 s; set a longer `deadline`',
    ],
    [
      `steps: [{ wait: 6m }, ${log()}]\ndeadline: 5m`,
      '3:13 rule "A": deadline: the pauses take 360 s of a deadline of 300 s',
    ],
    [`steps: [${log()}]\ndeadline: 5`, '3:13 rule "A": deadline: must be a duration such as 500ms, 30s, 5m or 1h'],
    [`steps: [${log()}]\nfinaly: [${log()}]`, '3:3 rule "A": finaly is not a known setting; did you mean `finally`?'],
  ])('%s', (keys, message) => {
    const found = problemsOf(keys)
    expect(found).toContainEqual(message instanceof RegExp ? expect.stringMatching(message) : message)
  })

  it('a pause of `onFailure` takes nothing of the deadline', () => {
    expect(problemsOf(`steps: [${log()}]\nonFailure: [{ wait: 20m }]`)).toEqual([])
  })

  it('wherever the most destructive step stands, a rule for every event is warned of', () => {
    const label = '{ action: kubernetes:label, with: { labels: {} } }'
    expect(problemsOf(`steps: [${log()}]\nfinally: [{ parallel: [${label}] }]`)).toEqual([
      expect.stringContaining('so it acts on every event'),
    ])
  })
})

describe('a store', () => {
  const found = (step: string, outputs = 'bucket/evidence:, stdout:') => {
    const all = { ...plugins, actions: [...plugins.actions, capture], outputs: [...plugins.outputs, bucket] }
    const text = `version: 1\noutputs: { ${outputs} }\nrules: [r.yaml]\n`
    const files = memory({ 'r.yaml': rule(`steps: [${step}]`) })
    const loaded = loadConfig({ file: 'yarak.yaml', text, env: {}, plugins: all, files })
    return { store: loaded.options?.rules[0]?.steps[0], problems: brief(loaded.problems) }
  }

  it('is an output that keeps files', () => {
    const { store, problems } = found('{ action: capture, store: bucket/evidence }')
    expect(problems).toEqual([])
    expect(store).toMatchObject({ store: 'bucket/evidence' })
  })

  it.each([
    ['bucket/evidnce', 'bucket/evidnce is not a configured output; did you mean `bucket/evidence`?'],
    ['stdout', 'stdout keeps no files; known are bucket/evidence'],
  ])('%s is none', (store, why) => {
    expect(found(`{ action: capture, store: ${store} }`).problems).toEqual([`2:37 rule "A": steps[0].store: ${why}`])
  })

  it('must be named where files are always made', () => {
    expect(found('{ action: capture }').problems).toEqual([
      '2:21 rule "A": steps[0]: capture makes files: name a `store`, one of bucket/evidence',
    ])
    expect(found('{ action: capture }', 'stdout:').problems).toEqual([
      '2:21 rule "A": steps[0]: capture makes files: name a `store`, an output that keeps files',
    ])
  })
})

it('a rule inline in the configuration has all of it too, and its secrets are hidden', () => {
  const secret = '{ action: kubernetes:label, with: { labels: 3, token: not-shown } }'
  const { problems } = load(
    `version: 1\nrules:\n  - rule: A\n    match: { rules: [x] }\n    steps: [{ parallel: [${secret}] }]\n    finally: [${secret}]\n`,
  )
  expect(brief(problems)).toHaveLength(2)
  expect(JSON.stringify(problems)).not.toContain('not-shown')
})
