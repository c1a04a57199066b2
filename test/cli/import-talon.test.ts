import { dirname } from 'node:path'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { folder, launch, noneLeft, yarak } from './_kit.ts'

const files = folder()
noneLeft()

const EXAMPLE = 'test/fixtures/talon/config.yaml'
const HOOK = 'https://hooks.example.com/0123456789'
const CONFIG = `default_notifiers: [k8sevents]\nnotifiers: { slack: { webhook_url: '${HOOK}' } }\n`
const RULE =
  '- rule: A shell\n  match: { rules: [Terminal shell in container] }\n  notifiers: [slack, teams]\n' +
  '  actions: [{ action: End, actionner: kubernetes:terminate, parameters: { grace_period_seconds: 1 } }]\n'

const json = (out: string) => JSON.parse(out) as { config?: unknown; rules: unknown[]; problems: unknown[] }

describe('import talon: the configuration', () => {
  it('prints a file of ours, under what differs', async () => {
    const file = files.write('config.yaml', `${CONFIG}watch_rules: false\n`)
    const { code, out, err } = await yarak(['import', 'talon', file])
    expect(code).toBe(0)
    expect(out.split('\n').slice(0, 2)).toEqual([
      `# translated from ${file}`,
      expect.stringMatching(/^# warning: .*config\.yaml:1:1: mode: nothing is done yet/),
    ])
    expect(out).toMatch(/\n# warning: .*config\.yaml:3:14: watch_rules: does nothing/)
    expect(parse(out)).toMatchObject({
      version: 1,
      listen: '0.0.0.0:2803',
      outputs: { k8sevents: { tell: 'responses' }, slack: { webhookUrl: HOOK, tell: 'none' } },
      rules: ['/etc/falco-talon/rules.yaml'],
    })
    expect(err).toContain('3 warnings')
    expect(err).toMatch(/1 secret of .*config\.yaml stands in the output too\n$/)
  })

  it('gives a file that check takes, also from standard input, for every key there is', async () => {
    const { code, out } = await yarak(['import', 'talon', EXAMPLE])
    expect(code).toBe(0)
    const checked = launch(['check', '-'], { input: out })
    expect(await checked.ended).toMatchObject({ code: 0, out: 'ok: 1 input, 3 rules, 7 outputs\n' })
  })

  it('holds the rules that are given with it, which notify its outputs', async () => {
    const config = files.write('config.yaml', CONFIG)
    const rules = files.write('rules.yaml', RULE)
    for (const order of [
      [config, rules],
      [rules, config],
    ]) {
      const { code, out, err } = await yarak(['import', 'talon', ...order])
      expect(code).toBe(0)
      expect(parse(out)).toMatchObject({ outputs: { slack: {} }, rules: [{ rule: 'A shell', notify: ['slack'] }] })
      expect(out).toMatch(
        /\nrules:\n\n# .*rules\.yaml:1\n# warning: [^]*teams is not a configured output[^]*\n- rule: A/,
      )
      expect(err).not.toContain('cannot be read here')
      expect((await launch(['check', '-'], { input: out }).ended).out).toBe('ok: 1 input, 1 rule, 2 outputs\n')
    }
  })

  it('leaves the rules out when there are none', async () => {
    const config = files.write('config.yaml', CONFIG)
    const { code, out } = await yarak(['import', 'talon', config, files.write('none.yaml', '')])
    expect(code).toBe(0)
    expect(parse(out)).not.toHaveProperty('rules')
  })

  it('prints JSON with both, and nothing else', async () => {
    const config = files.write('config.yaml', CONFIG)
    const { out, err } = await yarak(['import', 'talon', '--json', config, files.write('rules.yaml', RULE)])
    expect(err).toMatch(/^1 secret of .* stands in the output too\n$/)
    const { config: printed, rules, problems } = json(out)
    expect(printed).toMatchObject({ outputs: { slack: { webhookUrl: HOOK } } })
    expect(rules).toMatchObject([{ rule: 'A shell', notify: ['slack'] }])
    expect(problems).toHaveLength(3)
    expect(json((await yarak(['import', 'talon', '--json', files.at('rules.yaml')])).out)).not.toHaveProperty('config')
  })

  it('takes the variables with --env, and then prints references to them', async () => {
    const file = files.write('config.yaml', 'notifiers: { slack: { webhook_url: } }\n')
    const env = { NOTIFIERS_SLACK_WEBHOOK_URL: HOOK }
    expect((await yarak(['import', 'talon', file], { env })).out).not.toContain('slack:\n')
    const { out, err } = await yarak(['import', 'talon', '--env', file], { env })
    expect(out).toContain('webhookUrl: ${env:NOTIFIERS_SLACK_WEBHOOK_URL}')
    expect(out + err).not.toContain(HOOK)
    const rules = files.write('rules.yaml', '[]')
    const { config } = json((await yarak(['import', 'talon', '--env', '--json', file, rules], { env })).out)
    expect(config).toMatchObject({ outputs: { slack: { webhookUrl: '${env:NOTIFIERS_SLACK_WEBHOOK_URL}' } } })
  })

  it('doubles what would be a reference', async () => {
    const file = files.write(
      'config.yaml',
      `notifiers: { loki: { url: http://l, api_key: '\${env:HOME}', user: u } }\n`,
    )
    expect((await yarak(['import', 'talon', file])).out).toContain('apiKey: $${env:HOME}')
  })

  it('tells what is wrong with its place, and prints the rest', async () => {
    const file = files.write('config.yaml', 'notifiers:\n  loki:\n    url: nowhere\n')
    const { code, out, err } = await yarak(['import', 'talon', file])
    expect(code).toBe(1)
    expect(err).toMatch(/config\.yaml:3:10: error: outputs\.loki\.hostPort: must be an http or https address/)
    expect(out).toMatch(/\n# error: .*config\.yaml:3:10: outputs\.loki\.hostPort/)
    expect(parse(out)).toMatchObject({ outputs: { loki: { hostPort: 'nowhere' } } })
  })

  it('takes one configuration, and no map that is none', async () => {
    const file = files.write('config.yaml', CONFIG)
    const twice = await yarak(['import', 'talon', file, files.write('second.yaml', 'listen_port: 1\n')])
    expect(twice.code).toBe(1)
    expect(twice.err).toMatch(/second\.yaml:1:1: error: one configuration is enough; this is the second/)
    const other = await yarak(['import', 'talon', files.write('other.yaml', 'version: 1\n')])
    expect(other.code).toBe(1)
    expect(other.err).toMatch(/other\.yaml:1:1: error: a rules file of Falco Talon is a list/)
    const broken = await yarak(['import', 'talon', files.write('broken.yaml', 'notifiers: [\n')])
    expect(broken.code).toBe(1)
    expect(broken.err).toMatch(/broken\.yaml:\d+:\d+: error: /)
  })

  it('names the rules files as they stand, for a file in the same folder', async () => {
    const config = files.write('config.yaml', 'rules_files: [rules.yaml]\nnotifiers: { k8sevents: }\n')
    files.write('rules.yaml', RULE)
    const { out } = await yarak(['import', 'talon', config])
    const own = files.write('yarak.yaml', out)
    expect(readFileSync(own, 'utf8')).toContain('rules:\n  - rules.yaml\n')
    const { code, out: told } = await launch(['check', own], { cwd: dirname(own) }).ended
    expect({ code, told }).toEqual({ code: 0, told: 'ok: 1 input, 1 rule, 1 output\n' })
  })
})
