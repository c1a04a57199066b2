import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { builtin } from '../../src/builtin.ts'
import { loadConfig, type LoadedConfig } from '../../src/config/index.ts'
import type { RuleInput } from '../../src/rules/rule.ts'
import { type Alert, matched } from '../rules/_talon.ts'
import { memory } from '../config/_kit.ts'
import { sink } from '../kit.ts'
import { folder, yarak } from './_kit.ts'

const files = folder()

const FIXTURES = 'test/fixtures/talon'
const PAIR = [`${FIXTURES}/rules.yaml`, `${FIXTURES}/override.yaml`]

/** Rules files, loaded as by a configuration with the outputs that they name. */
const loadFiles = (texts: readonly string[]): LoadedConfig => {
  const named = Object.fromEntries(texts.map((text, i) => [`${i}.yaml`, text]))
  return loadConfig({
    file: 'yarak.yaml',
    text: JSON.stringify({ version: 1, outputs: { slack: {}, webhook: {} }, rules: Object.keys(named) }),
    env: {},
    plugins: { ...builtin, outputs: ['slack', 'webhook'].map((type) => sink(undefined, { type }).output) },
    files: memory(named),
  })
}

const rulesOf = (loaded: LoadedConfig): readonly RuleInput[] => {
  expect(loaded.problems.filter(({ severity }) => severity === 'error')).toEqual([])
  return loaded.options?.rules ?? []
}

