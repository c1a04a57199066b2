import { describe, expect, it } from 'vitest'
import { createGateway } from '../src/index.ts'
import { alert, probe, sink, source } from './kit.ts'

describe('options', () => {
  const step = probe(() => 'ok')({})
  it.each([
    ['two inputs of one id', { inputs: [source([])({}), source([])({})] }, /two inputs are called items/],
    [
      'two rules of one name',
      {
        rules: [
          { name: 'r', steps: [] },
          { name: 'r', steps: [] },
        ],
      },
      /two rules are called r/,
    ],
    ['two outputs of one id', { outputs: [sink().use, sink().use] }, /two outputs are called sink/],
    [
      'two steps of one id',
      {
        rules: [
          {
            name: 'r',
            steps: [
              { action: step, id: 'a' },
              { action: step, id: 'a' },
            ],
          },
        ],
      },
      /two steps have the id a/,
    ],
    [
      'an output that nobody has',
      { rules: [{ name: 'r', steps: [], notify: ['slack'] }] },
      /notify names no output slack/,
    ],
    ['a filter that cannot be read', { outputs: [{ output: sink().use, condition: 'a ==' }] }, /expected a value/],
    [
      'an output setting of a wrong kind',
      { outputs: [{ output: sink().use, concurrency: 0 }] },
      /output sink: concurrency/,
    ],
    [
      'steps in a condition',
      { rules: [{ name: 'r', condition: 'steps.a.outcome = failed', steps: [] }] },
      /only known in a step's if/,
    ],
    ['an `if` that cannot be read', { rules: [{ name: 'r', steps: [{ action: step, if: '(' }] }] }, /expected a field/],
    ['a cluster without a name', { cluster: '' }, /^cluster: /],
    [
      'a cluster without a name, but with a field',
      { cluster: { field: 'site' } as never },
      /cluster: name is required/,
    ],
    ['a guard of a wrong kind', { guards: { replicas: 0 } }, /guards: replicas/],
    ['a bad timeout', { rules: [{ name: 'r', steps: [{ action: step, timeout: 'soon' }] }] }, /must be a duration/],
  ])('refuse %s', (_what, options, message) => {
    expect(() => createGateway(options)).toThrow(message)
  })

  it('a rule may tighten enforce to observe, never loosen', async () => {
    const changing = probe(() => 'done', { type: 'test:change', changes: 'reversible' })({})
    for (const [mode, own, expected] of [
      ['enforce', undefined, 'enforce'],
      ['enforce', 'observe', 'observe'],
      ['observe', undefined, 'observe'],
    ] as const) {
      const gateway = createGateway({ mode, rules: [{ name: 'r', ...(own && { mode: own }), steps: [changing] }] })
      const [report] = await (await gateway.emit(alert())).done
      expect(report).toMatchObject({ mode: expected })
      expect(report?.steps[0]?.simulated ?? false).toBe(expected === 'observe')
      await gateway.stop()
    }
  })
})
