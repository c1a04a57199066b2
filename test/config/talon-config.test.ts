import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { nativeValue } from '../../src/config/falcosidekick/print.ts'
import { createProblems, printProblems } from '../../src/config/problems.ts'
import { readDocument } from '../../src/config/read.ts'
import { isTalonConfig } from '../../src/config/talon/index.ts'
import { KEYS } from '../../src/config/talon/keys.ts'
import { load, native, outputs, problems, RULES } from './_talon.ts'

const HOOK = 'https://hooks.example.com/0123456789'
const SLACK = `notifiers: { slack: { webhook_url: '${HOOK}' } }`

const notifier = (name: string, settings: string): unknown => outputs(`notifiers: { ${name}: ${settings} }`)[name]

describe('what a configuration is', () => {
  it.each([
    ['listen_port: 1', true],
    ['Default_Notifiers: []', true],
    ['notifiers:', true],
    ['version: 1', false],
    ['- rule: x', false],
    ['', false],
    ['text', false],
  ])('%s', (text, expected) => {
    const document = readDocument('x.yaml', text, createProblems(), { references: undefined })
    expect(isTalonConfig(document)).toBe(expected)
  })
})

describe('all of it', () => {
  const EXAMPLE = readFileSync('test/fixtures/talon/config.yaml', 'utf8')

  it('has every key in the example', () => {
    const paths = (value: unknown, path: string[] = []): string[] =>
      KEYS.includes(path.join('.')) || typeof value !== 'object' || value === null
        ? [path.join('.')]
        : Object.entries(value).flatMap(([key, inner]) => paths(inner, [...path, key]))
    expect([...paths(parse(EXAMPLE)), 'notifiers.k8sevents'].sort()).toEqual(
      [...KEYS, 'notifiers.k8sevents', 'notifiers.k8sevents'].sort(),
    )
  })

  it('becomes the outputs, each told as Talon tells it', () => {
    expect(outputs(EXAMPLE)).toEqual({
      stdout: { tell: 'events' },
      k8sevents: { tell: 'responses' },
      slack: {
        webhookUrl: 'https://hooks.example.com/services/0123456789',
        icon: 'https://example.com/claw.png',
        username: 'Talon',
        outputFormat: 'text',
        tell: 'responses',
      },
      webhook: {
        address: 'https://siem.example.com/in?token=webhook-token',
        method: 'PUT',
        http: {
          headers: {
            authorization: 'Bearer header-secret-text',
            'x-number': '7',
            'user-agent': 'talon/1',
            'content-type': 'application/json',
          },
        },
        tell: 'none',
      },
      smtp: {
        hostPort: 'mail.example.com:25',
        from: 'falco@example.com',
        to: ['soc@example.com', 'on-call@example.com'],
        user: 'falco',
        password: 'mail-secret-text',
        outputFormat: 'text',
        tls: false,
        tell: 'none',
      },
      loki: {
        hostPort: 'http://loki:3100',
        user: '17',
        apiKey: 'loki-secret-text',
        tenant: '007',
        http: { headers: { 'x-team': 'soc' } },
        tell: 'none',
      },
      elasticsearch: {
        hostPort: 'http://elasticsearch:9200',
        username: 'elastic',
        password: 'elastic-secret-text',
        index: 'talon',
        suffix: 'monthly',
        createIndexTemplate: false,
        numberOfShards: 1,
        numberOfReplicas: 2,
        http: { headers: { 'x-team': 'soc' } },
        tell: 'none',
      },
    })
  })

  it('becomes the rest, and what is not there is told where it stands', () => {
    const { outputs: _, ...rest } = native(EXAMPLE)
    expect(rest).toEqual({
      version: 1,
      mode: 'observe',
      listen: '127.0.0.1:2804',
      inputs: { http: { catchAll: true } },
      rules: ['./test/fixtures/talon/rules.yaml', './test/fixtures/talon/override.yaml'],
      resources: {
        kubernetes: { kubeconfig: '/home/soc/.kube/config' },
        google: { credentialsFile: '/etc/gcp/key.json' },
        aws: {
          region: 'eu-central-1',
          accessKeyId: 'AKIAEXAMPLE',
          secretAccessKey: 'aws-secret-text',
          roleArn: 'arn:aws:iam::111122223333:role/talon',
          externalId: '0123',
        },
      },
      log: { format: 'json' },
      metrics: { compat: true },
    })
    expect(problems(EXAMPLE).map((one) => one.replace(/^(\d+):\d+ (\w+) ([\w.]+): .*/, '$1 $2 $3'))).toEqual([
      '5 warning rules_files',
      '9 warning watch_rules',
      '12 warning otel.traces_enabled',
      '13 warning otel.metrics_enabled',
      '14 warning otel.collector_endpoint',
      '15 warning otel.collector_port',
      '16 warning otel.collector_use_insecure_grpc',
      '17 warning otel.timeout',
      '20 warning deduplication.leader_election',
      '21 warning deduplication.time_window_seconds',
      '36 warning gcp.region',
      '39 warning minio.endpoint',
    ])
    expect(load(EXAMPLE).options).toBeDefined()
  })

  it('says nothing of its secrets', () => {
    expect(printProblems(load(EXAMPLE).problems)).not.toMatch(/secret-text|webhook-token|0123456789/)
  })
})

