/** Moving by Helm: the values of another chart become those of ours by one command. */
import { describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { folder, launch, noneLeft, type Ran, yarak } from './_kit.ts'

const files = folder()
noneLeft()

const FALCOSIDEKICK = 'test/fixtures/charts/falcosidekick-values.yaml'
const TALON = 'test/fixtures/charts/falco-talon-values.yaml'

interface Values {
  readonly config: object
  readonly rules?: { readonly files: Readonly<Record<string, unknown>> }
}

/** What `yarak check` says of the configuration that the chart would make of values. */
const checked = (text: string, env: Record<string, string>): Promise<Ran> => {
  const { config, rules } = parse(text) as Values
  const names = Object.entries(rules?.files ?? {}).map(([name, list]) => files.write(name, stringify(list)))
  return launch(['check', '-'], { input: stringify({ ...config, rules: names }), env }).ended
}

describe('import falcosidekick --values', () => {
  it('prints values under what differs, whose configuration check takes', async () => {
    const { code, out, err } = await yarak(['import', 'falcosidekick', '--values', FALCOSIDEKICK])
    expect(code).toBe(0)
    expect(out.split('\n').slice(0, 3)).toEqual([
      `# translated from ${FALCOSIDEKICK}, values of Falcosidekick's chart, for the chart yarak`,
      expect.stringMatching(/^# in the values of Falco's chart: .*url: "http:\/\/yarak:443\/"/),
      '# taken to be in the Secret sidekick-secrets: SLACK_WEBHOOKURL, ELASTICSEARCH_PASSWORD, KAFKA_PASSWORD',
    ])
    expect(out).toContain(`# warning: ${FALCOSIDEKICK}:60:1: webui: left out`)
    expect(err).toMatch(/\d+ warnings\n/)
    const env = {
      ...{ SLACK_WEBHOOKURL: 'https://hooks.example.com/1', SLACK_CHANNEL: '#a', ELASTICSEARCH_PASSWORD: 'e' },
      ...{ KAFKA_PASSWORD: 'k', LOKI_APIKEY: 'l' },
    }
    expect(await checked(out, env)).toMatchObject({ code: 0, out: 'ok: 1 input, 0 rules, 7 outputs\n' })
    const { code: lacking, err: missing } = await checked(out, { ...env, KAFKA_PASSWORD: '' })
    expect({ lacking, told: missing.includes('KAFKA_PASSWORD') }).toEqual({ lacking: 1, told: true })
  })

  it('is read by Helm as it is meant: yes is a text', async () => {
    const { out } = await yarak(['import', 'falcosidekick', '--values', FALCOSIDEKICK])
    expect(parse(out, { version: '1.1' })).toEqual(parse(out))
    expect(out).toContain('internal: "yes"')
  })

  it('takes the names of what a Secret holds, and tells how many secrets stand in it', async () => {
    const file = files.write('v.yaml', 'config: { existingSecret: s, teams: { webhookurl: https://t.example.com } }\n')
    const { out, err } = await yarak(['import', 'falcosidekick', '--values', file, '--secret-key', 'SLACK_WEBHOOKURL'])
    expect(out).toContain('webhookUrl: ${env:SLACK_WEBHOOKURL}')
    expect(out).toContain('# taken to be in the Secret s: SLACK_WEBHOOKURL\n')
    expect(err).toMatch(/^1 secret of .*v\.yaml stands in the output too\n$/)
  })

  it('prints what can be, and ends with 1, when something is wrong', async () => {
    const file = files.write('v.yaml', 'config: { slack: { webhookurl: 7x } }\n')
    const { code, out, err } = await yarak(['import', 'falcosidekick', '--values', file])
    expect(code).toBe(1)
    expect(err).toContain('v.yaml:1:32: error: outputs.slack.webhookUrl')
    expect(err).not.toContain('7x')
    expect(out).toContain('# error: ')
    expect((await yarak(['import', 'falcosidekick', '--values', files.at('none.yaml')])).err).toContain('no such file')
  })

  it('keeps a comment a comment, whatever the file is called', async () => {
    const file = files.write('v\npreset: both\n#.yaml', '{}')
    const { out } = await yarak(['import', 'falcosidekick', '--values', file])
    expect(parse(out)).toMatchObject({ preset: 'gateway' })
  })
})

describe('import talon --values', () => {
  it('prints values and rules under what differs, which check takes', async () => {
    const { code, out } = await yarak(['import', 'talon', '--values', TALON])
    expect(code).toBe(0)
    expect(out).toContain(`# translated from ${TALON}, values of Falco Talon's chart, for the chart yarak\n`)
    expect(parse(out)).toMatchObject({ preset: 'both', config: { mode: 'observe' }, service: { port: 2803 } })
    const env = { NOTIFIERS_SLACK_WEBHOOK_URL: 'https://hooks.example.com/1' }
    expect(await checked(out, env)).toMatchObject({ code: 0, out: 'ok: 1 input, 1 rule, 4 outputs\n' })
  })

  it('takes rules files beside the values', async () => {
    const rules = files.write(
      'rules.yaml',
      '- rule: Own\n  match: { priority: ">=error" }\n  actions: [{ action: X, actionner: kubernetes:terminate }]\n',
    )
    const { code, out } = await yarak(['import', 'talon', '--values', TALON, '--rules', rules])
    expect(code).toBe(0)
    expect(parse(out)).toMatchObject({ rules: { files: { 'talon.yaml': [{ rule: 'A shell' }, { rule: 'Own' }] } } })
  })
})

it.each([
  [['falcosidekick'], 'name a file, or give --env or --values'],
  [['falcosidekick', '--values', 'v.yaml', 'config.yaml'], '--values goes without a file and --env'],
  [['falcosidekick', '--values', 'v.yaml', '--env'], '--values goes without a file and --env'],
  [['falcosidekick', 'config.yaml', '--secret-key', 'A'], '--secret-key goes with --values'],
  [['talon'], 'name a file, or give --values'],
  [['talon', 'a.yaml', '--rules', 'b.yaml'], '--rules goes with --values; name the files'],
  [['talon', '--values', 'v.yaml', 'a.yaml'], '--values goes without files, --env and --json'],
])('%j is wrong usage', async (args, message) => {
  const { code, out, err } = await yarak(['import', ...args])
  expect({ code, out }).toEqual({ code: 2, out: '' })
  expect(err).toContain(`yarak: ${message}\n`)
})
