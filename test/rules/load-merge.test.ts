import { describe, expect, it } from 'vitest'
import { compileSelection } from '../../src/rules/matcher.ts'
import { actionSteps } from '../../src/rules/rule.ts'
import { brief, load } from '../config/_kit.ts'
import { anEvent } from '../../src/testing.ts'

const RULE = `- rule: Shell
  desc: Someone is inside.
  match: { rules: [Terminal shell], priority: '>=notice', tags: [shell] }
  condition: proc.name = bash
  steps: [{ action: log, with: { message: one } }]
  notify: [stdout]
`

/** Loads files that are named in order. */
const loadFiles = (...texts: readonly string[]) => {
  const files = Object.fromEntries(texts.map((text, i) => [`${'abc'[i]}.yaml`, text]))
  const names = Object.keys(files).join(', ')
  return load(`version: 1\noutputs: { stdout:, stdout/more: }\nrules: [${names}]\n`, { files })
}

const problemsOf = (...texts: readonly string[]): string[] =>
  loadFiles(...texts).problems.map((one) => `${one.file[0]} ${brief([one]).join('')}`)

const merged = (...texts: readonly string[]) => {
  const { options, problems } = loadFiles(...texts)
  expect(brief(problems.filter(({ severity }) => severity === 'error'))).toEqual([])
  return options?.rules ?? []
}

const change = (keys: string, override: string) => `- rule: Shell\n  ${keys}\n  override: { ${override} }\n`

const steps = (message: string, more = '') => `steps: [{ action: log${more}, with: { message: ${message} } }]`

describe('an override', () => {
  it.each([
    ['condition', 'condition: and fd.num > 3', 'condition: append', { condition: 'proc.name = bash and fd.num > 3' }],
    ['condition', 'condition: fd.num > 3', 'condition: replace', { condition: 'fd.num > 3' }],
    ['desc', 'desc: More.', 'desc: append', { description: 'Someone is inside. More.' }],
    ['desc', 'desc: Other.', 'desc: replace', { description: 'Other.' }],
    ['description', 'description: Other.', 'description: replace', { description: 'Other.' }],
    ['tags', 'tags: [net]', 'tags: append', { match: { tags: ['shell', 'net'] } }],
    ['tags', 'tags: [net]', 'tags: replace', { match: { tags: ['net'], rules: ['Terminal shell'] } }],
    ['priority', 'priority: critical', 'priority: replace', { match: { priority: 'critical', tags: ['shell'] } }],
    ['notify', 'notify: [stdout/more]', 'notify: append', { notify: ['stdout', 'stdout/more'] }],
    ['notify', 'notify: [stdout/more]', 'notify: replace', { notify: ['stdout/more'] }],
    ['mode', 'mode: observe', 'mode: replace', { mode: 'observe' }],
    ['join', 'join: 5s', 'join: replace', { join: 5000 }],
    ['parallel', 'parallel: true', 'parallel: replace', { parallel: true }],
  ])('of %s: %s, %s', (_key, keys, override, expected) => {
    const [rule, ...others] = merged(RULE, change(keys, override))
    expect(others).toEqual([])
    expect(rule).toMatchObject({ name: 'Shell', origin: 'a.yaml:1', ...expected })
  })

  it('of match replaces all of it', () => {
    expect(merged(RULE, change('match: { source: syscall }', 'match: replace'))[0]?.match).toEqual({
      source: 'syscall',
    })
    expect(merged(RULE, change('match: {}', 'match: replace'))[0]?.match).toEqual({})
  })

  it('of steps appends or replaces them', () => {
    const messages = (text: string) =>
      actionSteps(merged(RULE, text)[0] ?? { steps: [] }).map(({ action }) => action.config)
    expect(messages(change(steps('two'), 'steps: append'))).toEqual([{ message: 'one' }, { message: 'two' }])
    expect(messages(change(steps('two'), 'steps: replace'))).toEqual([{ message: 'two' }])
  })

  it('of enabled switches a rule off and on', () => {
    const off = change('enabled: false', 'enabled: replace')
    expect(merged(RULE, off)).toEqual([])
    expect(merged(RULE, off, change('enabled: true', 'enabled: replace'))).toHaveLength(1)
  })

  it('may do several things, and several may follow each other, also inline', () => {
    const { options } = load(
      `version: 1\nrules:\n  - a.yaml\n  - rule: Shell\n    condition: or proc.name = sh\n    tags: [x]\n    override: { condition: append, tags: append }\n` +
        `  - rule: Shell\n    condition: or proc.name = zsh\n    override: { condition: append }\n`,
      { files: { 'a.yaml': RULE.replace('  notify: [stdout]\n', '') } },
    )
    expect(options?.rules).toMatchObject([
      { condition: 'proc.name = bash or proc.name = sh or proc.name = zsh', match: { tags: ['shell', 'x'] } },
    ])
  })

  it('changes lists and macros', () => {
    const text = `- list: shells\n  items: [bash]\n- macro: shell\n  condition: proc.name in (shells)\n- rule: A\n  condition: shell\n  ${steps('x')}\n`
    const holds = (proc: string, ...more: string[]): boolean =>
      merged(text, ...more).some((rule) =>
        compileSelection(rule)({ event: anEvent({ output_fields: { 'proc.name': proc } }) }),
      )
    expect([holds('bash'), holds('zsh')]).toEqual([true, false])
    const appended = '- list: shells\n  items: [zsh]\n  override: { items: append }\n'
    expect([holds('bash', appended), holds('zsh', appended)]).toEqual([true, true])
    const replaced = '- list: shells\n  items: [zsh]\n  override: { items: replace }\n'
    expect([holds('bash', replaced), holds('zsh', replaced)]).toEqual([false, true])
    const widened = '- macro: shell\n  condition: or proc.name = fish\n  override: { condition: append }\n'
    expect([holds('bash', widened), holds('fish', widened)]).toEqual([true, true])
    const again = '- macro: shell\n  condition: proc.name = fish\n- list: shells\n  items: []\n'
    expect([holds('bash', again), holds('fish', again)]).toEqual([false, true])
  })
})

