import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { builtin } from '../../../src/builtin.ts'
import { convert, durationText, millisecondsOf } from '../../../src/config/falcosidekick/convert.ts'
import { loadFalcosidekick } from '../../../src/config/falcosidekick/index.ts'
import { allKeys, SECTIONS } from '../../../src/config/falcosidekick/keys.ts'
import { settingsSchema } from '../../../src/describe.ts'
import { duration, z } from '../../../src/plugin.ts'
import { load, native, output, problems } from './_kit.ts'

const HOOK = 'https://hooks.example.com/0123456789'
const EXAMPLE = 'test/fixtures/falcosidekick/config.yaml'

describe('where values come from', () => {
  it('finds keys whatever their case, and with dots in them', () => {
    for (const text of [
      `slack: { WebhookURL: '${HOOK}' }`,
      `SLACK: { webhookurl: '${HOOK}' }`,
      `slack.webhookUrl: ${HOOK}`,
    ])
      expect(output(text, 'slack')).toMatchObject({ webhookUrl: HOOK })
  })

  it('takes a variable before the file, and an empty one for none', () => {
    const text = `slack: { webhookurl: '${HOOK}', channel: of-file }`
    expect(output(text, 'slack', { SLACK_CHANNEL: 'of-env' })).toMatchObject({ channel: 'of-env' })
    expect(output(text, 'slack', { SLACK_CHANNEL: '' })).toMatchObject({ channel: 'of-file' })
    expect(output(undefined, 'slack', { SLACK_WEBHOOKURL: HOOK })).toMatchObject({ webhookUrl: HOOK })
  })

  it('binds variables that Falcosidekick does not', () => {
    const env = { REDIS_ADDRESS: 'r:6379', REDIS_USERNAME: 'u', REDIS_TLS: 'true', REDIS_CACERTFILE: '/ca.crt' }
    expect(output(undefined, 'redis', env)).toMatchObject({ username: 'u', tls: { caFile: '/ca.crt' } })
    const nats = { NATS_HOSTPORT: 'nats://n:4222', NATS_MINIMUMPRIORITY: 'error' }
    expect(output(undefined, 'nats', nats)).toMatchObject({ minimumPriority: 'Error' })
  })

  it('keeps the case of names in maps', () => {
    expect(native('customfields: { Akey: x, k8s.cluster.name: y }')['enrich']).toMatchObject({
      fields: { Akey: 'x', 'k8s.cluster.name': 'y' },
    })
  })

  it('knows the variables that Kubernetes sets for services', () => {
    const env = { SYSLOG_HOST: 'h', SYSLOG_PORT: 'tcp://10.0.0.1:514' }
    expect(output('syslog: { port: 1514 }', 'syslog', env)).toMatchObject({ host: 'h', port: 1514 })
    expect(problems(undefined, env)).toEqual([
      '1:1 warning env SYSLOG_PORT: is set by Kubernetes for a service of that name and is not used',
    ])
  })

  it('tells what is wrong where it stands: in the file, or in a variable', () => {
    expect(problems('slack:\n  webhookurl: nowhere\n')).toEqual([
      '2:15 outputs.slack.webhookUrl: must be an http or https address',
    ])
    const { problems: found, options } = load(undefined, { SLACK_WEBHOOKURL: 'nowhere' })
    expect(options).toBeUndefined()
    expect(found).toEqual([
      {
        severity: 'error',
        message: 'env SLACK_WEBHOOKURL: outputs.slack.webhookUrl: must be an http or https address',
        ...{ file: 'environment', line: 1, column: 1 },
      },
    ])
    expect(JSON.stringify(load(`slack: { webhookurl: '${HOOK}', outputformat: odd }`).problems)).not.toContain(HOOK)
  })

  it('warns of keys that it does not know, with what may be meant', () => {
    expect(problems(`slak: { webhookurl: x }\nslack: { webhookurls: x, customheaders: { any: thing } }`)).toEqual([
      '1:1 warning slak is not a key of Falcosidekick and does nothing',
      '2:10 warning slack.webhookurls is not a key of Falcosidekick and does nothing; did you mean `slack.webhookurl`?',
    ])
  })

  it('takes braces and references for text', () => {
    expect(native('customfields: { a: "${env:HOME}", b: "$${x}" }')['enrich']).toMatchObject({
      fields: { a: '${env:HOME}', b: '$${x}' },
    })
  })

  it.each([
    ['- a list', "1:1 Falcosidekick's configuration is a map, in YAML or JSON"],
    ['a: [', '1:4 a `[` or `{` above is not closed'],
  ])('refuses what is no configuration: %s', (text, message) => expect(problems(text)).toContain(message))

  it('takes an empty file, and says when there is none', () => {
    expect(load('').options?.outputs).toEqual([])
    const { problems: found } = loadFalcosidekick({ file: '/nowhere/c.yaml', env: {}, plugins: builtin })
    expect(found[0]?.message).toBe('cannot read it: there is no such file')
  })
})

