/** The lints as `yarak check` shows them. */
import { describe, expect, it } from 'vitest'
import { folder, yarak } from '../cli/_kit.ts'

const files = folder()

const check = async (rules: string, ...args: string[]): Promise<string[]> => {
  const { out } = await yarak(['check', '--json', '-r', files.write('r.yaml', rules), ...args])
  const { problems } = JSON.parse(out) as {
    problems: { severity: string; message: string; line: number; column: number }[]
  }
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([])
  return problems.map(({ line, column, message }) => `${line}:${column} ${message}`)
}

const TERMINATE = '{ action: kubernetes:terminate }'
const LABEL = "{ action: kubernetes:label, with: { labels: { a: 'b' } } }"
const rule = (name: string, match: string, ...steps: string[]) =>
  `- rule: ${name}\n  match: { rules: [${match}] }\n  steps:\n${steps.map((step) => `    - ${step}\n`).join('')}`

describe('a destructive step', () => {
  it('wants something that keeps evidence before it', async () => {
    expect(await check(rule('A', 'X', LABEL, TERMINATE))).toEqual([
      '5:7 rule "A": kubernetes:terminate destroys evidence, and no step before it keeps any; put evidence:save before',
    ])
  })

  it.each(['{ action: evidence:save }', '{ action: log }'])('is fine after %s', async (step) => {
    expect(await check(rule('A', 'X', step, TERMINATE))).toEqual([])
  })

  it('is told of in a file of Falco Talon and in a configuration too, at its place', async () => {
    const talon =
      '- action: Kill\n  actionner: kubernetes:terminate\n- rule: A\n  match: { rules: [X] }\n  actions:\n    - action: Kill\n'
    expect(await check(talon)).toEqual([expect.stringMatching(/^6:7 rule "A": kubernetes:terminate destroys/)])
    const config = files.write(
      'y.yaml',
      `version: 1\nrules:\n  - rule: A\n    match: { rules: [X] }\n    steps: [${TERMINATE}]\n`,
    )
    const { code, err } = await yarak(['check', '-c', config])
    expect(code).toBe(0)
    expect(err).toMatch(/y\.yaml:5:13: warning: rule "A": kubernetes:terminate destroys/)
  })
})

describe('a step after the end of its target', () => {
  const keep = '{ action: evidence:save }'

  it('comes too late', async () => {
    expect(await check(rule('A', 'X', keep, TERMINATE, LABEL))).toEqual([
      '6:7 rule "A": kubernetes:label needs what kubernetes:terminate before it removes; put it before',
    ])
  })

  it('is meant when it asks how that went, or needs no target', async () => {
    const named = '{ action: kubernetes:terminate, id: kill }'
    const asking = LABEL.replace(/ }$/, ', if: steps.kill.outcome = refused }')
    expect(await check(rule('A', 'X', keep, named, asking, '{ action: log }'))).toEqual([])
  })

  it('comes too late in a later rule for the same event', async () => {
    const both = rule('A', 'X', keep, TERMINATE) + rule('B', 'Y, X', LABEL)
    expect(await check(both)).toEqual([
      expect.stringMatching(
        /^9:7 rule "B": kubernetes:label comes too late for events of "X": kubernetes:terminate of the rule "A" at .*r\.yaml:1 removes its target first; put this rule before that one$/,
      ),
    ])
    expect(await check(rule('B', 'Y, X', LABEL) + rule('A', 'X', keep, TERMINATE))).toEqual([])
    expect(await check(rule('A', 'X', keep, TERMINATE) + rule('B', 'Y', LABEL))).toEqual([])
  })

  it('and not in a rule that never matches with the first', async () => {
    const when = (text: string, condition: string) => text.replace('  steps:', `  condition: ${condition}\n  steps:`)
    const first = when(rule('A', 'X', keep, TERMINATE), 'proc.name exists and proc.name = sh')
    expect(await check(first + when(rule('B', 'X', LABEL), 'not proc.name = sh'))).toEqual([])
  })
})

