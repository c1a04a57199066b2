import { describe, expect, it } from 'vitest'
import { brief, load, loadRulesText, print } from '../config/_kit.ts'

const STEPS = '  steps: [{ action: log, with: { message: hi } }]\n'

const rulesOf = (text: string, env: Record<string, string> = {}) => {
  const loaded = loadRulesText(text, { env })
  expect(print(loaded)).toBe('')
  return loaded.options?.rules ?? []
}

const problemsOf = (text: string) => brief(loadRulesText(text).problems)

describe('a rules file', () => {
  it('becomes rules as an embedding program gives them', () => {
    const rules = rulesOf(`- rule: Shell
  description: Someone is inside.
  match: { rules: [Terminal shell in container], priority: '>=warning' }
  condition: proc.name in (bash, sh)
  steps:
    - action: kubernetes:label
      id: mark
      with: { labels: { alert: '{{ rule | slug }}' }, count: '{{ fd.num }}' }
    - action: log
      if: steps.mark.outcome = succeeded
      timeout: 5s
      retries: 2
      onError: continue
      with: { message: done }
  notify: [stdout]
  mode: observe
  parallel: true
`)
    expect(rules).toMatchObject([
      {
        name: 'Shell',
        description: 'Someone is inside.',
        match: { rules: ['Terminal shell in container'], priority: '>=warning' },
        condition: 'proc.name in (bash, sh)',
        steps: [
          {
            id: 'mark',
            action: {
              id: 'kubernetes:label',
              config: { labels: { alert: '{{ rule | slug }}' }, count: '{{ fd.num }}' },
            },
          },
          {
            if: 'steps.mark.outcome = succeeded',
            timeout: '5s',
            retries: 2,
            onError: 'continue',
            action: { id: 'log' },
          },
        ],
        notify: ['stdout'],
        mode: 'observe',
        parallel: true,
        origin: 'rules.yaml:1',
      },
    ])
  })

  it('may be empty, and may share parts by anchors', () => {
    expect(rulesOf('# nothing yet\n')).toEqual([])
    const rules = rulesOf(`- rule: A\n  steps: &s [{ action: log, with: { message: hi } }]\n- rule: B\n  steps: *s\n`)
    expect(rules.map(({ steps }) => steps.length)).toEqual([1, 1])
  })

  it('gives rules inline too', () => {
    const { options } = load(
      `version: 1\nrules:\n  - rule: Inline\n    steps: [{ action: log, with: { message: hi } }]\n`,
    )
    expect(options?.rules).toMatchObject([{ name: 'Inline', origin: 'yarak.yaml:3' }])
  })

  it('leaves out a rule that is not enabled; what is wrong with it only warns', () => {
    const { options, problems } = loadRulesText(`- rule: Off\n  enabled: false\n  steps: [{ action: nope }]\n`)
    expect(options?.rules).toEqual([])
    expect(brief(problems)).toEqual([
      '3:21 warning rule "Off": steps[0]: nope is not a known action; known are kubernetes:label, log',
    ])
  })

  it('resolves references, to numbers where the settings want these', () => {
    const text = `- rule: A\n  match: { rules: [x] }\n  steps: [{ action: kubernetes:label, retries: '\${env:N}', with: { labels: {}, count: '\${env:N}' } }]\n`
    expect(rulesOf(text, { N: '3' })).toMatchObject([{ steps: [{ retries: 3, action: { config: { count: 3 } } }] }])
  })

  it('does not warn of what looks like a variable of a script', () => {
    expect(rulesOf(`- rule: A\n  steps: [{ action: log, with: { message: 'echo \${HOME}' } }]\n`)).toHaveLength(1)
  })
})

