import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isMap, type Document as YamlDocument } from 'yaml'
import { loadConfig, type Plugins } from '../../src/config/index.ts'
import { isOfOtherVersion, migrate, type Migration, MIGRATIONS } from '../../src/config/migrate.ts'
import { createProblems } from '../../src/config/problems.ts'
import { readDocument } from '../../src/config/read.ts'

const bring = (text: string, migrations?: readonly Migration[]) => {
  const problems = createProblems()
  const document = readDocument('yarak.yaml', text, problems, { references: undefined })
  const migrated = migrate(document, problems, migrations)
  return { ...migrated, problems: problems.list().map(({ line, column, message }) => `${line}:${column}: ${message}`) }
}

const rename = (from: string, to: string): Migration => ({
  summary: `${from} is called ${to}`,
  apply(yaml: YamlDocument) {
    if (!isMap(yaml.contents)) return
    for (const pair of yaml.contents.items) if (String(pair.key) === from) (pair.key as { value: string }).value = to
  },
})
const TWO = [rename('tail', 'file'), rename('outlets', 'outputs')]

describe('a file without a version', () => {
  it.each([
    ['mode: observe\n', 'version: 1\nmode: observe\n'],
    ['# of the shop\n\nmode: observe\n', '# of the shop\n\nversion: 1\nmode: observe\n'],
    ['# of the shop\n\n# only shows\nmode: observe\n', '# of the shop\n\nversion: 1\n# only shows\nmode: observe\n'],
    ['# $schema=./schema.json\nmode: observe # yet\n', '# $schema=./schema.json\nversion: 1\nmode: observe # yet\n'],
    ['---\nmode: observe\n', '---\nversion: 1\nmode: observe\n'],
    ['mode: observe\r\ninputs:\r\n', 'version: 1\r\nmode: observe\r\ninputs:\r\n'],
    ['\'mode\':   "observe"\nlog: {level:   info}', 'version: 1\n\'mode\':   "observe"\nlog: {level:   info}'],
    ['{ "mode": "observe" }', '{ "version": 1, "mode": "observe" }'],
    ['{}', '{ "version": 1}'],
    ['# empty\n{}\n', '# empty\n{ "version": 1}\n'],
  ])('%j gets the line, and nothing else is touched', (text, expected) => {
    expect(bring(text)).toEqual({
      text: expected,
      done: ['version: 1 is written at the top'],
      problems: [],
    })
  })

  it('gets the newest, and is then up to date', () => {
    const { text = '' } = bring('mode: observe\n', TWO)
    expect(text).toBe('version: 3\nmode: observe\n')
    expect(bring(text, TWO)).toEqual({ text, done: [], problems: [] })
  })

  it('means the same afterwards, whatever stands in it', () => {
    const key = fc.stringMatching(/^[a-z]{1,8}$/).filter((name) => name !== 'version')
    const comment = fc.constantFrom('', '# a comment\n', '# two\n# lines\n', '\n', '# apart\n\n')
    const value = fc.constantFrom(
      '1',
      'text',
      "'quoted'",
      '[a, b]',
      '{ x: 1 }',
      '\n  - a\n  # inside\n  - b',
      '|\n  text\n  # no comment\n',
    )
    const pairs = fc.uniqueArray(fc.tuple(key, comment, value), {
      minLength: 1,
      maxLength: 5,
      selector: ([name]) => name,
    })
    fc.assert(
      fc.property(pairs, comment, (all, last) => {
        const text = `${all.map(([name, above, one]) => `${above}${name}: ${one}\n`).join('')}${last}`
        const read = (of: string): unknown => readDocument('f', of, createProblems(), { references: undefined }).value
        const { text: migrated = '' } = bring(text)
        expect(read(migrated)).toEqual({ ...(read(text) as object), version: 1 })
        expect(migrated.replace('version: 1\n', '')).toBe(text)
      }),
    )
  })
})

describe('an older version', () => {
  const OLD = '# of the shop\nversion: 1 # the first\n\ntail: /var/log/falco.jsonl # followed\noutlets:\n  slack: {}\n'

  it('is brought up step by step, comments and order kept', () => {
    expect(bring(OLD, TWO)).toEqual({
      text: OLD.replace('1 #', '3 #').replace('tail:', 'file:').replace('outlets:', 'outputs:'),
      done: ['tail is called file', 'outlets is called outputs'],
      problems: [],
    })
  })

  it('takes only the steps that are due', () => {
    const { text, done } = bring('version: 2\ntail: x\noutlets: y\n', TWO)
    expect(text).toBe('version: 3\ntail: x\noutputs: y\n')
    expect(done).toEqual(['outlets is called outputs'])
  })

  it('keeps the ends of its lines', () => {
    expect(bring('version: 1\r\n# why\r\ntail: x\r\n', TWO).text).toBe('version: 3\r\n# why\r\nfile: x\r\n')
  })

  it('is told where it is loaded, with the remedy', () => {
    const problems = createProblems()
    const document = readDocument('yarak.yaml', 'mode: x\nversion: 2\n', problems, { references: undefined })
    expect(isOfOtherVersion(document, problems, TWO)).toBe(true)
    expect(problems.list()).toMatchObject([
      {
        ...{ file: 'yarak.yaml', line: 2, column: 10, severity: 'error' },
        message: 'the configuration is of version 2, this program knows 3: `yarak config migrate` brings it up to date',
      },
    ])
  })
})

describe('what cannot be brought up', () => {
  it.each([
    ['version: 9\nnew: {}\n', '1:10: the configuration is of version 9, this program knows 1: run the newer Yarak'],
    ["version: '1'\n", '1:10: version must be a whole number'],
    ['version: 1.5\n', '1:10: version must be a whole number'],
    ['version: 0\n', '1:10: version must be a whole number'],
    ['version:\nmode: observe\n', '1:9: version must be a whole number'],
    ['- rule: x\n', '1:1: a configuration is a map'],
    ['', '1:1: a configuration is a map'],
  ])('%j is refused', (text, message) => {
    expect(bring(text)).toEqual({ problems: [message] })
  })

  it('is a file that is no YAML', () => {
    expect(bring('a: [\n').problems.length).toBeGreaterThan(0)
    expect(bring('a: [\n').text).toBeUndefined()
  })
})

describe('loading', () => {
  const plugins: Plugins = { inputs: [], outputs: [], actions: [], resources: [], contexts: [] }
  const load = (text: string) => loadConfig({ file: 'yarak.yaml', text, env: {}, plugins })

  it('a file of a newer version tells that, and nothing of what it does not know', () => {
    const { options, problems } = load('version: 2\nwings: two\n')
    expect(options).toBeUndefined()
    expect(problems).toMatchObject([
      { line: 1, column: 10, message: expect.stringContaining('run the newer Yarak') as string },
    ])
  })

  it('one of the newest is loaded', () => {
    expect(load(`version: ${MIGRATIONS.length + 1}\n`).options).toBeDefined()
  })
})
