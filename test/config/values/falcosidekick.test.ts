/** The values of Falcosidekick's chart. */
import { describe, expect, it } from 'vitest'
import { CALLED, CONFIG_ROWS, ROWS, USUAL } from '../../../src/config/falcosidekick/chart.ts'
import { defaultOf } from '../../../src/config/falcosidekick/keys.ts'
import type { Row } from '../../../src/config/values/move.ts'
import { falcosidekick, keysOf } from './_kit.ts'

const covers = (rows: readonly Row[], name: string): boolean =>
  rows.some(({ key }) => name === key || name.startsWith(`${key}.`))

describe('each value of the chart', () => {
  const keys = keysOf('falcosidekick')

  it('is translated or told of', () => {
    expect(keys.length).toBeGreaterThan(500)
    const left = keys.filter((name) => {
      if (!name.startsWith('config.')) return !covers(ROWS, name)
      const inner = name.slice('config.'.length)
      return !covers(CONFIG_ROWS, inner) && !(inner in CALLED) && defaultOf(inner.toLowerCase()) === undefined
    })
    expect(left).toEqual([])
  })

  it('that is named here is one', () => {
    const ofFalco = ['enabled', 'fullfqdn', 'listenPort']
    const ofHelm = ['USER-SUPPLIED VALUES', 'COMPUTED VALUES']
    const optional = [...ofFalco, ...ofHelm, 'revisionHistoryLimit', 'ingress.ingressClassName']
    const known = (name: string): boolean => keys.some((key) => key === name || key.startsWith(`${name}.`))
    expect(ROWS.map(({ key }) => key).filter((key) => !known(key) && !optional.includes(key))).toEqual([])
    const ofConfig = [...CONFIG_ROWS.map(({ key }) => key), ...Object.keys(CALLED), ...Object.keys(USUAL)]
    expect(ofConfig.filter((key) => !known(`config.${key}`))).toEqual([])
  })
})

describe('values', () => {
  it('of nothing but the defaults are a gateway of two pods', () => {
    expect(falcosidekick('{}')).toMatchObject({
      told: [],
      values: {
        preset: 'gateway',
        replicas: 2,
        config: { version: 1, inputs: { http: { catchAll: true } }, metrics: { compat: true } },
        service: { annotations: { 'prometheus.io/scrape': 'true' } },
      },
    })
    expect(falcosidekick('{}').at('config')).not.toHaveProperty('listen')
  })

  it('are found in those of the chart of Falco', () => {
    const { at, told } = falcosidekick(
      'falcosidekick:\n  enabled: true\n  config: { slack: { webhookurl: https://x.example.com } }\n',
    )
    expect(at('config', 'outputs', 'slack', 'webhookUrl')).toBe('https://x.example.com')
    expect(told).toEqual(["warning 2:3: enabled: for Falco's chart: see the first lines"])
  })

  it('keep what the chart sets by itself, where Falcosidekick does otherwise', () => {
    const { at } = falcosidekick(`config:
  alertmanager: { hostport: http://a:9093 }
  quickwit: { hostport: http://q:7280 }
  elasticsearch: { hostport: http://e:9200, batching: { enabled: false } }
  timescaledb: { host: t }
`)
    expect(at('config', 'outputs', 'alertmanager', 'endpoint')).toBe('/api/v1/alerts')
    expect(at('config', 'outputs', 'quickwit', 'apiEndpoint')).toBe('/api/v1')
    expect(at('config', 'outputs', 'elasticsearch', 'batching')).not.toMatchObject({ enabled: true })
    expect(at('config', 'outputs', 'timescaledb', 'hypertableName')).toBe('falco_events')
  })

  it('of the chart that Falcosidekick calls otherwise are called as it does', () => {
    const { at, told } = falcosidekick('config: { alertmanager: { hostport: "http://a:1", expireafter: 900 } }\n')
    expect(at('config', 'outputs', 'alertmanager', 'expiresAfter')).toBe('15m')
    expect(told).toEqual([])
  })

  it('with an output that needs rights in the cluster are no gateway only', () => {
    expect(falcosidekick('config: { policyreport: { enabled: true } }').at('preset')).toBe('both')
  })

  it.each([
    [
      'config: { slack: { webhookurl: 7x } }\n',
      /^error 1:32: outputs\.slack\.webhookUrl: must be an http or https address/,
    ],
    ['config: { slak: { webhookurl: x } }\n', /^warning 1:11: slak is not a key of Falcosidekick and does nothing$/],
    ['ingres: { enabled: true }\n', /^warning 1:1: ingres is no value of that chart$/],
    ['- a\n', /^error 1:1: the values of a chart are a map$/],
    ['a: [\n', /^error /],
  ])('%j tell what is wrong, where it stands', (text, message) => {
    expect(falcosidekick(text).told[0]).toMatch(message)
  })
})

