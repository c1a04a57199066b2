import { describe, expect, it } from 'vitest'
import { outputNames } from '../../../src/config/falcosidekick/names.ts'
import { load, native, output, problems } from './_kit.ts'

const HOOK = 'https://hooks.example.com/0123456789'
const hook = (more = '') => `slack: { webhookurl: '${HOOK}'${more && `, ${more}`} }`

describe('sections', () => {
  it('are off until all that they need is set', () => {
    expect(native('slack: { webhookurl: "", channel: x }')['outputs']).toBeUndefined()
    expect(native('policyreport: { enabled: false }')['outputs']).toBeUndefined()
    expect(native('alertmanager: { hostport: [] }')['outputs']).toBeUndefined()
    expect(output('policyreport: { enabled: true }', 'policyreport')).toEqual({})
    expect(problems('kafka: { hostport: "b:9092" }')).toEqual([
      '1:20 warning kafka.hostport: kafka is off: it also needs kafka.topic',
    ])
  })

  it("have Falcosidekick's defaults where ours are others, and no more", () => {
    expect(output(hook(), 'slack')).toEqual({
      webhookUrl: HOOK,
      username: 'Falcosidekick',
      icon: expect.stringMatching(/falcosidekick_color\.png$/) as string,
      footer: 'https://github.com/falcosecurity/falcosidekick',
    })
    expect(output(hook('footer: "", username: "", icon: ""'), 'slack')).toEqual({ webhookUrl: HOOK })
    expect(output(`opsgenie: { apikey: k }`, 'opsgenie')).toEqual({ apiKey: 'k', entity: 'Falcosidekick' })
    expect(output('elasticsearch: { hostport: http://es:9200 }', 'elasticsearch')).toMatchObject({
      hostPort: 'http://es:9200',
      batching: { enabled: false },
    })
    expect(output('statsd: { forwarder: "s:8125" }', 'statsd')).toMatchObject({ namespace: 'falcosidekick.' })
    expect(output('aws: { cloudwatchlogs: { loggroup: g } }', 'aws.cloudwatchlogs')).toEqual({
      logGroup: 'g',
      logStream: 'falcosidekick-logstream',
    })
  })

  it('keep digits of what looks like a number', () => {
    expect(output('telegram: { token: t, chatid: -1001234567890123456 }', 'telegram')).toMatchObject({
      chatId: '-1001234567890123456',
    })
    expect(output('loki: { hostport: http://l, tenant: 007 }', 'loki')).toMatchObject({ tenant: '007' })
  })

  it('are refused where there is no such output', () => {
    expect(problems('stan: { hostport: nats://s:4222, clusterid: c, clientid: i }')).toEqual([
      expect.stringMatching(/^1:19 stan\.hostport: NATS Streaming ended in 2023 .* use `nats`, with JetStream/),
    ])
  })
})

describe('what every section may have', () => {
  it.each([
    ['warning', 'Warning', undefined],
    ['CRITICAL', 'Critical', undefined],
    ['""', undefined, undefined],
    ['info', undefined, /info is no priority, so that all events are told, as by Falcosidekick; informational is one/],
    ['xdebugx', undefined, /xdebugx is no priority.*debug is one/],
    ['high', undefined, /high is no priority, so that all events are told, as by Falcosidekick$/],
  ])('minimumpriority: %s', (text, priority, warning) => {
    const yaml = hook(`minimumpriority: ${text}`)
    expect((output(yaml, 'slack') as { minimumPriority?: string }).minimumPriority).toBe(priority)
    const found = problems(yaml).filter((one) => !one.includes('`Test rule`'))
    if (warning) expect(found).toEqual([expect.stringMatching(warning)])
    else expect(found).toEqual([])
  })

  it('tells once that the test rule is no exception', () => {
    const found = problems(`${hook('minimumpriority: error')}\nwebhook: { address: http://w, minimumpriority: error }`)
    expect(found).toEqual([expect.stringContaining('holds for events of the rule `Test rule` too')])
  })

  it('maxconcurrentrequests is the concurrency, 0 the most there is', () => {
    expect(output(hook('maxconcurrentrequests: 4'), 'slack')).toMatchObject({ concurrency: 4 })
    expect(output(hook('maxconcurrentrequests: 0'), 'slack')).toMatchObject({ concurrency: 256 })
    expect(output(hook(), 'slack')).not.toHaveProperty('concurrency')
    expect(problems(hook('maxconcurrentrequests: many'))).toEqual([
      expect.stringContaining('must be a number of requests'),
    ])
  })

  it('customheaders are those of the requests, in all their forms', () => {
    const headers = (env: string) =>
      (output('webhook: { address: http://w }', 'webhook', { WEBHOOK_CUSTOMHEADERS: env }) as { http?: object }).http
    expect(headers('a:b,c:Bearer x:y')).toEqual({ headers: { a: 'b', c: 'Bearer x:y' } })
    expect(headers('{"a":"b"}')).toEqual({ headers: { a: 'b' } })
    expect(output('webhook: { address: http://w, customHeaders: { X-Key: v } }', 'webhook')).toMatchObject({
      http: { headers: { 'X-Key': 'v' } },
    })
    expect(problems('syslog: { host: h, customheaders: { a: b } }')).toEqual([
      expect.stringContaining('this output sends no HTTP requests'),
    ])
    expect(problems(undefined, { WEBHOOK_ADDRESS: 'http://w', WEBHOOK_CUSTOMHEADERS: '{"a"' })).toEqual([
      '1:1 env WEBHOOK_CUSTOMHEADERS: is no JSON object',
    ])
  })

  it('a user and a password in an address become a header', () => {
    expect(output('zincsearch: { hostport: "http://u%40x:p@z:4080" }', 'zincsearch')).toEqual({
      hostPort: 'http://z:4080',
      http: { headers: { authorization: `Basic ${Buffer.from('u@x:p').toString('base64')}` } },
    })
  })
})