describe('what cannot be overridden', () => {
  it.each([
    [
      'a rule that is not there',
      '- rule: Shel\n  mode: observe\n  override: { mode: replace }\n',
      'b 1:9 rule "Shel": there is no rule of this name before it that it could change; did you mean `Shell`?',
    ],
    [
      'a list that is not there',
      '- list: x\n  items: [a]\n  override: { items: append }\n',
      'b 1:9 list "x": there is no list of this name before it that it could change',
    ],
    [
      'a macro that is not there',
      '- macro: x\n  condition: a = b\n  append: true\n',
      'b 1:10 macro "x": there is no macro of this name before it that it could change',
    ],
    [
      'a key that has no such operation',
      change('priority: error', 'priority: append'),
      'b 3:25 rule "Shell": override.priority must be replace',
    ],
    ['match, by append', change('match: {}', 'match: append'), 'b 3:22 rule "Shell": override.match must be replace'],
    [
      'a key that is none',
      change('mode: observe', 'mode: replace, output: append'),
      'b 3:30 rule "Shell": override.output is not a known setting',
    ],
    [
      'by another word',
      change('desc: x', 'desc: prepend'),
      'b 3:21 rule "Shell": override.desc must be one of append, replace',
    ],
    [
      'a key that the item has not',
      change('desc: x', 'desc: append, notify: append'),
      'b 3:29 rule "Shell": override: there is no notify to append',
    ],
    [
      'a key without a word on it',
      change('desc: x\n  mode: observe', 'desc: append'),
      'b 3:3 rule "Shell": mode: `override` does not say whether it is to append or to replace',
    ],
    [
      'by both ways',
      `${change('desc: x', 'desc: append')}  append: true\n`,
      'b 4:3 rule "Shell": `append: true` and `override` exclude each other',
    ],
    [
      'with a wrong value',
      change('desc: 7', 'desc: replace'),
      'b 2:9 rule "Shell": desc must be a string, not a number',
    ],
    [
      'with an override that is no map',
      '- rule: Shell\n  desc: x\n  override: append\n',
      'b 3:13 rule "Shell": override must be a map, not a string',
    ],
  ])('%s', (_what, text, message) => {
    const found = problemsOf(RULE, text).filter((one) => !one.includes('warning') && !one.includes('nothing names'))
    expect(found[0]).toContain(message)
  })

  it.each([
    [
      'condition: and a = b',
      'condition: append',
      'b 2:3 rule "R": condition: the rule at a.yaml:1 has no condition to append to; use replace',
    ],
    [
      'tags: [x]',
      'tags: append',
      'b 2:3 rule "R": tags: the rule at a.yaml:1 has no match.tags to append to; use replace',
    ],
  ])('a criterion that is not there: %s', (keys, override, message) => {
    const rule = `- rule: R\n  match: { rules: [x] }\n  ${steps('x')}\n`
    expect(problemsOf(rule, `- rule: R\n  ${keys}\n  override: { ${override} }\n`)).toEqual([message])
  })

  it('and what may be given where there was none', () => {
    const rule = `- rule: R\n  match: { rules: [x] }\n  ${steps('x')}\n`
    const text = '- rule: R\n  notify: [stdout]\n  desc: New.\n  override: { notify: append, desc: append }\n'
    expect(merged(rule, text)).toMatchObject([{ notify: ['stdout'], description: 'New.' }])
  })
})

