import { describe, expect, it } from 'vitest'
import { given, talon } from './_talon.ts'

const RULE = `- rule: R
  match: { rules: [Shell] }
  actions: [{ action: A }]
`

/** What the rule's action is given when the files hold these actions of the name A. */
const shared = (...blocks: readonly string[]) => {
  const { rules, told } = talon([...blocks.map((block) => `- { action: A, ${block} }\n`), RULE])
  return { step: given(rules)[0], told }
}

const parameters = (...blocks: readonly string[]) => {
  const { step, told } = shared(...['actionner: test:anything', ...blocks.map((one) => `parameters: { ${one} }`)])
  return { with: (step as { with?: unknown } | undefined)?.with, told }
}

describe('actions of one name', () => {
  it('take the later actionner, continue, ignore_errors', () => {
    expect(shared('actionner: kubernetes:label', 'actionner: test:anything').step).toMatchObject({
      action: 'test:anything',
    })
    expect(shared('actionner: test:anything, ignore_errors: true', 'ignore_errors: false').step).not.toHaveProperty(
      'onError',
    )
    expect(shared('actionner: test:anything', 'ignore_errors: true').step).toMatchObject({ onError: 'continue' })
    expect(shared('actionner: test:anything, ignore_errors: true', 'description: x').step).toMatchObject({
      onError: 'continue',
    })
    const { rules } = talon([
      '- { action: A, actionner: test:anything, continue: false }\n- { action: A, continue: true }\n',
      `${RULE}  # two\n`.replace('[{ action: A }]', '[{ action: A }, { action: A }]'),
    ])
    expect(rules[0]?.steps).toHaveLength(2)
  })

  it('are merged in one file as in several, before or after the rules that name them', () => {
    const actions = '- { action: A, actionner: test:anything }\n- { action: A, parameters: { text: x } }\n'
    for (const files of [[actions + RULE], [RULE + actions], [RULE, actions]]) {
      expect(given(talon(files).rules)).toEqual([{ action: 'test:anything', id: 'a', with: { text: 'x' } }])
    }
  })

  it.each([
    ['a later scalar wins', ['text: a', 'text: b'], { text: 'b' }],
    ['what only one has is kept', ['text: a', 'count: 2'], { text: 'a', count: 2 }],
    ['lists grow', ['list: [a]', 'list: [b, a]'], { list: ['a', 'b', 'a'] }],
    ['a list that only the later has is taken as it is', ['text: a', 'list: [b]'], { text: 'a', list: ['b'] }],
    ['maps grow, later members win', ['map: { a: 1, b: 1 }', 'map: { b: 2, c: 2 }'], { map: { a: 1, b: 2, c: 2 } }],
    ['a map within a map is replaced', ['map: { a: { x: 1 } }', 'map: { a: { y: 1 } }'], { map: { a: { y: 1 } } }],
    ['null changes nothing', ['text: a', 'text: ~'], { text: 'a' }],
    ['null is none', ['text: ~', 'text: b'], { text: 'b' }],
    ['a third follows the second', ['text: a', 'text: b', 'text: c'], { text: 'c' }],
  ])('parameters: %s', (_, blocks, expected) => {
    expect(parameters(...blocks)).toEqual({ with: expected, told: [] })
  })

  it.each([
    ['text: a', 'text: 1'],
    ['count: 1', 'count: 1.5'],
    ['list: [a]', 'list: b'],
    ['map: { a: 1 }', 'map: [a]'],
  ])('parameters: %s stays in force over %s, which is told', (first, later) => {
    const { with: settings, told } = parameters(first, later)
    expect(settings).toEqual(parameters(first).with)
    expect(told).toEqual([
      expect.stringMatching(/^c:1:\d+ warning action "A": \w+: another type of value than in the first action of this/),
    ])
  })

  it('keep the first output target, take later output parameters', () => {
    const { told } = shared(
      'actionner: test:anything, output: { target: aws:s3, parameters: { bucket: a } }',
      'output: { target: local:file, parameters: { bucket: b } }',
    )
    expect(told).toEqual([
      'b:1:34 warning action "A": output.target: the first one, aws:s3, stays in force',
      'a:1:60 warning rule "R": action "A": output aws:s3: test:anything makes no files, so it is ignored',
    ])
  })

  it('may get the parameters of an output from a later one', () => {
    const target = 'actionner: test:anything, output: { target: aws:s3 }'
    expect(talon([`- { action: A, ${target} }\n`, RULE]).errors).toEqual([
      'a:1:60 rule "R": action "A": output.parameters is required',
    ])
    const { step } = shared(target, 'output: { parameters: { bucket: b } }')
    expect(step).toMatchObject({ action: 'test:anything' })
  })
})

