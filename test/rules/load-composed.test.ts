/** Actions composed of others in a rules file. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createGateway } from '../../src/index.ts'
import { alert } from '../kit.ts'
import { brief, loadRulesText, print } from '../config/_kit.ts'

const QUARANTINE = `- action: quarantine
  description: Marks a pod and tells of it.
  params:
    ttl: { default: 30m, description: How long. }
    reason: { description: Why. }
    count:
      default: 1
  steps:
    - action: kubernetes:label
      id: mark
      with: { labels: { why: 'for {{ params.reason }}' }, ttl: '{{ params.ttl }}', count: '{{ params.count }}' }
      onError: tell
    - wait: '{{ params.ttl }}'
      if: steps.mark.outcome = succeeded
    - parallel:
        - action: log
          with: { message: '{{ steps.mark.summary }}, see steps.mark' }
        - action: log
          id: tell
          with: { message: 'x' }
`
const RULE = (steps: string): string => `- rule: A\n  match: { rules: [x] }\n  deadline: 5h\n  steps:\n${steps}`

const stepsOf = (text: string) => {
  const loaded = loadRulesText(text)
  expect(print(loaded)).toBe('')
  return loaded.options?.rules[0]?.steps
}
const problemsOf = (text: string): string[] => brief(loadRulesText(text).problems)

describe('a step that names a composed action', () => {
  it('becomes its steps, with its parameters put in and its ids before theirs', () => {
    const use = '    - { action: quarantine, id: contain, with: { reason: a shell, count: 3 } }\n'
    expect(stepsOf(QUARANTINE + RULE(use))).toMatchObject([
      {
        id: 'contain-mark',
        onError: 'contain-tell',
        action: { id: 'kubernetes:label', config: { labels: { why: 'for a shell' }, ttl: '30m', count: 3 } },
      },
      { wait: '30m', id: 'contain-wait', if: '(steps.contain-mark.outcome = succeeded)' },
      {
        parallel: [
          { id: 'contain-log', action: { config: { message: '{{ steps.contain-mark.summary }}, see steps.mark' } } },
          { id: 'contain-tell' },
        ],
      },
    ])
  })

  it('may be used several times, in any list, before it is defined', () => {
    const use = "    - { action: quarantine, with: { reason: '{{ rule }}' } }\n"
    const text = `${RULE(use + use)}  finally:\n${use}${QUARANTINE}`
    const { options, problems } = loadRulesText(text)
    expect(brief(problems)).toEqual([])
    const [rule] = options?.rules ?? []
    expect(rule?.steps.map((step) => ('id' in step ? step.id : 'group'))).toEqual([
      'quarantine-mark',
      'quarantine-wait',
      'group',
      'quarantine-2-mark',
      'quarantine-2-wait',
      'group',
    ])
    expect(rule?.finally?.[0]).toMatchObject({
      id: 'quarantine-3-mark',
      action: { config: { labels: { why: 'for {{ rule }}' } } },
    })
  })

  it('puts its `if` before that of each step, and other steps may jump to it', () => {
    const text = `${QUARANTINE}${RULE(`    - { action: log, with: { message: x }, onError: contain }
    - { action: log, with: { message: x } }
    - { action: quarantine, id: contain, if: 'proc.name = a or proc.name = b', with: { reason: r } }
`)}`
    expect(stepsOf(text)).toMatchObject([
      { onError: 'contain-mark' },
      {},
      { if: '(proc.name = a or proc.name = b)' },
      { if: '(proc.name = a or proc.name = b) and (steps.contain-mark.outcome = succeeded)' },
      { parallel: [{ if: '(proc.name = a or proc.name = b)' }, {}] },
    ])
  })

  it('is what the engine runs', async () => {
    const text = `- action: note
  params: { text: }
  steps:
    - { action: log, id: first, with: { message: '{{ params.text }}' } }
    - { action: log, if: steps.first.outcome = succeeded, with: { message: x } }
${RULE("    - { action: note, with: { text: '{{ proc.name }}' } }\n").replace('[x]', '[Terminal shell in container]')}`
    const rules = loadRulesText(text).options?.rules ?? []
    const gateway = createGateway({ rules, mode: 'enforce' })
    const [report] = await (await gateway.emit(alert())).done
    await gateway.stop()
    expect(report?.steps.map(({ id, outcome }) => `${id} ${outcome}`)).toEqual([
      'note-first succeeded',
      'note-log succeeded',
    ])
  })

  it('takes a parameter alone with its type, whatever it is', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9 ]{1,20}$/), fc.integer({ min: 0, max: 1e6 }), (text, count) => {
        const given = `{ reason: ${JSON.stringify(text)}, count: ${count} }`
        const [mark] = stepsOf(`${QUARANTINE}${RULE(`    - { action: quarantine, with: ${given} }\n`)}`) ?? []
        expect(mark).toMatchObject({ action: { config: { count, labels: { why: `for ${text}` } } } })
      }),
      { numRuns: 20 },
    )
  })
})

describe('what is wrong with the use of one', () => {
  const use = (more: string): string => `${QUARANTINE}${RULE(`    - { action: quarantine, ${more} }\n`)}`
  it.each([
    [
      'with: { reason: x, tll: 1m }',
      '26:48 rule "A": steps[0].with.tll is not a parameter of quarantine; did you mean `ttl`?',
    ],
    ['with: { ttl: 1m }', '26:35 rule "A": steps[0].with: quarantine needs the parameter reason'],
    ['id: q', '26:7 rule "A": steps[0].with: quarantine needs the parameter reason'],
    [
      'with: { reason: x }, retries: 3',
      '26:50 rule "A": steps[0].retries: quarantine is composed of steps; set it at those',
    ],
    ['with: { reason: x, ttl: soon }', /^26:53 action "quarantine": steps\[0\]\.with\.ttl: must be a duration/],
    ['with: { reason: x, count: many }', /^26:55 action "quarantine": steps\[0\]\.with\.count must be a number/],
    ['with: { reason: x }, if: a =', /^26:\d+ rule "A": steps\[0\]\.if: /],
    [
      'with: { reason: x }, if: steps.no.outcome = failed',
      /^26:\d+ warning rule "A": steps\[0\]\.if: steps\.no: no step before/,
    ],
  ])('%s', (more, message) => {
    const found = problemsOf(use(more)).map((line) => line.replace(/^2\d:/, '26:'))
    expect(found).toContainEqual(typeof message === 'string' ? message : expect.stringMatching(message))
  })

  it('two of one id', () => {
    const steps = '    - { action: quarantine, id: q, with: { reason: x } }\n'
    expect(problemsOf(`${QUARANTINE}${RULE(steps + steps)}`)).toContainEqual(
      expect.stringContaining('is named q-mark too'),
    )
  })

  it('in a group it is no step', () => {
    expect(
      problemsOf(
        use('with: { reason: x }')
          .replace('- { action: quarantine', '- { parallel: [{ action: quarantine')
          .replace(/ \}\n$/, ' }] }\n'),
      ),
    ).toContainEqual(
      expect.stringContaining(
        'steps[0].parallel[0]: quarantine is composed of several steps; it can stand neither in a group',
      ),
    )
  })

  it('a mistyped name', () => {
    expect(
      problemsOf(use('with: { reason: x }').replace('{ action: quarantine', '{ action: quarantin')),
    ).toContainEqual(expect.stringContaining('quarantin is not a known action; did you mean `quarantine`?'))
  })
})

describe('what is wrong with one itself', () => {
  const action = (steps: string, more = ''): string => `- action: own\n${more}  steps:\n${steps}`
  const used = RULE('    - { action: own }\n')
  it.each([
    [
      `${action('    - { action: nope }\n')}${used}`,
      '3:17 action "own": steps[0]: nope is not a known action; known are kubernetes:label, log, own',
    ],
    [`${action('    - { action: own }\n')}${used}`, /^3:17 action "own": steps\[0\]: own is composed of several steps/],
    [`${action('    - { action: log }\n')}${used}`, /^3:\d+ action "own": steps\[0\]\.with\.message is required/],
    [
      `${action("    - { action: log, with: { message: '{{ params.x }}' } }\n", '  params: { y: {default: 1} }\n')}${used}`,
      /^4:\d+ action "own": steps\[0\]: params\.x is not declared; did you mean `y`\?|^4:\d+ action "own": steps\[0\]: params\.x is not declared; known are y/,
    ],
    [
      `${action("    - { action: log, with: { message: '{{ params.y | upcase }}' } }\n", '  params: { y: {default: 1} }\n')}${used}`,
      /^4:\d+ action "own": steps\[0\]: of params, only \{\{ params\.<name> \}\} alone is replaced/,
    ],
    [
      `${action("    - { action: kubernetes:label, with: { labels: {}, count: '{{ params.y }}' } }\n", '  params: { y: { default: many } }\n')}${used}`,
      /^2:27 action "own": steps\[0\]\.with\.count must be a number/,
    ],
    [
      `${action('    - { action: log, id: a, with: { message: x } }\n    - { action: log, id: a, with: { message: x } }\n')}${used}`,
      /^4:\d+ action "own": steps\[1\]\.id: steps\[0\] is named a too/,
    ],
    [
      `${action('    - { action: log, with: { message: x }, onError: gone }\n')}${used}`,
      /^3:\d+ action "own": steps\[0\]\.onError: no later step/,
    ],
    [
      `- action: log\n  steps: [{ action: log, with: { message: x } }]\n`,
      '1:11 action "log": there is an action of this name already',
    ],
    [
      `- action: Own\n  steps: [{ action: log, with: { message: x } }]\n`,
      '1:11 action "Own": action: must start with a letter and hold a-z, 0-9 and -',
    ],
    [`- action: own\n  params: {}\n`, '1:3 action "own": steps is required'],
    [action('    - { action: log, with: { message: x } }\n'), '1:11 warning action "own": no step names this action'],
  ])('%j', (text, message) => {
    expect(problemsOf(text)).toEqual([typeof message === 'string' ? message : expect.stringMatching(message)])
  })

  it('is told once, however often it is used', () => {
    const text = `${action('    - { action: nope }\n')}${used}${used.replace('rule: A', 'rule: B')}`
    expect(problemsOf(text)).toHaveLength(1)
  })
})

it("an action of Falco Talon's is still read as Talon's", () => {
  const text = '- action: Note\n  actionner: kubernetes:label\n  parameters: { labels: { a: b } }\n'
  expect(
    loadRulesText(`${text}- rule: A\n  match: { rules: [x] }\n  actions: [{ action: Note }]\n`).options?.rules,
  ).toMatchObject([{ name: 'A', steps: [{ id: 'note' }] }])
})
