import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { given, matching, talon } from './_talon.ts'

const ACTION = '[{ action: A, actionner: test:anything }]'

const told = (text: string) => talon(text).told

describe('the shape of a file', () => {
  it.each([
    ['', []],
    ['# nothing\n', []],
    ['[]\n', []],
    ['rules: []\n', ['a:1:1 a rules file of Falco Talon is a list of `- action:` and `- rule:` items']],
    ['text\n', ['a:1:1 a rules file of Falco Talon is a list of `- action:` and `- rule:` items']],
    ['- ~\n', ['a:1:3 an item is a map with `action` or `rule`']],
    ['- text\n', ['a:1:3 an item is a map with `action` or `rule`']],
    ['- { description: x }\n', ['a:1:3 warning an item without a name does nothing']],
    [`- { rule: "", actions: ${ACTION} }\n`, ['a:1:3 warning an item without a name does nothing']],
    ['- { rule: R, rule: S }\n', ['a:1:3 rule "S": it has no action', 'a:1:14 the key `rule` is there twice']],
    ['- { rule: R, actions: ~ }\n', ['a:1:3 rule "R": it has no action']],
  ])('%j', (text, expected) => expect(told(text)).toEqual(expected))

  it('an item with both names is both', () => {
    const both = `- { action: A, actionner: test:anything, rule: R, actions: [{ action: A }] }\n`
    expect(talon(both).rules).toHaveLength(1)
  })

  it('keeps the other rules of a file when one is wrong', () => {
    const { rules, errors } = talon(`- { rule: Bad, actions: [{ action: x }] }\n${matching('{ rules: [a] }', 'Good')}`)
    expect(rules.map(({ name }) => name)).toEqual(['Good'])
    expect(errors).toHaveLength(1)
  })
})

describe('the keys of an action', () => {
  it.each([
    ['actionner: [a]', 'a:1:27 action "A": actionner: must be a text'],
    ['continue: yes', 'a:1:26 action "A": continue: must be true or false'],
    ['continue: 1', 'a:1:26 action "A": continue: must be true or false'],
    ['ignore_errors: [true]', 'a:1:31 action "A": ignore_errors: must be true or false'],
    ['parameters: [a]', 'a:1:28 action "A": parameters must be a map, not a list'],
    ['output: aws:s3', 'a:1:24 action "A": output must be a map, not a string'],
    ['additional_contexts: aws', 'a:1:37 action "A": additional_contexts must be a list, not a string'],
    [
      'paramters: {}',
      'a:1:16 warning action "A": paramters means nothing to Falco Talon and is ignored; did you mean `parameters`?',
    ],
    [
      'output: { tarfet: x }',
      'a:1:26 warning action "A": tarfet means nothing to Falco Talon and is ignored; did you mean `target`?',
    ],
  ])('%s', (text, expected) => expect(told(`- { action: A, ${text} }\n`)).toEqual([expected]))

  it.each(['true', 'True', '"true"', 'TRUE', '"True"'])('continue may be written %s', (written) => {
    const actions = `[{ action: A, actionner: kubernetes:terminate, continue: ${written} }, { action: B, actionner: test:anything }]`
    expect(talon(`- { rule: R, actions: ${actions} }\n`).rules[0]?.steps).toHaveLength(2)
  })

  it.each(['~', '""'])('continue is unset when it is %s', (written) => {
    const actions = `[{ action: A, actionner: kubernetes:terminate, continue: ${written} }, { action: B, actionner: test:anything }]`
    expect(talon(`- { rule: R, actions: ${actions} }\n`).rules[0]?.steps).toHaveLength(1)
  })
})