describe('rules of one name', () => {
  const two = (first: string, later: string) =>
    talon([
      `- { rule: R, actions: [{ action: A, actionner: test:anything }], ${first} }\n- { rule: S, actions: [{ action: A, actionner: test:anything }] }\n`,
      `- { rule: R, ${later} }\n`,
    ])

  it('append lists: matches as alternatives, actions to run after', () => {
    const { rules, told } = two(
      'match: { rules: [a], tags: [x], output_fields: ["k.a=1"] }, notifiers: [slack]',
      'match: { rules: [b], tags: [y], output_fields: ["k.b=2"] }, notifiers: [slack, smtp], actions: [{ action: B, actionner: test:anything }]',
    )
    expect(rules.map(({ name }) => name)).toEqual(['R', 'S'])
    expect(rules[0]).toMatchObject({
      match: { rules: ['a', 'b'], tags: ['x', 'y'] },
      condition: 'k.a = 1 or k.b = 2',
      notify: ['slack', 'smtp'],
      steps: [{ id: 'a' }, { id: 'b' }],
    })
    expect(told).toEqual([])
  })

  it('take a later description, dry_run and continue', () => {
    expect(two('description: a', 'description: b').rules[0]).toMatchObject({ description: 'b' })
    expect(two('description: a', 'notifiers: []').rules[0]).toMatchObject({ description: 'a' })
    expect(two('dry_run: false', 'dry_run: true').rules[0]).toMatchObject({ mode: 'observe' })
    expect(two('dry_run: true', 'dry_run: false').rules[0]).not.toHaveProperty('mode')
    expect(two('continue: false', 'continue: true').rules[1]).not.toHaveProperty('condition')
    expect(two('continue: true', 'continue: false').rules[1]).toHaveProperty('condition')
  })

  it('replace priority and source, also by nothing, which is told', () => {
    const first = 'match: { priority: Error, source: syscall, rules: [a] }'
    expect(two(first, 'match: { priority: Alert, source: aws }')).toMatchObject({
      rules: [{ match: { priority: 'Alert', source: 'aws', rules: ['a'] } }, {}],
      told: [],
    })
    const { rules, told } = two(first, 'description: b')
    expect(rules[0]?.match).toEqual({ rules: ['a'] })
    expect(told).toEqual([
      'b:1:3 warning rule "R": this clears match.priority (Error), as in Falco Talon; repeat it here to keep it',
      'b:1:3 warning rule "R": this clears match.source (syscall), as in Falco Talon; repeat it here to keep it',
    ])
  })
})

describe('a reusable action in a rule', () => {
  const inRule = (reusable: string, own: string) => {
    const { rules, told } = talon(
      `- { action: A, actionner: test:anything, ${reusable} }\n- rule: R\n  match: { rules: [Shell] }\n  actions:\n    - { action: A, ${own} }\n    - { action: B, actionner: test:anything }\n`,
    )
    return { steps: given(rules), told }
  }
  const settings = (reusable: string, own: string) => {
    const { steps, told } = inRule(`parameters: { ${reusable} }`, `parameters: { ${own} }`)
    return { with: (steps[0] as { with?: unknown }).with, told }
  }

  it.each([
    ['its scalars fill', 'text: a', 'count: 1', { text: 'a', count: 1 }],
    ['the scalar of the rule wins', 'text: a', 'text: b', { text: 'b' }],
    ['its list comes first', 'list: [a]', 'list: [b]', { list: ['a', 'b'] }],
    ['its list is used as it is', 'list: [a]', 'text: b', { list: ['a'], text: 'b' }],
    ['maps are united', 'map: { a: 1 }', 'map: { b: 2 }', { map: { a: 1, b: 2 } }],
    ['null of the rule is filled', 'text: a', 'text: ~', { text: 'a' }],
    ['null fills nothing', 'text: ~', 'count: 1', { count: 1 }],
  ])('%s', (_, reusable, own, expected) => {
    expect(settings(reusable, own)).toEqual({ with: expected, told: [] })
  })

  it('wins over the rule in the members of a map, which is told', () => {
    expect(settings('map: { a: 1, b: 1 }', 'map: { a: 2, b: 1 }')).toEqual({
      with: { map: { a: 1, b: 1 } },
      told: ['a:5:39 warning rule "R": map.a: the value of the action it names wins, as in Falco Talon'],
    })
  })

  it('gives way where the types differ, which is told', () => {
    expect(settings('text: 1', 'text: b')).toEqual({
      with: { text: 'b' },
      told: ['a:5:40 warning rule "R": text: another type of value than in the action it names; this one is taken'],
    })
  })

  it('fills actionner, continue, ignore_errors; those of the rule win', () => {
    expect(inRule('ignore_errors: true', 'description: x').steps).toMatchObject([{ onError: 'continue' }, {}])
    expect(inRule('ignore_errors: true', 'ignore_errors: false').steps[0]).not.toHaveProperty('onError')
    expect(inRule('continue: false', 'description: x').steps).toHaveLength(1)
    expect(inRule('continue: false', 'continue: true').steps).toHaveLength(2)
    expect(inRule('x: y', 'actionner: kubernetes:networkpolicy').steps[0]).toMatchObject({
      action: 'kubernetes:networkpolicy',
    })
  })

  it('is found by its exact name only', () => {
    const { rules, told } = talon(
      '- { action: Mark it, actionner: test:anything }\n- { rule: R, actions: [{ action: mark it }] }\n',
    )
    expect(rules).toEqual([])
    expect(told).toEqual([
      'a:2:24 rule "R": action "mark it" has no actionner, nor is there one of its name; did you mean `Mark it`?',
    ])
  })

  it('keeps its contexts unless the rule has its own', () => {
    const contexts = (own: string) => inRule('additional_contexts: [aws]', own).told
    expect(contexts('description: x')).toEqual([
      'a:1:64 warning rule "R": action "A": additional_contexts means nothing to test:anything and is ignored',
    ])
    expect(contexts('additional_contexts: [k8snode]')).toEqual([expect.stringMatching(/^a:5:/)])
  })
})