describe('older forms', () => {
  it('append: true appends, and warns', () => {
    const text = '- rule: Shell\n  condition: and fd.num > 3\n  append: true\n'
    expect(merged(RULE, text)).toMatchObject([{ condition: 'proc.name = bash and fd.num > 3' }])
    expect(problemsOf(RULE, text)).toEqual([
      'b 3:3 warning rule "Shell": `append: true` is an older form; write `override: { condition: append }`',
    ])
  })

  it('append: true cannot append what has no order', () => {
    const found = problemsOf(RULE, '- rule: Shell\n  mode: observe\n  append: true\n')
    expect(found).toContain('b 2:3 rule "Shell": mode cannot be appended')
  })

  it('enabled alone switches, and warns', () => {
    const text = '- rule: Shell\n  enabled: false\n'
    expect(merged(RULE, text)).toEqual([])
    expect(problemsOf(RULE, text)).toEqual([
      'b 2:3 warning rule "Shell": `enabled` alone is an older form; add `override: { enabled: replace }`',
    ])
    expect(problemsOf('- rule: Shell\n  enabled: false\n')[0]).toContain(
      'a 1:9 rule "Shell": there is no rule of this name',
    )
  })

  it('append: true of lists', () => {
    const list = '- list: l\n  items: [a]\n- macro: m\n  condition: proc.name in (l)\n'
    expect(problemsOf(list, '- list: l\n  items: [b]\n  append: true\n')).toEqual([
      'b 3:3 warning list "l": `append: true` is an older form; write `override: { items: append }`',
      'a 3:10 warning macro "m": nothing names this macro',
    ])
  })
})

describe('a rule of a name that is there already', () => {
  it('replaces the former in its place, and says so with both places', () => {
    const other = `- rule: Other\n  match: { rules: [x] }\n  ${steps('x')}\n`
    const again = `- rule: Shell\n  match: { rules: [y] }\n  ${steps('y')}\n`
    const rules = merged(RULE + other, again)
    expect(rules.map(({ name, origin }) => `${name} ${origin}`)).toEqual(['Shell b.yaml:1', 'Other a.yaml:7'])
    expect(rules[0]).not.toHaveProperty('condition')
    expect(problemsOf(RULE + other, again)).toEqual([
      'b 1:9 warning rule "Shell": replaces the rule of this name at a.yaml:1; to change that one, use `override`',
    ])
  })

  it('makes what was wrong with the former a warning', () => {
    const broken = '- rule: Shell\n  color: red\n  steps: []\n'
    const { options, problems } = loadFiles(broken, RULE)
    expect(options?.rules).toHaveLength(1)
    expect(brief(problems).filter((one) => !one.includes('warning'))).toEqual([])
    expect(problems).toHaveLength(3)
  })

  it('makes the changes of the former unreachable', () => {
    const found = problemsOf(RULE, change('desc: x', 'desc: append'), RULE)
    expect(found).toContain('b 1:9 warning rule "Shell": this change has no effect, it is defined again at c.yaml:1')
  })
})