describe('a chain', () => {
  const keep = '{ action: evidence:save }'
  const lists = (steps: readonly string[], more: string) => `${rule('A', 'X', ...steps)}${more}`

  it.each([
    ['onFailure', '`onFailure` runs when a step has failed, whatever it was'],
    ['finally', '`finally` runs whatever happened, also when every step was refused or skipped'],
  ])('that destroys something in `%s` is told of, at its place', async (key, why) => {
    expect(await check(lists([keep], `  ${key}:\n    - wait: 1s\n    - ${TERMINATE}\n`))).toEqual([
      `7:7 rule "A": kubernetes:terminate destroys something here, and ${why}; ask by \`if\` how the steps ended`,
    ])
    const asking = '{ action: kubernetes:terminate, if: steps.save.outcome = succeeded }'
    expect(await check(lists(['{ action: evidence:save, id: save }'], `  ${key}: [${asking}]\n`))).toEqual([])
  })

  it('that jumps over nothing', async () => {
    const first = '{ action: evidence:save, onError: next }'
    expect(await check(rule('A', 'X', first, '{ action: log, id: next }'))).toEqual([
      '4:7 rule "A": onError: next comes next anyway, so it does what `continue` does',
    ])
    expect(await check(rule('A', 'X', first, '{ action: log }', '{ action: log, id: next }'))).toEqual([])
  })

  it('that waits before it destroys', async () => {
    expect(await check(rule('A', 'X', keep, '{ wait: 30s }', TERMINATE))).toEqual([
      '6:7 rule "A": kubernetes:terminate waits 30 s for the pauses before it, in which the attacker goes on; isolate the target first',
    ])
    expect(await check(rule('A', 'X', keep, TERMINATE, '{ wait: 30s }', '{ action: log }'))).toEqual([])
  })

  it('whose group destroys while it keeps the evidence', async () => {
    expect(await check(rule('A', 'X', `{ parallel: [${keep}, ${TERMINATE}] }`))).toEqual([
      expect.stringMatching(/^4:47 rule "A": kubernetes:terminate destroys evidence/),
    ])
  })

  it.each([
    '{ action: kubernetes:evict }',
    '{ action: kubernetes:drain }',
    '{ action: kubernetes:revoke-tokens, with: { scope: pod } }',
  ])('has no pod any more after %s', async (remover) => {
    expect(await check(rule('A', 'X', keep, remover, LABEL))).toEqual([
      expect.stringMatching(/^6:7 rule "A": kubernetes:label needs what kubernetes:[a-z-]+ before it removes/),
    ])
  })

  it('still has its node after a drain, and its pod after the tokens of the account', async () => {
    const drained = rule('A', 'X', keep, '{ action: kubernetes:drain }', '{ action: kubernetes:uncordon }')
    const revoked = rule('B', 'Y', keep, '{ action: kubernetes:revoke-tokens, with: { scope: serviceaccount } }', LABEL)
    expect(await check(drained + revoked)).toEqual([])
  })

  it('with a composed action is told of where that is used', async () => {
    const own = `- action: own\n  steps: [${LABEL}, ${TERMINATE}]\n`
    expect(await check(own + rule('A', 'X', LABEL, '{ action: own }'))).toEqual([
      expect.stringMatching(/^7:7 rule "A": kubernetes:terminate destroys evidence/),
    ])
  })
})

describe('a rule that can never match', () => {
  it('is told of', async () => {
    const text =
      "- rule: A\n  match: { rules: [X], priority: '>=error' }\n  condition: priority = notice\n  steps: [{ action: log }]\n"
    expect(await check(text)).toEqual(['1:9 rule "A": it can never match: what it asks for excludes itself'])
  })
})

const FALCO = `
- macro: m
  condition: evt.type = x
- list: l
  items: [a]
- rule: Shell
  desc: d
  condition: m
  output: A shell (user=%user.name pid=%proc.aname[2])
  priority: NOTICE
  tags: [shell]
- rule: Off
  desc: d
  condition: m
  output: "%proc.name"
  priority: NOTICE
  enabled: false
- rule: Audit
  desc: d
  condition: m
  output: "%ka.user.name \${NOT_OURS}"
  priority: NOTICE
  source: k8s_audit
`

const falco = async (rules: string, { more = '', config }: { more?: string; config?: string } = {}) => {
  const args = ['--falco-rules', files.write('f.yaml', FALCO)]
  if (more) args.push('--falco-rules', files.write('g.yaml', more))
  if (config !== undefined) args.push('--falco-config', files.write('falco.yaml', config))
  return check(rules, ...args)
}

const when = (condition: string, name = 'Shell') =>
  `- rule: A\n  match: { rules: [${name}] }\n  condition: ${condition}\n  steps: [{ action: log }]\n`