describe('problems of rules', () => {
  it.each([
    ['rules: []\n', '1:1 a rules file is a list of `- rule:` items'],
    ['- lists: x\n', '1:3 an item of a rules file is a map with `rule`, `list`, `macro` or `action`; this has `lists`'],
    ['- text\n', '1:3 an item of a rules file is a map with `rule`, `list`, `macro` or `action`'],
    ['-\n', '1:2 an item of a rules file is a map with `rule`, `list`, `macro` or `action`'],
    [`- rule: 7\n${STEPS}`, '1:9 rule "7": rule must be a string, not a number'],
    [`- rule: A\n  desc: x\n  description: x\n${STEPS}`, '2:3 rule "A": desc is description by another name; keep one'],
    [
      `- rule: A\n  exceptions: []\n${STEPS}`,
      '2:3 rule "A": exceptions are not read here; write them into the condition: `and not (...)`',
    ],
    [
      `- rule: A\n  match: { rules: [], tags: [a] }\n${STEPS}`,
      '2:19 warning rule "A": match.rules is empty, so it selects every event',
    ],
    [`- rule: ''\n${STEPS}`, '1:9 rule "": rule: must not be empty'],
    ['- rule: A\n', '1:3 rule "A": steps is required'],
    ['- rule: A\n  steps: []\n', '2:10 rule "A": steps: must list at least one step'],
    [`- rule: A\n  stpes: []\n${STEPS}`, '2:3 rule "A": stpes is not a known setting; did you mean `steps`?'],
    [
      `- rule: A\n${STEPS}- rule: A\n${STEPS}`,
      '3:9 warning rule "A": replaces the rule of this name at rules.yaml:1; to change that one, use `override`',
    ],
    [
      `- rule: A\n  mode: enforce\n${STEPS}`,
      '2:9 rule "A": mode: must be observe; a rule can tighten the mode of the gateway, not loosen it',
    ],
    [
      `- rule: A\n  notify: [stdot]\n${STEPS}`,
      '2:12 rule "A": notify: stdot is not a configured output; did you mean `stdout`?',
    ],
    [`- rule: A\n  condition: proc.name in (a, b\n${STEPS}`, /^2:3\d rule "A": condition: expected/],
    [
      `- rule: A\n  condition: steps.x.outcome = failed\n${STEPS}`,
      /^2:14 rule "A": condition: steps\.x\.outcome is only known/,
    ],
    [`- rule: A\n  match: { priority: loud }\n${STEPS}`, /^2:22 rule "A": match\.priority: loud names none of/],
    [
      '- rule: A\n  steps: [{ action: lgo }]\n',
      '2:21 rule "A": steps[0]: lgo is not a known action; did you mean `log`?',
    ],
    ['- rule: A\n  steps: [{ with: {} }]\n', '2:11 rule "A": steps[0].action is required'],
    ['- rule: A\n  steps: [log]\n', '2:11 rule "A": steps[0] must be a map, not a string'],
    ['- rule: A\n  steps: [{ action: log }]\n', '2:11 rule "A": steps[0].with.message is required'],
    [
      `- rule: A\n  steps: [{ action: log, with: { message: '{{ rule | nosuch }}' } }]\n`,
      '2:44 rule "A": steps[0].with: undefined filter: nosuch',
    ],
    [`- rule: A\n  steps: [{ action: log, if: 'a =', with: { message: x } }]\n`, /^2:\d+ rule "A": steps\[0\]\.if: /],
    [
      `- rule: A\n  steps: [{ action: log, id: a b, with: { message: x } }]\n`,
      '2:30 rule "A": steps[0].id: must start with a letter and hold letters, digits, _ and -',
    ],
    [
      `- rule: A\n  steps: [{ action: log, id: a, with: { message: x } }, { action: log, id: a, with: { message: x } }]\n`,
      '2:76 rule "A": steps[1].id: steps[0] is named a too',
    ],
    [
      `- rule: A\n  steps: [{ action: log, with: { message: x } }, { action: log, id: log, with: { message: x } }]\n`,
      '2:69 rule "A": steps[1].id: steps[0] is named log too',
    ],
    [
      `- rule: A\n  steps: [{ action: log, with: { message: '{{ steps.late.summary }}' } }, { action: log, id: late, with: { message: x } }]\n`,
      '2:47 warning rule "A": steps[0].with: steps.late: no step before this one has that id',
    ],
    [
      `- rule: A\n  steps: [{ action: kubernetes:label, with: { labels: {} } }]\n`,
      '1:9 warning rule "A": it has neither `match` nor `condition`, so it acts on every event',
    ],
    [
      `- rule: A\n  match: {}\n  steps: [{ action: kubernetes:label, with: { labels: {} } }]\n`,
      '1:9 warning rule "A": its `match` names nothing, so it acts on every event',
    ],
  ])('%j', (text, message) => {
    expect(problemsOf(text)).toEqual([typeof message === 'string' ? message : expect.stringMatching(message)])
  })

  it('are all told, whatever else is wrong with the rule', () => {
    const found = problemsOf(
      `- rule: A\n  condition: a =\n  steps: [{ action: lgo, timeout: soon }]\n  notify: [nobody]\n  color: red\n`,
    )
    expect(found).toHaveLength(5)
  })

  it('point into a condition of several lines', () => {
    const text = `- rule: A\n  condition: >-\n    evt.type = connect and\n    proc.name in (xmrig, minerd\n${STEPS}`
    expect(problemsOf(text)).toEqual([expect.stringMatching(/^4:31 /)])
  })

  it('allow two steps of one action without ids', () => {
    expect(
      problemsOf(
        `- rule: A\n  steps: [{ action: log, with: { message: x } }, { action: log, with: { message: x } }]\n`,
      ),
    ).toEqual([])
  })

  it('hide the secrets of actions', () => {
    const loaded = loadRulesText(
      `- rule: A\n  match: {}\n  steps: [{ action: kubernetes:label, with: { token: not-to-be-shown, labels: 3 } }]\n`,
    )
    expect(print(loaded)).toContain('token: ***')
  })

  it('name the files that glob and path do not find', () => {
    const { problems } = load('version: 1\nrules: [none/*.yaml, gone.yaml]\n')
    expect(brief(problems)).toEqual([
      '2:9 warning rules: no file matches none/*.yaml',
      '2:22 cannot read the rules file gone.yaml: there is no such file',
    ])
  })
})