describe('import talon', () => {
  it('prints the rules as rules of ours, each under what differs from Talon', async () => {
    const { code, out, err } = await yarak(['import', 'talon', ...PAIR])
    expect(out).toBe(readFileSync(`${FIXTURES}/native.txt`, 'utf8'))
    expect(code).toBe(0)
    expect(err).toMatch(/rules\.yaml:11:5: warning: .*parameter allow means nothing[^]*\n4 warnings\n$/)
  })

  it('prints what can be translated, says what cannot, and exits with 1', async () => {
    const { code, out, err } = await yarak(['import', 'talon', `${FIXTURES}/exec.yaml`])
    expect(code).toBe(1)
    expect(out).toContain(`# ${FIXTURES}/exec.yaml:1: rule "Asks the pod": not translated\n# error: `)
    expect(out).toContain('kubernetes:freeze is not a known actionner')
    expect(out).toMatch(/\n- rule: Marks it\n/)
    expect(out).not.toContain('- rule: Asks the pod')
    expect(err).toContain('6 |       actionner: kubernetes:freeze\n')
  })

  it('prints JSON, and nothing else', async () => {
    const { code, out, err } = await yarak(['import', 'talon', '--json', `${FIXTURES}/exec.yaml`])
    expect({ code, err }).toEqual({ code: 1, err: '' })
    const { rules, problems } = JSON.parse(out) as { rules: unknown[]; problems: unknown[] }
    expect(rules).toEqual([
      {
        rule: 'Marks it',
        match: { rules: ['Test'] },
        steps: [{ action: 'kubernetes:label', id: 'mark', with: { labels: { seen: '1' } } }],
      },
    ])
    expect(problems).toMatchObject([
      { severity: 'error', file: `${FIXTURES}/exec.yaml`, line: 6, column: 18 },
      { severity: 'warning', line: 13 },
    ])
  })

  it('reads the short form too', async () => {
    const { code, out } = await yarak(['import', 'talon', `${FIXTURES}/playbook.yaml`])
    expect(code).toBe(0)
    expect(out).toMatch(/# warning: .*kubernetes:terminate deletes the pod\n- rule: Contain a shell\n/)
    expect(out).toMatch(/action: kubernetes:networkpolicy\n[^]*action: kubernetes:terminate\n/)
  })

  it('prints an empty list for a file without rules', async () => {
    const file = files.write('actions.yaml', '- { action: A, actionner: kubernetes:terminate }\n')
    expect(await yarak(['import', 'talon', file])).toEqual({
      code: 0,
      out: `# translated from ${file}\n\n[]\n`,
      err: '',
    })
  })

  it('tells of files that cannot be read, and of broken ones', async () => {
    const broken = files.write('broken.yaml', '- rule: [\n')
    const { code, out, err } = await yarak(['import', 'talon', files.at('none.yaml'), broken])
    expect(code).toBe(1)
    expect(err).toMatch(/none\.yaml: error: cannot read it: there is no such file[^]*broken\.yaml:\d+:\d+: error: /)
    expect(out).toMatch(/# error: .*none\.yaml:1:1: cannot read it[^]*\n\[\]\n$/)
    expect((await yarak(['import', 'talon'])).code).toBe(2)
    expect((await yarak(['import', 'talon', '--help'])).out).toContain('yarak import talon')
  })

  it('keeps text of the files from being more than a comment', async () => {
    const file = files.write('odd.yaml', '- rule: "a\\nb: \\u001b[31m"\n  actions: [{ action: "x\\n- rule: y" }]\n')
    const { out } = await yarak(['import', 'talon', file])
    expect(out.split('\n').filter((line) => line !== '' && !line.startsWith('# '))).toEqual(['[]'])
    expect(out).not.toContain('\u001b')
  })

  it('keeps what looks like a reference as it is', async () => {
    const match = '{ rules: ["${HOME}"], output_fields: ["proc.cmdline=echo ${x} $$"] }'
    const talon = `- rule: "\${y}"\n  match: ${match}\n  actions: [{ action: A, actionner: kubernetes:terminate }]\n`
    const { out } = await yarak(['import', 'talon', files.write('refs.yaml', talon)])
    const [rule] = rulesOf(loadFiles([out]))
    expect(rule).toMatchObject({ name: '${y}', match: { rules: ['${HOME}'] } })
    expect(matched(rule ? [rule] : [], { rule: '${HOME}', output_fields: { 'proc.cmdline': 'echo ${x} $$' } })).toEqual(
      ['${y}'],
    )
  })
})

describe('files of Talon', () => {
  it('load as they are, an override without an actionner too', async () => {
    const { code, out } = await yarak(['check', '--rules', PAIR[0] ?? '', '--rules', PAIR[1] ?? ''])
    expect({ code, out }).toEqual({ code: 0, out: 'ok: 3 rules\n' })
  })

  it.each<[string, Alert, string[]]>([
    ['a shell', { rule: 'Terminal shell in container' }, ['A shell in the shop']],
    ['a shell of falco', { rule: 'Terminal shell in container', output_fields: { 'k8s.ns.name': 'falco' } }, []],
    ['a connection', { rule: 'X', priority: 'Error', tags: ['mitre_exfiltration', 'network'] }, ['Talks to strangers']],
    ['a mild one', { rule: 'X', priority: 'Notice', tags: ['c2'] }, []],
    ['one of another source', { rule: 'X', priority: 'Error', source: 'aws', tags: ['c2'] }, ['Talks to strangers']],
    [
      'root in bash',
      { rule: 'Test', output_fields: { 'proc.name': 'bash', 'user.name': 'root' } },
      ['Looks at it only'],
    ],
    ['joe in bash', { rule: 'Test', output_fields: { 'proc.name': 'bash', 'user.name': 'joe' } }, []],
    [
      'what the rule before keeps to itself',
      { rule: 'Test', priority: 'Alert', tags: ['c2'], output_fields: { 'proc.cmdline': 'A=1 sh' } },
      ['Talks to strangers'],
    ],
  ])('decide as Talon does: %s', (_, alert, expected) => {
    const rules = rulesOf(loadFiles(PAIR.map((file) => readFileSync(file, 'utf8'))))
    expect(matched(rules, alert)).toEqual(expected)
  })
})

const name = fc.constantFrom('Shell', 'Other one', 'c')
const text = fc.oneof(
  fc.constantFrom('bash', 'in', '22', 'a\\', '"', '${x}', '#', "it's", ': '),
  fc.string({ maxLength: 6 }),
)
const value = text.filter((one) => !/[,=!]/.test(one))
const field = fc.tuple(fc.constantFrom('k8s.ns.name', 'proc.name', 'proc.aname[2]', 'rule', 'x'), fc.boolean(), value)
const rule = fc.record({
  rule: fc.constantFrom('A', 'B', 'C', 'D'),
  description: fc.option(text, { nil: undefined }),
  match: fc.record({
    rules: fc.array(
      fc.oneof(
        name,
        text.filter((one) => one !== ''),
      ),
      { maxLength: 2 },
    ),
    tags: fc.array(fc.constantFrom('a', 'a,b', 'c'), { maxLength: 2 }),
    priority: fc.option(fc.constantFrom('>=Warning', 'Debug', '<error'), { nil: undefined }),
    source: fc.option(fc.constantFrom('syscall', 'aws'), { nil: undefined }),
    output_fields: fc.array(
      fc
        .array(field, { minLength: 1, maxLength: 2 })
        .map((tests) => tests.map(([key, equal, own]) => `${key}${equal ? '=' : '!='}${own}`).join(', ')),
      { maxLength: 2 },
    ),
  }),
  continue: fc.option(fc.boolean(), { nil: undefined }),
  dry_run: fc.option(fc.boolean(), { nil: undefined }),
  actions: fc.constant([
    { action: 'Mark', actionner: 'kubernetes:label', parameters: { labels: { a: 'b' } }, ignore_errors: true },
    { action: 'End', actionner: 'kubernetes:terminate' },
  ]),
})
const alert: fc.Arbitrary<Alert> = fc.record({
  rule: name,
  priority: fc.constantFrom('Debug', 'Warning', 'Alert'),
  source: fc.constantFrom('syscall', 'aws'),
  tags: fc.uniqueArray(fc.constantFrom('a', 'b', 'c')),
  output_fields: fc.dictionary(fc.constantFrom('k8s.ns.name', 'proc.name', 'proc.aname[2]', 'rule', 'x'), value),
})

describe('what is printed', () => {
  it('decides on every event as the file it comes from', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(rule, { minLength: 1, maxLength: 5 }),
        fc.array(alert, { minLength: 5 }),
        async (rules, alerts) => {
          const source = JSON.stringify(rules).replaceAll('${', '$${')
          const { code, out } = await yarak(['import', 'talon', files.write('talon.yaml', source)])
          expect(code).toBe(0)
          const own = rulesOf(loadFiles([source]))
          const printed = rulesOf(loadFiles([out]))
          const plain = (one: RuleInput) => ({ ...one, origin: undefined, condition: undefined, parallel: undefined })
          expect(printed.map(plain)).toEqual(own.map(plain))
          for (const one of alerts) expect(matched(printed, one)).toEqual(matched(own, one))
        },
      ),
      { numRuns: 100 },
    )
  }, 60_000)
})