describe('with the rules of Falco', () => {
  it('a rule that Falco does not have is told of, with what was meant', async () => {
    expect(await falco(rule('A', 'Shel', '{ action: log }'))).toEqual([
      '1:9 rule "A": Falco has no rule "Shel"; did you mean `Shell`?',
    ])
    expect(await falco(rule('A', 'Something else', '{ action: log }'))).toEqual([
      '1:9 rule "A": Falco has no rule "Something else"',
    ])
  })

  it('a rule that is disabled is told of, with what enables it', async () => {
    const [text = ''] = await falco(rule('A', 'Off', '{ action: log }'))
    expect(text).toContain(
      'is disabled; add to its rules:\n- rule: "Off"\n  enabled: true\n  override: {enabled: replace}',
    )
    const enabled = '- rule: "Off"\n  enabled: true\n  override: {enabled: replace}'
    expect(await falco(rule('A', 'Off', '{ action: log }'), { more: enabled })).toEqual([])
    expect(
      await falco(rule('A', 'Shell', '{ action: log }'), { more: '- rule: Shell\n  enabled: false' }),
    ).toHaveLength(1)
    const config = 'rules:\n  - disable: { rule: "*" }\n  - enable: { tag: shell }\n'
    expect(await falco(rule('A', 'Shell', '{ action: log }'), { config })).toEqual([])
    expect(await falco(rule('A', 'Audit', '{ action: log }'), { config })).toHaveLength(1)
  })

  it.each([
    ['user.name = root', []],
    ['proc.aname[2] = x', []],
    ['evt.time exists and evt.time > 1', []],
    ['rule = Shell and priority >= notice', []],
    ['k8s.ns.name = shop and container.image.repository = x', []],
    ['user.uid exists and user.uid = 0', []],
    ['user.uid = 0', ['user.uid']],
    ['proc.name = val(proc.pname) and toupper(user.shell) = X', ['proc.name', 'proc.pname', 'user.shell']],
  ])('the fields that %s looks at must be in its alerts', async (condition, fields) => {
    const found = await falco(when(condition))
    expect(found.map((one) => / have no ([^,]+),/.exec(one)?.[1])).toEqual(fields)
  })

  it('what to add is told', async () => {
    expect(await falco(when('user.uid = 0'))).toEqual([
      '1:9 rule "A": alerts of "Shell" have no user.uid, which the condition needs; add to falco.yaml:\n' +
        'append_output:\n  - match: {rule: "Shell"}\n    extra_fields: [user.uid]',
    ])
    const [odd = ''] = await falco(when('proc.aname[3] = x'))
    expect(odd).toContain('extra_fields: ["proc.aname[3]"]')
  })

  it.each([
    ['for all', 'append_output: [{ extra_fields: [user.uid] }]', []],
    ['in the text', 'append_output: [{ extra_output: "uid %user.uid" }]', []],
    ['by another name', 'append_output: [{ extra_fields: [{ user.uid: x }] }]', []],
    ['for the rule', 'append_output: [{ match: { rule: Shell }, extra_fields: [user.uid] }]', []],
    [
      'for its tag and source',
      'append_output: [{ match: { tags: [shell], source: syscall }, extra_fields: [user.uid] }]',
      [],
    ],
    ['for another rule', 'append_output: [{ match: { rule: Off }, extra_fields: [user.uid] }]', ['user.uid']],
    ['for another tag', 'append_output: [{ match: { tags: [shell, x] }, extra_fields: [user.uid] }]', ['user.uid']],
    ['not at all', '{}', ['user.uid']],
  ])('what falco.yaml appends %s counts', async (_what, config, fields) => {
    const found = await falco(when('user.uid = 0'), { config })
    expect(found.map((one) => / have no ([^,]+),/.exec(one)?.[1])).toEqual(fields)
  })

  it('an alert without fields has none', async () => {
    const [text = ''] = await falco(when('user.name = x'), { config: 'json_output: false' })
    expect(text).toContain('add to falco.yaml:\njson_output: true\njson_include_output_fields_property: true')
  })

  it('output and tags that later files change count', async () => {
    const more = '- rule: Shell\n  output: uid=%user.uid\n  override: { output: append }\n'
    expect(await falco(when('user.uid = 0 and user.name = x'), { more })).toEqual([])
    const other = more.replace('append', 'replace')
    expect(await falco(when('user.uid = 0 and user.name = x'), { more: other })).toHaveLength(1)
    const tagged = '- rule: Shell\n  tags: [x]\n  override: { tags: append }\n'
    const config = 'append_output: [{ match: { tags: [shell, x] }, extra_fields: [user.uid] }]'
    expect(await falco(when('user.uid = 0'), { more: tagged, config })).toEqual([])
    const again = '- rule: Shell\n  desc: d\n  condition: m\n  output: "%user.uid"\n  priority: NOTICE\n'
    expect(await falco(when('user.uid = 0'), { more: again })).toEqual([])
  })

  it('templates and targets need their fields too, those with a default do not', async () => {
    const message = (text: string) => rule('A', 'Shell', `{ action: log, with: { message: '${text}' } }`)
    expect(await falco(message('{{ user.uid }} {{ rule }} {{ user.shell | default: "?" }}'))).toEqual([
      expect.stringMatching(/^4:7 .*no user\.uid, which a template needs/),
    ])
    expect(await falco(rule('A', 'Shell', LABEL))).toEqual([])
    expect(await falco(rule('A', 'Shell', LABEL), { config: '{}' })).toEqual([
      expect.stringMatching(/no k8s\.ns\.name and k8s\.pod\.name, which the target of kubernetes:label needs/),
    ])
    expect(await falco(rule('A', 'Audit', LABEL))).toHaveLength(1)
  })

  it('files of Falco that cannot be read are an error', async () => {
    const rules = files.write('r.yaml', rule('A', 'X', '{ action: log }'))
    const { code, err } = await yarak(['check', '-r', rules, '--falco-rules', files.at('none.yaml')])
    expect(code).toBe(1)
    expect(err).toContain(`${files.at('none.yaml')}: error: cannot read it: there is no such file`)
  })
})