describe('a change that has no effect', () => {
  it('is told where it is replaced by a later one', () => {
    const found = problemsOf(RULE, change('tags: [x]', 'tags: append'), change('match: {}', 'match: replace'))
    expect(found).toContain('b 2:3 warning rule "Shell": tags has no effect, it is replaced at c.yaml:1')
    const steps2 = problemsOf(RULE, change(steps('b'), 'steps: replace'), change(steps('c'), 'steps: replace'))
    expect(steps2).toContain('b 2:3 warning rule "Shell": steps has no effect, it is replaced at c.yaml:1')
  })

  it('is not told of what the first rule says itself', () => {
    expect(problemsOf(RULE, change(steps('b'), 'steps: replace'))).toEqual([])
  })
})

describe('problems of a rule of several files', () => {
  it('stand in the file that the text came from', () => {
    expect(problemsOf(RULE, change('condition: and fd.num >', 'condition: append'))).toEqual([
      expect.stringMatching(/^b 2:2\d rule "Shell": condition: expected/),
    ])
    expect(problemsOf(RULE.replace('= bash', '='), change('condition: and fd.num > 3', 'condition: append'))).toEqual([
      expect.stringMatching(/^[ab] .*condition: /),
    ])
    expect(problemsOf(RULE, change("priority: 'loud'", 'priority: replace'))).toEqual([
      expect.stringMatching(/^b 2:13 rule "Shell": match\.priority: /),
    ])
    expect(problemsOf(RULE, change('notify: [stdut]', 'notify: append'))).toEqual([
      expect.stringMatching(/^b 2:12 rule "Shell": notify: stdut is not a configured output/),
    ])
    expect(problemsOf(RULE, change('steps: [{ action: lgo }]', 'steps: append'))).toEqual([
      expect.stringMatching(/^b 2:21 rule "Shell": steps\[0\]: lgo is not a known action/),
    ])
  })

  it('count its steps as one chain', () => {
    const first = RULE.replace('action: log', 'action: log, id: first')
    expect(problemsOf(first, change(steps('b', ', id: first'), 'steps: append'))).toEqual([
      'b 2:30 rule "Shell": steps[0].id: steps[0] at a.yaml:1 is named first too',
    ])
    const later = change(
      `steps: [{ action: log, if: steps.first.outcome = failed, with: { message: b } }]`,
      'steps: append',
    )
    expect(problemsOf(first, later)).toEqual([])
    expect(problemsOf(RULE, later)[0]).toContain('steps.first: no step before this one has that id')
  })

  it('only warn when a later file switches it off', () => {
    const broken = '- rule: Shell\n  color: red\n  steps: [{ action: lgo }]\n'
    const { options, problems } = loadFiles(broken, change('enabled: false', 'enabled: replace'))
    expect(options?.rules).toEqual([])
    expect(problems.map(({ severity }) => severity)).toEqual(['warning', 'warning'])
  })
})

describe('an appended and', () => {
  const warned = (first: string, second: string): string[] =>
    problemsOf(RULE.replace('proc.name = bash', first), change(`condition: ${second}`, 'condition: append'))

  it('is warned of where it holds only for the last branch of an or', () => {
    expect(warned('proc.name = bash or proc.name = sh', 'and k8s.ns.name != prod')).toEqual([
      'b 2:14 warning rule "Shell": condition: this `and` holds only for the last branch of the `or` before it, ' +
        'as in Falco; put the condition at a.yaml:1 in parentheses, or replace it',
    ])
  })

  it.each([
    ['(proc.name = bash or proc.name = sh)', 'and k8s.ns.name != prod'],
    ['proc.name = bash and (fd.num = 1 or fd.num = 2)', 'and k8s.ns.name != prod'],
    ['proc.name = " or "', 'and k8s.ns.name != prod'],
    ['proc.name = bash or proc.name = sh', 'or k8s.ns.name = prod'],
    ['proc.name = bash', 'and k8s.ns.name != prod or fd.num = 1'],
  ])('is right after %s: %s', (first, second) => {
    expect(warned(`'${first}'`, second)).toEqual([])
  })

  it('is warned of in macros, but not where a macro stands for the or', () => {
    const macro = '- macro: m\n  condition: proc.name = a or proc.name = b\n'
    const rule = `- rule: R\n  condition: m\n  ${steps('x')}\n`
    const and = '  condition: and fd.num = 1\n  override: { condition: append }\n'
    expect(problemsOf(macro + rule, `- rule: R\n${and}`)).toEqual([])
    expect(problemsOf(macro + rule, `- macro: m\n${and}`)).toEqual([expect.stringMatching(/^b 2:14 warning macro "m"/)])
  })
})