describe('files of other tools', () => {
  const detection = (name: string) =>
    `- rule: ${name}\n  desc: x\n  condition: container\n  output: x\n  priority: NOTICE\n`

  it('of Falco get one message', () => {
    expect(problemsOf(`- list: shells\n  items: [sh]\n${detection('A')}${detection('B')}`)).toEqual([
      '3:3 this is a Falco detection rule: it raises events; a rule here answers them, and has `steps`',
    ])
  })

  it('may begin with what Falco they are for', () => {
    const versions = '- required_engine_version: 0.50.0\n- required_plugin_versions: [{ name: json, version: 0.1.0 }]\n'
    expect(rulesOf(`${versions}- rule: A\n${STEPS}`)).toHaveLength(1)
  })

  const TALON = '- action: Note\n  actionner: kubernetes:label\n  parameters: { labels: { seen: yes } }\n'

  it('of Falco Talon are read together, whatever file a part stands in', () => {
    const { options, problems } = load('version: 1\nrules: [a.yaml, native.yaml, b.yaml]\n', {
      files: {
        'a.yaml': TALON,
        'native.yaml': `- rule: Ours\n  match: { rules: [x] }\n${STEPS}`,
        'b.yaml': '- rule: Theirs\n  match: { rules: [x] }\n  actions:\n    - action: Note\n',
      },
    })
    expect(brief(problems.filter(({ severity }) => severity === 'error'))).toEqual([])
    expect(options?.rules.map(({ name }) => name)).toEqual(['Ours', 'Theirs'])
  })

  it('and of ours may not both have a rule of one name', () => {
    const { problems } = load('version: 1\nrules: [talon.yaml, native.yaml]\n', {
      files: {
        'talon.yaml': `${TALON}- rule: A\n  match: { rules: [x] }\n  actions:\n    - action: Note\n`,
        'native.yaml': `- rule: A\n  match: { rules: [x] }\n${STEPS}`,
      },
    })
    expect(brief(problems)).toContain(
      '1:9 rule "A": a Falco Talon rules file has one of this name too, at talon.yaml:4',
    )
  })
})