describe('TLS', () => {
  const tlsOf = (text: string, id = 'slack') => {
    const { http, tls } = output(text, id) as { http?: { tls?: object }; tls?: object }
    return http?.tls ?? tls
  }

  it('is checked unless checkcert says otherwise', () => {
    expect(tlsOf(hook())).toBeUndefined()
    expect(tlsOf(hook('checkcert: true'))).toBeUndefined()
    expect(tlsOf(hook('checkcert: false'))).toEqual({ verify: false })
    expect(tlsOf(`tlsclient: { cacertfile: /ca.crt }\n${hook()}`)).toEqual({ caFile: '/ca.crt' })
  })

  it('is mutual with the files of all, whatever checkcert is', () => {
    const files = { certFile: '/etc/certs/client.crt', keyFile: '/etc/certs/client.key', caFile: '/etc/certs/ca.crt' }
    expect(tlsOf(hook('mutualtls: true, checkcert: false'))).toEqual(files)
    expect(tlsOf(`mutualtlsfilespath: /c\n${hook('mutualtls: true')}`)).toMatchObject({ certFile: '/c/client.crt' })
    expect(tlsOf(`mutualtlsclient: { certfile: /x.crt }\n${hook('mutualtls: true')}`)).toEqual({
      ...files,
      certFile: '/x.crt',
    })
  })

  it('is a setting of its own where there is no HTTP', () => {
    const redis = (more: string) => tlsOf(`redis: { address: "r:6379", ${more} }`, 'redis')
    expect(redis('tls: false')).toBeUndefined()
    expect(redis('tls: true')).toEqual({})
    expect(redis('tls: true, checkcert: false, cacertfile: /ca.crt')).toEqual({ verify: false, caFile: '/ca.crt' })
    expect(redis('mutualtls: true, certfile: /c.crt, keyfile: /c.key')).toMatchObject({ certFile: '/c.crt' })
    expect(tlsOf('mqtt: { broker: "ssl://m:8883", checkcert: false }', 'mqtt')).toEqual({ verify: false })
    expect(output('smtp: { hostport: "m:25", from: a@b.example, to: c@d.example, tls: false }', 'smtp')).toMatchObject({
      tls: false,
    })
  })
})