describe('the server', () => {
  it('listens where Falcosidekick does, and takes events at every path', () => {
    expect(native('')).toMatchObject({ listen: '[::]:2801', inputs: { http: { catchAll: true } } })
    expect(native('listenaddress: 10.0.0.1\nlistenport: "3000"')['listen']).toBe('10.0.0.1:3000')
    expect(native('listenaddress: "::1"')['listen']).toBe('[::1]:2801')
    expect(problems('listenport: 0\nlistenaddress: here').slice(-1)).toEqual([
      '2:16 listenaddress: must be the address of an interface, as a number',
    ])
    expect(problems('listenport: 70000')).toContain('1:13 listenport: must be a port, from 1 to 65535')
    expect(load('listenport: 0').options).toBeUndefined()
  })

  it('serves TLS, and the paths without it at a port of their own', () => {
    const tls = 'tlsserver: { deploy: true, certfile: /c.crt, keyfile: /c.key, mutualtls: true, cacertfile: /ca.crt'
    const secured = { address: '[::]:2801', tls: { certFile: '/c.crt', keyFile: '/c.key', caFile: '/ca.crt' } }
    expect(native(`${tls} }`)['listen']).toEqual(secured)
    expect(native(`${tls}, notlspaths: [/ping, /metrics, /odd], notlsport: 2811 }`)['listen']).toEqual([
      { ...secured, exceptPaths: ['/ping', '/metrics'] },
      { address: '[::]:2811', paths: ['/ping', '/metrics'] },
    ])
    expect(native(undefined, { TLSSERVER_DEPLOY: '1', TLSSERVER_NOTLSPATHS: '/ping' })['listen']).toMatchObject([
      { tls: { certFile: '/etc/certs/server/server.crt' } },
      { address: '[::]:2810', paths: ['/ping'] },
    ])
    expect(problems(`${tls}, notlspaths: [/odd] }`)).toContainEqual(
      expect.stringContaining('/odd is none of /, /ping, /test, /healthz, /metrics'),
    )
    expect(problems('tlsserver: { mutualtls: true }')).toEqual([
      '1:25 warning tlsserver.mutualtls: does nothing without tlsserver.deploy',
    ])
  })

  it('adds what Falcosidekick adds to events', () => {
    const text = `
customfields: { a: x, b: '%TEAM', c: '%NOT_SET', n: 7 }
templatedfields: { t: '{{ or (index . "x") "y" }}' }
customtags: [one, '%TEAM']
bracketreplacer: "_"
outputfieldformat: "<output>"`
    expect(native(text, { TEAM: 'secops' })['enrich']).toEqual({
      fields: { a: 'x', b: 'secops', n: '7' },
      templatedFields: { t: '{{ fields["x"] | default: "y" }}' },
      tags: ['one', 'secops'],
      sortTags: true,
      bracketReplacer: '_',
      outputFormat: '<output>',
    })
    expect(problems(text, { TEAM: 'secops' })).toEqual(['2:15 warning customfields: the variable NOT_SET is not set'])
  })

  it('reads the forms that variables have', () => {
    const env = { CUSTOMFIELDS: 'A:x,B:http://y,odd', CUSTOMTAGS: 'one, two', TEMPLATEDFIELDS: 't:{{ .a }}' }
    expect(native('customfields: { gone: x }', env)['enrich']).toMatchObject({
      fields: { A: 'x', B: 'http://y' },
      tags: ['one', 'two'],
      templatedFields: { t: '{{ fields["a"] }}' },
    })
    expect(problems(undefined, env)).toEqual(['1:1 warning env CUSTOMFIELDS: what is no `name:value` is left out: odd'])
  })

  it('refuses a template that has no counterpart, at its place', () => {
    expect(problems(`templatedfields:\n  t: 'a {{ js .x }}'\n`)).toEqual([
      '2:12 templatedfields.t: the template cannot be translated: line 1, column 6: the function `js` has no counterpart',
    ])
  })

  it('names what does nothing', () => {
    expect(problems('debug: true\naws: { region: eu, checkidentity: true }')).toEqual([
      '1:8 warning debug: more is logged, but not what is sent: that holds secrets',
      '2:16 warning aws.region: does nothing, as in Falcosidekick; set AWS_REGION',
      '2:35 warning aws.checkidentity: does nothing: credentials are looked for when something is sent',
    ])
    expect(problems(undefined, { AWS_REGION: 'eu-central-1' })).toEqual([])
  })

  it('keeps the names of its metrics, with the labels that it would add', () => {
    const compat = (text: string) => load(text).options?.metrics?.compat
    expect(compat('')).toBe(true)
    expect(compat('prometheus: { extralabels: "k8s.ns.name, x" }\ncustomfields: { env: prod }')).toMatchObject({
      extraLabels: ['k8s.ns.name', 'x', 'env'],
    })
    expect(problems('prometheus: { extralabels: "a-b,c" }')).toEqual([
      '1:28 warning prometheus.extralabels: names of labels have letters, digits, _ and . only; the others are left out',
    ])
  })
})

