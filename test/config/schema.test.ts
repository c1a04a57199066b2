import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import type { JsonSchema } from '../../src/describe.ts'
import { z } from '../../src/plugin.ts'
import { builtin } from '../../src/builtin.ts'
import { configSchema, loadConfig } from '../../src/config/index.ts'
import { rulesSchema } from '../../src/config/schema.ts'
import { load, loadRulesText, plugins } from './_kit.ts'

const validator = (schema: JsonSchema) => {
  const check = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0])
  return (text: string): boolean => check.safeParse(parse(text)).success
}

const accepts = validator(configSchema(plugins))
const START = 'version: 1\n'

const GOOD = [
  START,
  `${START}mode: enforce\nlisten: ['[::]:1', 'unix:/x']\n`,
  `${START}listen: { address: '[::]:1', paths: [/x, /y/*], maxConnections: 5 }\n`,
  `${START}listen: [{ address: '[::]:1', inputs: [] }, '[::]:2']\n`,
  `${START}inputs:\n  http:\n  http/internal: { path: /in }\n  file: { path: x, fromStart: true }\n`,
  `${START}outputs:\n  stdout:\n  slack/secops: { webhookUrl: 'https://a.example', minimumPriority: warning, timeout: 3s }\n`,
  `${START}resources: { kubernetes: { context: x } }\ninputs:\n`,
  `${START}cluster: { name: prod, field: site }\ninputs: { http: { cluster: eu, shared: true } }\n`,
  `${START}guards: { minHealthyReplicas: 50%, budgets: [{ scope: pod, limit: 1, window: 1h }], breaker: { limit: 5 } }\n`,
  `${START}rules:\n  - rule: A\n    match: { rules: [x] }\n    steps: [{ action: log, with: { message: x }, timeout: 5s }]\n`,
  `${START}rules:\n  - rule: A\n    match: { rules: [x] }\n    steps: [{ action: kubernetes:label, with: { labels: {}, count: '{{ fd.num }}' } }]\n`,
  `${START}rules:
  - rule: A
    match: { rules: [x] }
    steps:
      - parallel: [{ action: log, with: { message: x } }, { action: log, with: { message: y }, onError: continue }]
      - { wait: 30s, id: settle, if: rule exists }
      - { action: log, id: last, with: { message: x }, dryRun: true }
    onFailure: [{ action: log, with: { message: x } }]
    finally: [{ wait: 1s }]
    deadline: 5m
  - rule: A
    finally: [{ action: note, id: more, with: { text: x } }]
    override: { finally: append }
  - action: note
    description: Notes.
    params: { text: { description: What. }, more: { default: 1 } }
    steps: [{ action: log, with: { message: '{{ params.text }}' } }]
`,
]

const BAD = [
  'mode: observe\n',
  `${START}modus: observe\n`,
  `${START}mode: loud\n`,
  `${START}listen: { adress: '[::]:1' }\n`,
  `${START}listen: [{ address: '[::]:1', paths: [x] }]\n`,
  `${START}listen: { address: '[::]:1', tls: { certFile: x } }\n`,
  `${START}inputs: { htpp: }\n`,
  `${START}inputs: { http/Prod: }\n`,
  `${START}inputs: { file: }\n`,
  `${START}inputs: { http: { colour: red } }\n`,
  `${START}inputs: { http: { shared: maybe } }\n`,
  `${START}guards: { budgets: [{ scope: planet, limit: 1, window: 1h }] }\n`,
  `${START}outputs: { stdout: { queue: many } }\n`,
  `${START}rules:\n  - rule: A\n    steps: []\n`,
  `${START}rules:\n  - rule: A\n    steps: [{ action: kubernetes:nope }]\n`,
  `${START}rules:\n  - rule: A\n    steps: [{ parallel: [] }]\n`,
  `${START}rules:\n  - rule: A\n    steps: [{ parallel: [{ wait: 1s }] }]\n`,
  `${START}rules:\n  - rule: A\n    steps: [{ wait: soon }]\n`,
  `${START}rules:\n  - rule: A\n    steps: [{ wait: 1s, timeout: 1s }]\n`,
  `${START}rules:\n  - action: log\n`,
  `${START}rules:\n  - action: own\n    parms: {}\n    steps: [{ action: log, with: { message: x } }]\n`,
  `${START}rules:\n  - rule: A\n    steps: [{ action: log }]\n`,
  `${START}rules:\n  - rule: A\n    steps: [{ action: kubernetes:label, with: { labels: {}, count: many } }]\n`,
]

describe('the schema for editors', () => {
  it.each(GOOD)('accepts what loads: %j', (text) => {
    expect(load(text).options).toBeDefined()
    expect(accepts(text)).toBe(true)
  })

  it.each(BAD)('refuses what does not load: %j', (text) => {
    expect(load(text).options).toBeUndefined()
    expect(accepts(text)).toBe(false)
  })

  it('admits references for values that are not any text', () => {
    expect(accepts(`${START}mode: '\${env:MODE:-observe}'\noutputs: { stdout: { queue: '\${env:Q}' } }\n`)).toBe(true)
  })

  it('accepts the configuration that comes along', () => {
    const file = 'config/yarak.yaml'
    const { options, problems } = loadConfig({ file, env: {}, plugins: builtin })
    expect(problems).toEqual([])
    expect(options?.rules.length).toBeGreaterThan(0)
    expect(validator(configSchema(builtin))(readFileSync(file, 'utf8'))).toBe(true)
  })

  it('describes every key at the top', () => {
    const { properties = {} } = configSchema(plugins)
    for (const [name, { description }] of Object.entries(properties)) expect(description, name).toMatch(/\.$/)
  })

  it('of rules files accepts what loads', () => {
    const text = '- rule: A\n  match: { rules: [x] }\n  steps: [{ action: log, with: { message: x } }]\n'
    expect(loadRulesText(text).options).toBeDefined()
    expect(validator(rulesSchema(plugins.actions))(text)).toBe(true)
    expect(validator(rulesSchema(plugins.actions))('- rule: A\n')).toBe(false)
  })

  it('of rules files knows lists, macros, changes, and what the files of Falco begin with', () => {
    const text = `- required_engine_version: 0.31.0
- list: shells
  items: [sh, 7]
- macro: shell
  condition: proc.name in (shells)
- rule: A
  condition: shell
  steps: [{ action: log, with: { message: x } }]
- rule: A
  condition: and evt.type = execve
  override: { condition: append }
`
    const accepted = validator(rulesSchema(plugins.actions))
    expect(loadRulesText(text).options).toBeDefined()
    expect(accepted(text)).toBe(true)
    expect(accepted('- list: shells\n')).toBe(false)
    expect(accepted('- macro: shell\n')).toBe(false)
    expect(accepted('- rule: A\n  condition: x\n  override: { condition: remove }\n')).toBe(false)
    expect(accepted('- rule: A\n  match: {}\n  override: { match: append }\n')).toBe(false)
  })
})