describe('the keys of a rule', () => {
  it.each([
    ['match: [a]', 'a:1:21 rule "R": match must be a map, not a list'],
    ['match: { rules: Shell }', 'a:1:30 rule "R": match.rules must be a list, not a string'],
    ['match: { tags: abc }', 'a:1:29 rule "R": match.tags must be a list, not a string'],
    ['match: { tags: [~] }', 'a:1:30 rule "R": match.tags[0]: must be a text'],
    ['match: { priority: [a] }', 'a:1:33 rule "R": match.priority: must be a text'],
    ['notifiers: slack', 'a:1:25 rule "R": notifiers must be a list, not a string'],
    ['dry_run: maybe', 'a:1:23 rule "R": dry_run: must be true or false'],
    ['continue: on', 'a:1:24 rule "R": continue: must be true or false'],
    ['description: [a]', 'a:1:27 rule "R": description: must be a text'],
  ])('%s', (text, expected) => expect(told(`- { rule: R, ${text}, actions: ${ACTION} }\n`)).toEqual([expected]))

  it.each([
    ['actions: x', 'a:1:23 rule "R": actions must be a list, not a string'],
    ['actions: [~]', 'a:1:24 rule "R": actions[0] must be a map, not null'],
    ['actions: [{ actionner: test:anything }]', 'a:1:37 rule "R": an action has no name'],
    ['actions: [{ action: A }]', 'a:1:24 rule "R": action "A" has no actionner, nor is there one of its name'],
    ['actions: [{ action: A, actionner: nope }]', /^a:1:48 rule "R": action "A": nope is not a known actionner/],
    [
      'actions: [{ action: A, actionner: kubernetes:terminte }]',
      'a:1:48 rule "R": action "A": kubernetes:terminte is not a known actionner; did you mean `kubernetes:terminate`?',
    ],
    [
      'actions: [{ action: A, actionner: test:anything, continu: false }]',
      'a:1:63 warning rule "R": continu means nothing to Falco Talon and is ignored; did you mean `continue`?',
    ],
  ])('%s', (text, expected) => {
    expect(told(`- { rule: R, ${text} }\n`)).toEqual([
      typeof expected === 'string' ? expected : expect.stringMatching(expected),
    ])
  })

  it('a mistyped criterion is told: without it every event would match', () => {
    expect(told(matching('{ output_field: ["a.b=c"] }'))).toEqual([
      'a:2:12 warning rule "R": output_field means nothing to Falco Talon and is ignored; did you mean `output_fields`?',
    ])
  })

  it('scalars of any type are texts', () => {
    const { rules } = talon(
      '- { rule: 1.0, description: 2, match: { rules: [3, true] }, notifiers: [4], actions: [{ action: 5, actionner: test:anything }] }\n',
    )
    expect(rules).toMatchObject([{ name: '1.0', description: '2', match: { rules: ['3', 'true'] }, notify: ['4'] }])
    expect(given(rules)).toMatchObject([{ id: 'step' }])
  })
})

describe('any text', () => {
  const part = fc.constantFrom(
    '- ',
    'rule: R',
    'action: A',
    'match:',
    'actions:',
    '\n',
    '  ',
    '~',
    '{',
    '}',
    '[',
    ']',
    ': ',
    '"',
    'x',
    'true',
    '!=',
    '=',
  )
  it('is rules, or an error with its place', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(part, { maxLength: 30 }).map((parts) => parts.join('')),
        ),
        (text) => {
          for (const line of talon(text).told) expect(line).toMatch(/^a:\d+:\d+ /)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('in any place of a well-formed file, too', () => {
    const keys = fc.constantFrom(
      'rule',
      'action',
      'actionner',
      'match',
      'rules',
      'tags',
      'priority',
      'output_fields',
      'actions',
      'parameters',
      'continue',
      'notifiers',
      'output',
      'target',
    )
    const { any } = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 5 },
        fc.string(),
        fc.integer(),
        fc.constantFrom(null, true, 'test:anything', 'A', 'R'),
        tie('list'),
        tie('map'),
      ),
      list: fc.array(tie('any'), { maxLength: 3 }),
      map: fc.dictionary(keys, tie('any'), { maxKeys: 4 }),
    }))
    fc.assert(
      fc.property(fc.array(any, { maxLength: 4 }), (items) => {
        for (const line of talon(JSON.stringify(items)).told) expect(line).toMatch(/^a:\d+:\d+ /)
      }),
      { numRuns: 500 },
    )
  })
})