describe('keys that are not simply ours', () => {
  it('kafka', () => {
    const text = `kafka: { hostport: "a, b:9093", topic: t, sasl: SCRAM_SHA256, username: u, password: p, tls: true,
      requiredacks: ALL, compression: SNAPPY, clientid: c, topiccreation: true, balancer: crc32, async: true }`
    expect(output(text, 'kafka')).toEqual({
      ...{ brokers: ['a:9092', 'b:9093'], topic: 't', key: 'none', tls: {}, acks: 'all', compression: 'snappy' },
      ...{ clientId: 'c', createTopic: true, sasl: { mechanism: 'scram-sha-256', username: 'u', password: 'p' } },
    })
    expect(load(text).options).toBeDefined()
    expect(problems('kafka: { hostport: "a", topic: t, username: u }')).toEqual([
      '1:45 warning kafka.username: does nothing without `sasl`',
    ])
    expect(output('kafka: { hostport: a, topic: t, sasl: plain }', 'kafka')).toMatchObject({
      sasl: { mechanism: 'plain' },
    })
  })

  it('alertmanager', () => {
    const env = {
      ALERTMANAGER_HOSTPORT: 'http://a:9093,http://b:9093',
      ALERTMANAGER_EXPIRESAFTER: '90',
      ALERTMANAGER_EXTRALABELS: 'team:sec, env',
      ALERTMANAGER_CUSTOMSEVERITYMAP: 'debug:low,odd:x',
      ALERTMANAGER_DROPEVENTTHRESHOLDS: '10:warning, 100:critical, x:alert, 7',
    }
    expect(output(undefined, 'alertmanager', env)).toMatchObject({
      hostPort: ['http://a:9093', 'http://b:9093'],
      expiresAfter: '90s',
      extraLabels: { team: 'sec' },
      customSeverityMap: { Debug: 'low' },
      dropEventThresholds: [
        { above: 100, priority: 'Critical' },
        { above: 10, priority: 'Warning' },
      ],
    })
    expect(problems(undefined, env)).toEqual([
      '1:1 warning env ALERTMANAGER_CUSTOMSEVERITYMAP: odd is no priority of Falco',
      '1:1 warning env ALERTMANAGER_DROPEVENTTHRESHOLDS: of what is no `number:priority`, nothing is taken',
    ])
  })

  it('fields that are added are labels, columns and attributes too', () => {
    const text = `customfields: { a: x }\ntemplatedfields: { b: y }\nloki: { hostport: http://l, extralabels: "c, a" }
timescaledb: { host: h }\notlp: { metrics: { endpoint: http://o } }`
    expect(output(text, 'loki')).toMatchObject({ extraLabels: ['c', 'a', 'b'] })
    expect(output(text, 'timescaledb')).toMatchObject({ columns: ['a', 'b'] })
    expect(output(text, 'otlp.metrics')).toMatchObject({ extraAttributes: ['a', 'b'] })
  })

  it('otlp', () => {
    const text =
      'otlp: { traces: { endpoint: "http://o:4318", timeout: 5000, duration: 2000, headers: "a=b%20c,d=e", synced: true, tls: true } }'
    expect(output(text, 'otlp.traces')).toMatchObject({
      timeout: '5s',
      duration: '2s',
      http: { headers: { a: 'b c', d: 'e' } },
    })
    expect(load(text).problems.map(({ severity }) => severity)).toEqual(['warning', 'warning'])
    expect(load('otlp: { logs: { endpoint: "http://o:4317", protocol: grpc } }').options).toBeUndefined()
  })

  it('what is of a vendor is of each of its outputs', () => {
    const text = `yandex: { accesskeyid: k, secretaccesskey: s, s3: { bucket: bucket }, datastreams: { streamname: /a/b/c/d } }
gcp: { credentials: e30=, pubsub: { projectid: project, topic: t } }`
    expect(output(text, 'yandex.s3')).toMatchObject({ accessKeyId: 'k', secretAccessKey: 's' })
    expect(output(text, 'yandex.datastreams')).toMatchObject({ accessKeyId: 'k' })
    expect(output(text, 'gcp.pubsub')).toMatchObject({ credentials: 'e30=' })
  })

  it('a kubeconfig is of the cluster', () => {
    const text = 'openfaas: { functionname: f, kubeconfig: /k }'
    expect(native(text)['resources']).toEqual({ kubernetes: { kubeconfig: '/k' } })
    expect(output(text, 'openfaas')).toMatchObject({ serviceProxy: true })
  })

  it.each([
    ['3', '5m', true],
    ['10', '10m', false],
    ['90', '1h', true],
  ])('Security Lake writes every 5 to 60 minutes, at %s every %s', (text, wait, warned) => {
    const yaml = `aws: { securitylake: { bucket: bucket, region: eu-west-1, accountid: "123456789012", prefix: p, interval: ${text} } }`
    expect(JSON.stringify(output(yaml, 'aws.securitylake'))).toContain(`"${wait}"`)
    expect(problems(yaml)).toHaveLength(warned ? 1 : 0)
  })

  it('a message format is translated, or refused at its place', () => {
    expect(output(hook(`messageformat: 'x {{ .Rule }}'`), 'slack')).toMatchObject({ messageFormat: 'x {{ rule }}' })
    expect(problems(`slack:\n  webhookurl: ${HOOK}\n  messageformat: 'x {{ .Nope }}'`)).toEqual([
      '3:24 slack.messageformat: the template cannot be translated: line 1, column 6: an event has no member `.Nope`',
    ])
  })

  it('the user interface is told of the others, in the order of Falcosidekick', () => {
    expect(output(`webui: { url: http://u }\nwebhook: { address: http://w }\n${hook()}`, 'webui')).toMatchObject({
      outputs: ['Slack', 'Webhook', 'WebUI'],
    })
    expect(outputNames(['otlp.traces', 'aws.s3', 'azure.eventhub'])).toEqual(['AWSS3', 'EventHub', 'OTLPTraces'])
  })
})