describe('notifiers', () => {
  it("have Talon's defaults where ours are others, and no more", () => {
    expect(notifier('slack', `{ webhook_url: '${HOOK}' }`)).toEqual({
      webhookUrl: HOOK,
      icon: expect.stringMatching(/claw\.jpg$/) as string,
      username: 'Falco Talon',
      footer: 'http://github.com/falcosecurity/falco-talon',
      tell: 'none',
    })
    expect(notifier('webhook', '{ url: http://w }')).toEqual({ address: 'http://w', tell: 'none' })
    expect(notifier('loki', '{ url: http://l }')).toEqual({ hostPort: 'http://l', tell: 'none' })
    expect(notifier('smtp', '{ host_port: "m:25", from: a@b, to: c@d }')).toEqual({
      ...{ hostPort: 'm:25', from: 'a@b', to: 'c@d', tls: false, tell: 'none' },
    })
    expect(notifier('elasticsearch', '{ url: http://e }')).toEqual({
      ...{ hostPort: 'http://e', index: 'falco-talon', createIndexTemplate: true, tell: 'none' },
    })
  })

  it('take an empty text as Talon does: for none in Slack, else for not written', () => {
    const slack = notifier('slack', `{ webhook_url: '${HOOK}', icon: '', username: '', footer: '', format: '' }`)
    expect(slack).toEqual({ webhookUrl: HOOK, username: '', tell: 'none' })
    expect(notifier('elasticsearch', "{ url: http://e, index: '', user: '', suffix: }")).toEqual(
      notifier('elasticsearch', '{ url: http://e }'),
    )
  })

  it.each([
    ['slack', `webhook_url: '${HOOK}'`, { long: 'all', short: 'text', odd: 'all' }],
    ['smtp', 'host_port: "m:25", from: a@b, to: c@d', { html: 'html', text: 'text', odd: 'html' }],
  ])('%s: every format, and what is none', (name, needed, formats) => {
    for (const [format, own] of Object.entries(formats))
      expect(notifier(name, `{ ${needed}, format: ${format} }`)).toMatchObject({ outputFormat: own })
  })

  it('take a suffix that is none for daily, and numbers and truth values as texts', () => {
    const settings = '{ url: http://e, suffix: weekly, number_of_shards: "5", create_index_template: "false" }'
    expect(notifier('elasticsearch', settings)).toMatchObject({
      ...{ suffix: 'daily', numberOfShards: 5, createIndexTemplate: false },
    })
    expect(notifier('smtp', '{ host_port: "m:25", from: a@b, to: c@d, tls: "1" }')).toMatchObject({ tls: true })
    expect(notifier('loki', '{ url: http://l, tenant: 00017, user: 1e3 }')).toMatchObject({
      ...{ tenant: '00017', user: '1e3' },
    })
  })

  it('keep one header of each name', () => {
    const settings =
      '{ url: http://w, user_agent: mine, custom_headers: { User-Agent: other, X: true, x: 2, N: null } }'
    expect(notifier('webhook', settings)).toEqual({
      address: 'http://w',
      http: { headers: { 'user-agent': 'mine', x: '2', n: '' } },
      tell: 'none',
    })
    expect(problems('notifiers: { webhook: { url: http://w, custom_headers: "a:b" } }')).toEqual([
      '1:56 warning notifiers.webhook.custom_headers: does nothing: it is no map',
    ])
  })

  it('are found whatever the case of their keys, and with dots in them', () => {
    for (const text of [`NOTIFIERS: { Slack: { Webhook_URL: '${HOOK}' } }`, `notifiers.slack.webhook_url: ${HOOK}`])
      expect(outputs(text)).toMatchObject({ slack: { webhookUrl: HOOK } })
  })

  it('are told of responses when they are default, else of those that rules name them for', () => {
    expect(outputs(`${SLACK}\ndefault_notifiers: [slack]`)).toMatchObject({ slack: { tell: 'responses' } })
    expect(outputs(`${SLACK}\ndefault_notifiers: slack,k8sevents`)).toMatchObject({
      ...{ slack: { tell: 'responses' }, k8sevents: { tell: 'responses' } },
    })
    expect(outputs(SLACK)).toMatchObject({ slack: { tell: 'none' } })
  })

  it('are off without what they need, which is told', () => {
    const text = 'default_notifiers: [slack, loki]\nnotifiers: { loki: { url: "" }, smtp: { to: a@b, password: pw } }'
    expect(outputs(text)).toEqual({})
    expect(problems(text)).toEqual([
      '1:1 warning notifiers: slack is told of nothing: it needs notifiers.slack.webhook_url',
      '2:14 warning notifiers: loki is told of nothing: it needs notifiers.loki.url',
      '2:33 warning notifiers: smtp is off: it needs notifiers.smtp.host_port, notifiers.smtp.from',
    ])
    expect(printProblems(load(text).problems)).not.toContain('pw')
  })

  it('that Talon does not know are told, and their names compared as they are written', () => {
    const text = `default_notifiers: [Slack, teams]\n${SLACK}`
    expect(outputs(text)).toMatchObject({ slack: { tell: 'none' } })
    expect(problems(text)).toEqual([
      '1:21 warning default_notifiers: Slack is not a notifier of Falco Talon and is never told; did you mean `slack`?',
      expect.stringMatching(/^1:28 warning default_notifiers: teams is not .*; known are elasticsearch, k8sevents, /),
    ])
  })

  it('say who they are by a header when the address does', () => {
    expect(notifier('loki', '{ url: "http://us%40er:pw@l:3100/x" }')).toEqual({
      hostPort: 'http://l:3100/x',
      http: { headers: { authorization: `Basic ${Buffer.from('us@er:pw').toString('base64')}` } },
      tell: 'none',
    })
    expect(notifier('webhook', '{ url: http://u:pw@w }')).toMatchObject({ address: 'http://u:pw@w' })
  })

  it('are maps, and so is what holds them', () => {
    expect(problems('notifiers: { slack: secret-text }')).toEqual([
      '1:14 warning notifiers: slack is off: it needs notifiers.slack.webhook_url',
      '1:21 notifiers.slack: must be a map',
    ])
    expect(problems('notifiers: [slack]')).toEqual(['1:12 notifiers: must be a map'])
    expect(printProblems(load('notifiers: { slack: secret-text }').problems)).not.toContain('secret-text')
  })

  it('are wrong where they stand', () => {
    const text = 'notifiers:\n  slack:\n    webhook_url: nowhere\n  webhook: { url: http://w, http_method: GET }\n'
    expect(problems(text)).toEqual([
      '3:18 outputs.slack.webhookUrl: must be an http or https address',
      '4:42 outputs.webhook.method must be one of POST, PUT',
    ])
    expect(load(text).options).toBeUndefined()
  })
})

