/** The values of Falco Talon's chart. */
import { describe, expect, it } from 'vitest'
import { CALLED, CONFIG_ROWS, ROWS } from '../../../src/config/talon/chart.ts'
import { KEYS } from '../../../src/config/talon/keys.ts'
import type { Row } from '../../../src/config/values/move.ts'
import { keysOf, talon } from './_kit.ts'

const covers = (rows: readonly Row[], name: string): boolean =>
  rows.some(({ key }) => name === key || name.startsWith(`${key}.`))

const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

describe('each value of the chart', () => {
  const keys = keysOf('falco-talon')

  it('is translated or told of', () => {
    expect(keys.length).toBeGreaterThan(100)
    const left = keys.filter((name) => {
      if (!name.startsWith('config.')) return !covers(ROWS, name)
      const inner = name.slice('config.'.length)
      return !covers(CONFIG_ROWS, inner) && !(inner in CALLED) && !KEYS.includes(snake(inner))
    })
    expect(left).toEqual([])
  })
})

const RULE = `- rule: A shell
  match: { rules: [Terminal shell in container] }
  actions: [{ action: Terminate Pod }]
`
const override = (text: string): string => `  rulesOverride: |\n${text.replaceAll(/^/gm, '    ')}\n`

describe('values', () => {
  it('of nothing but the defaults are all that Yarak is, and change nothing', () => {
    const { values, told } = talon('{}')
    expect(values).toMatchObject({
      preset: 'both',
      replicas: 1,
      config: { version: 1, mode: 'observe', inputs: { http: { catchAll: true } } },
      service: { port: 2803 },
    })
    expect(values).not.toHaveProperty('rules')
    expect(told.map((one) => one.split(':')[2]?.trim())).toEqual(['mode', 'inputs.http', 'replicaCount'])
  })

  it('are found in those of the chart of Falco', () => {
    expect(talon('falco-talon: { nodeSelector: { a: b } }\n').at('nodeSelector')).toEqual({ a: 'b' })
  })

  it('are called as Talon does', () => {
    const { at, told } = talon(`config:
  printAllEvents: true
  notifiers:
    loki: { hostPort: "http://l:3100", apiKey: k, customHeaders: { X-Scope: a } }
    smtp: { hostPort: "m:25", from: a@b.c, to: d@e.f }
  aws: { accesKey: AK, secretKey: SK }
`)
    expect(at('config', 'outputs')).toMatchObject({
      stdout: { tell: 'events' },
      loki: { hostPort: 'http://l:3100', apiKey: 'k', http: { headers: { 'x-scope': 'a' } } },
      smtp: { hostPort: 'm:25', tls: false },
    })
    expect(at('config', 'resources', 'aws')).toEqual({ accessKeyId: 'AK', secretAccessKey: 'SK' })
    expect(told.filter((one) => one.startsWith('error'))).toEqual([])
  })

  it('have rules, which may name the actions of the chart', () => {
    const { at, told } = talon(`config:\n${override(RULE)}`)
    expect(at('rules', 'files', 'talon.yaml')).toMatchObject([
      { rule: 'A shell', steps: [{ action: 'kubernetes:terminate' }] },
    ])
    expect(told.filter((one) => one.startsWith('error'))).toEqual([])
  })

  it('take the rules files beside them too, and what these change', () => {
    const more =
      '- action: Terminate Pod\n  parameters: { grace_period_seconds: 9 }\n- rule: Other\n  match: { priority: ">=error" }\n  actions: [{ action: Label Pod as Suspicious }]\n'
    const { at } = talon(`config:\n${override(RULE)}`, { 'more.yaml': more })
    expect(at('rules', 'files', 'talon.yaml')).toMatchObject([
      { rule: 'A shell', steps: [{ with: { grace_period_seconds: 9 } }] },
      { rule: 'Other', steps: [{ action: 'kubernetes:label', with: { labels: { 'analysis/status': 'suspicious' } } }] },
    ])
  })

  it.each([
    [`config:\n${override('- rule: [')}`, /^error \d+:\d+: /],
    [
      'config: { notifiers: { slack: { webhookUrl: 7x } } }\n',
      /^error 1:45: outputs\.slack\.webhookUrl: must be an http or https address/,
    ],
    ['config: { watchRule: true }\n', /watch_rule is not a key of Falco Talon/],
    ['- a\n', /^error 1:1: the values of a chart are a map$/],
  ])('%j tell what is wrong', (text, message) => {
    expect(talon(text).told).toContainEqual(expect.stringMatching(message))
  })

  it('a rules file that is not there is told of', () => {
    expect(talon('{}', {}, ['none.yaml']).told).toContain('error 1:1: cannot read it: there is no such file')
  })
})

describe('variables', () => {
  const TEXT = `extraEnv:
  - { name: LOG_LEVEL, value: debug }
  - { name: NOTIFIERS_SLACK_WEBHOOK_URL, valueFrom: { secretKeyRef: { name: a, key: b } } }
config: { defaultNotifiers: [slack] }
`

  it('of secrets stay references', () => {
    const { at, secrets, values } = talon(TEXT)
    expect(at('config', 'outputs', 'slack', 'webhookUrl')).toBe('${env:NOTIFIERS_SLACK_WEBHOOK_URL}')
    expect(at('env')).toEqual([expect.objectContaining({ name: 'NOTIFIERS_SLACK_WEBHOOK_URL' })])
    expect(secrets).toBe(0)
    expect(JSON.stringify(values)).not.toContain('yarak-env-')
  })

  it('set the log', () => {
    expect(talon(TEXT).at('config', 'log')).toEqual({ level: 'debug' })
  })

  it('do not hide what is wrong elsewhere', () => {
    const { told } = talon(TEXT.replace('config: {', 'config: { aws: { externalId: x },'))
    expect(told).toContainEqual(expect.stringMatching(/^error .*externalId/))
  })
})

describe('around the configuration', () => {
  it('several pods without an election stay several', () => {
    expect(talon('replicaCount: 3\nconfig: { deduplication: { leaderElection: false } }\n').at('replicas')).toBe(3)
    expect(talon('replicaCount: 1\n').told.join()).not.toContain('replicaCount')
  })

  it('its rights are not taken over, which is said once', () => {
    const { told, values } = talon('rbac:\n  secrets: [get, delete]\n  nodes: [get]\n')
    expect(values).not.toHaveProperty('rbac')
    expect(told.filter((one) => one.includes('rbac'))).toEqual([
      expect.stringMatching(/^warning 2:3: rbac\.secrets, rbac\.nodes: left out: the rights are those that the rules/),
    ])
  })

  it('its account is taken over when it is not made by the chart', () => {
    const { at } = talon('rbac: { serviceAccount: { create: false, name: own } }\n')
    expect(at('serviceAccount')).toEqual({ create: false, name: 'own' })
  })

  it.each([
    ['tracesEnabled: true, collectorEndpoint: o, collectorPort: 1', { endpoint: 'https://o:1', protocol: 'grpc' }],
    [
      'metricsEnabled: true, collectorEndpoint: o, collectorUseInsecureGrpc: true',
      { endpoint: 'http://o:4317', protocol: 'grpc' },
    ],
    ['tracesEnabled: true', undefined],
    ['collectorEndpoint: o', undefined],
  ])('OpenTelemetry (%s) is set by the chart', (otel, expected) => {
    expect(talon(`config: { otel: { ${otel} } }\n`).at('otlp')).toEqual(expected)
  })
})