describe('secrets', () => {
  const SECRET = 'existingSecret: sidekick\n'

  it('stay in the Secret: what an output cannot be without is taken from there', () => {
    const { values, notes, secrets, told } = falcosidekick(`config:
  ${SECRET}
  slack: { minimumpriority: error }
  kafka: { topic: falco, sasl: PLAIN, username: u }
  loki: { grafanaDashboard: {} }
`)
    expect(values).toMatchObject({
      envFrom: [{ secretRef: { name: 'sidekick' } }],
      config: {
        outputs: {
          slack: { webhookUrl: '${env:SLACK_WEBHOOKURL}', minimumPriority: 'Error' },
          kafka: { brokers: ['${env:KAFKA_HOSTPORT}'], sasl: { username: 'u', password: '${env:KAFKA_PASSWORD}' } },
        },
      },
    })
    expect(notes.join('\n')).toContain(
      'taken to be in the Secret sidekick: SLACK_WEBHOOKURL, KAFKA_HOSTPORT, KAFKA_PASSWORD',
    )
    expect(secrets).toBe(0)
    expect(told.filter((one) => one.startsWith('error'))).toEqual([])
    expect(JSON.stringify(values)).not.toContain('yarak-env-')
  })

  it('are asked for when nothing tells what they are of', () => {
    const { notes, at } = falcosidekick(`config:\n  ${SECRET}`)
    expect(notes.slice(2)).toEqual([
      'what is in the Secret sidekick is not known here',
      'further variables that it has are named by --secret-key; kubectl describe secret sidekick shows them',
    ])
    expect(at('config', 'outputs')).toBeUndefined()
  })

  it('that are named are used, also where values say otherwise', () => {
    const text = `config:\n  ${SECRET}  teams: { webhookurl: https://old.example.com }\n`
    const { at } = falcosidekick(text, ['TEAMS_WEBHOOKURL', 'WEBHOOK_ADDRESS'])
    expect(at('config', 'outputs', 'teams', 'webhookUrl')).toBe('${env:TEAMS_WEBHOOKURL}')
    expect(at('config', 'outputs', 'webhook', 'address')).toBe('${env:WEBHOOK_ADDRESS}')
  })

  it('of extraEnv stay references, and are not looked for in the Secret', () => {
    const { values, notes } = falcosidekick(`config:
  ${SECRET}  loki: { hostport: "http://l:3100", user: t }
  extraEnv:
    - { name: LOKI_PASSWORD, valueFrom: { secretKeyRef: { name: a, key: b } } }
    - { name: LOKI_APIKEY, valueFrom: { secretKeyRef: { name: a, key: c } } }
`)
    expect(values).toMatchObject({
      config: { outputs: { loki: { user: 't', apiKey: '${env:LOKI_APIKEY}' } } },
      env: [{ name: 'LOKI_PASSWORD' }, { name: 'LOKI_APIKEY' }],
    })
    expect(notes.join('\n')).not.toContain('LOKI_APIKEY')
  })

  it('that stand in the values are counted, as they stand in the new ones', () => {
    const { secrets, at } = falcosidekick('config: { slack: { webhookurl: "https://x.example.com/s3cret${A}" } }\n')
    expect(secrets).toBe(1)
    expect(at('config', 'outputs', 'slack', 'webhookUrl')).toBe('https://x.example.com/s3cret$${A}')
  })
})

describe('around the configuration', () => {
  it('identities become annotations', () => {
    const { at } = falcosidekick(`config:
  aws: { rolearn: arn:r, externalid: x, region: eu-west-1, s3: { bucket: b } }
  gcp: { workloadIdentityServiceAccount: g }
  azure: { workloadIdentityClientID: c, podIdentityName: p }
`)
    expect(at('serviceAccount', 'annotations')).toEqual({
      'eks.amazonaws.com/role-arn': 'arn:r',
      'iam.gke.io/gcp-service-account': 'g',
      'azure.workload.identity/client-id': 'c',
    })
    expect(at('podLabels')).toEqual({ 'azure.workload.identity/use': 'true' })
    expect(at('env')).toEqual([{ name: 'AWS_REGION', value: 'eu-west-1' }])
  })

  it('a role without IRSA is told of, as Falcosidekick does nothing with it', () => {
    const { at, told } = falcosidekick('config: { aws: { useirsa: false, rolearn: arn:r } }\n')
    expect(at('serviceAccount')).toBeUndefined()
    expect(told).toEqual([expect.stringContaining('aws.rolearn: does nothing')])
  })

  it.each([
    ['existingSecret: certs, mutualtls: true', { secretName: 'certs', clientAuth: 'require' }],
    ['servercrt: CRT, serverkey: KEY', { secretName: 'yarak-tls' }],
  ])('a certificate (%s) is that of a Secret, never its text', (settings, expected) => {
    const { values, at, told } = falcosidekick(`config: { tlsserver: { deploy: true, ${settings} } }\n`)
    expect(at('tls')).toEqual(expected)
    expect(told).toEqual([
      expect.stringMatching(/^warning 1:11: config\.tlsserver: the Secret \S+ must hold tls\.crt and tls\.key/),
    ])
    expect(JSON.stringify(values)).not.toMatch(/CRT|KEY/)
    expect(at('config')).not.toHaveProperty('listen')
  })

  it('an Ingress and a route are those of ours, and nothing when they are off', () => {
    const { at } = falcosidekick(`
ingress: { enabled: true, ingressClassName: nginx, hosts: [{ host: a, paths: [{ path: /x }] }, { host: b }] }
httproute: { enabled: false, hostnames: [c] }
`)
    expect(at('ingress')).toEqual({ enabled: true, className: 'nginx', hosts: ['a', 'b'], path: '/x' })
    expect(at('httpRoute')).toBeUndefined()
  })

  it('the web page is told of only where it is in use', () => {
    expect(falcosidekick('webui: { enabled: false, replicaCount: 2 }\n').told).toEqual([])
    expect(falcosidekick('webui: { enabled: true }\n').told).toEqual([expect.stringContaining('webui: left out')])
  })
})