describe('Kubernetes Events, which need no settings', () => {
  const NAMED = '- { rule: R, notifiers: [k8sevents], actions: [{ action: A, actionner: kubernetes:terminate }] }'

  it('are on when a rule names them', () => {
    const own = { k8sevents: { tell: 'none' } }
    expect(outputs('listen_port: 1', { rules: NAMED })).toEqual(own)
    expect(outputs('rules_files: [a.yaml]', { files: { 'a.yaml': NAMED } })).toEqual(own)
    expect(outputs('listen_port: 1', { files: { [RULES]: NAMED } })).toEqual(own)
    expect(outputs('notifiers: { k8sevents: }')).toEqual(own)
    expect(outputs('listen_port: 1')).toEqual({})
  })

  it('are told of when rules are not to be seen', () => {
    expect(problems(`rules_files: [/a.yaml, /b.yaml]`, { files: { '/a.yaml': '' } })).toEqual([
      expect.stringMatching(/^1:1 warning not all rules files can be read here; .*`k8sevents: \{ tell: none \}`/),
    ])
    expect(problems('default_notifiers: [k8sevents]', { files: {} })).toEqual([])
  })
})

describe('where values come from', () => {
  it('takes a variable before the file, and keeps it a reference', () => {
    const env = { LISTEN_PORT: '2900', NOTIFIERS_SLACK_WEBHOOK_URL: HOOK, NOTIFIERS_SLACK_FOOTER: '' }
    const loaded = load('notifiers: { slack: { webhook_url: , footer: mine } }', { env })
    expect(loaded.document.value).toMatchObject({
      listen: '0.0.0.0:2900',
      outputs: { slack: { webhookUrl: HOOK, footer: 'mine' } },
    })
    expect(nativeValue(loaded.document).value).toMatchObject({
      outputs: { slack: { webhookUrl: '${env:NOTIFIERS_SLACK_WEBHOOK_URL}' } },
    })
  })

  it('takes those of notifiers and clients only for keys of the file, as Talon does', () => {
    const env = {
      NOTIFIERS_LOKI_URL: 'http://l',
      NOTIFIERS_LOKI_TENANT: 't',
      AWS_REGION: 'eu-west-1',
      KUBECONFIG: '/k',
    }
    const value = native('notifiers: { loki: { url: } }', { env })
    expect(value).toMatchObject({
      outputs: { loki: { hostPort: 'http://l', tell: 'none' } },
      resources: { kubernetes: { kubeconfig: '/k' } },
    })
    expect(JSON.stringify(value)).not.toMatch(/tenant|region/)
  })

  it('splits lists of variables, and names the variable that is wrong', () => {
    expect(native('listen_port: 1', { env: { RULES_FILES: '/a.yaml,/b.yaml' } })['rules']).toEqual([
      '/a.yaml',
      '/b.yaml',
    ])
    const { problems: found } = load('notifiers: { loki: { url: } }', { env: { NOTIFIERS_LOKI_URL: 'nowhere' } })
    expect(found.map(({ file, message }) => `${file}: ${message}`)).toContain(
      'environment: env NOTIFIERS_LOKI_URL: outputs.loki.hostPort: must be an http or https address',
    )
    expect(problems('listen_port: 1', { env: { DEFAULT_NOTIFIERS: 'tems' } })).toEqual([
      expect.stringContaining('tems is not a notifier of Falco Talon'),
    ])
  })

  it('warns of keys that Talon does not know, and hides what they hold', () => {
    const text = `listen_prt: 1\nnotifiers: { slack: { webhook_url: '${HOOK}', webhok: hidden }, teams: { url: u } }\nlog_format: text`
    expect(problems(text)).toEqual([
      '1:1 warning listen_prt is not a key of Falco Talon and does nothing; did you mean `listen_port`?',
      expect.stringMatching(/^2:\d+ warning notifiers\.slack\.webhok is not a key/),
      expect.stringMatching(/^2:\d+ warning notifiers\.teams is not a key/),
    ])
    expect(printProblems(load(text).problems)).not.toMatch(/hidden|0123456789/)
  })
})