describe('every key', () => {
  const text = readFileSync(EXAMPLE, 'utf8')

  it('is in the example', () => {
    const found = load(text)
    const missing = allKeys()
      .filter((key) => !/minimumpriority|mutualtls|checkcert|maxconcurrentrequests|customheaders|^stan\./.test(key))
      .filter((key) => {
        const parts = key.split('.')
        const value = parts.reduce<unknown>(
          (map, part) => (map as Record<string, unknown> | undefined)?.[part],
          parsedExample(),
        )
        return value === undefined
      })
    expect(missing).toEqual([])
    expect(found.problems.filter(({ message }) => message.includes('is not a key'))).toEqual([])
  })

  it('is honoured, or named in a warning', () => {
    const { problems: found, options } = load(text)
    expect(found.filter(({ severity }) => severity === 'error')).toEqual([])
    expect(options?.outputs.map(({ output: { id } }) => id).sort()).toEqual(
      SECTIONS.map(({ path }) => path)
        .filter((path) => path !== 'stan')
        .sort(),
    )
    expect(found.filter(({ message }) => message.includes('no such setting'))).toEqual([])
  })

  const parsedExample = (): unknown => {
    const seen: Record<string, unknown> = {}
    const stack: Record<string, unknown>[] = [seen]
    for (const line of text.split('\n')) {
      const [, indent = '', key] = /^( *)([\w.]+):/.exec(line) ?? []
      if (key === undefined) continue
      const depth = indent.length / 2
      const map: Record<string, unknown> = {}
      const parent = stack[depth]
      if (parent) parent[key.toLowerCase()] = map
      stack[depth + 1] = map
    }
    return seen
  }
})

describe('conversion', () => {
  it.each([
    ['1s', 's', '1s'],
    ['1m30s', 's', '90s'],
    ['1h', 's', '1h'],
    ['500ms', 's', '500ms'],
    ['10000', 'ms', '10s'],
    ['300', 's', '5m'],
    ['5', 'min', '5m'],
    ['1000000000', 'ns', '1s'],
    ['1', 'ns', '1ms'],
    ['0', 's', '0s'],
  ] as const)('%s in %s is %s', (text, unit, shown) =>
    expect(durationText(millisecondsOf(text, unit) ?? -1)).toBe(shown),
  )

  it.each(['', 'soon', '1 week', '1x'])('takes %j for no duration', (text) =>
    expect(millisecondsOf(text, 's')).toBeUndefined(),
  )

  it.each<[z.ZodType, unknown, unknown]>([
    [z.boolean(), 'TRUE', true],
    [z.boolean(), '0', false],
    [z.boolean(), 'maybe', 'maybe'],
    [z.int(), '7', 7],
    [z.int(), 'seven', 'seven'],
    [z.string(), 7, '7'],
    [z.array(z.string()), 'a, b,', ['a', 'b']],
    [z.union([z.string(), z.array(z.string())]), 'a', 'a'],
    [z.union([z.string(), z.array(z.string())]), 'a,b', ['a', 'b']],
    [z.record(z.string(), z.string()), 'a:b, c:d:e', { a: 'b', c: 'd:e' }],
    [z.enum(['scram-sha-256', 'none']), 'SCRAM_SHA_256', 'scram-sha-256'],
    [z.union([z.literal(1), z.literal(2)]), '2', 2],
    [duration(), 30, '30s'],
    [z.strictObject({ on: z.boolean() }), { on: 'true' }, { on: true }],
  ])('%#: a weak type becomes the one that is wanted', (schema, value, wanted) =>
    expect(convert([settingsSchema(schema)], value)).toEqual(wanted),
  )
})
