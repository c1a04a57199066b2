/** Values as people write them for charts that check nothing: numbers and switches as text, nothing, the wrong kind. */
import { describe, expect, it } from 'vitest'
import { put } from '../../../src/config/values/move.ts'
import { falcosidekick, keysOf, talon } from './_kit.ts'

describe('numbers and switches as text', () => {
  it('are numbers and switches to our chart', () => {
    const { at } = falcosidekick(`
replicaCount: "3"
service: { port: "8080" }
ingress: { enabled: "true", hosts: [{ host: a }] }
httproute: { enabled: "true" }
serviceMonitor: { enabled: "true" }
prometheusRules: { enabled: "true" }
config: { tlsserver: { deploy: "true", mutualtls: "true" }, aws: { useirsa: "false", rolearn: arn:r } }
`)
    expect(at('replicas')).toBe(3)
    expect(at('service', 'port')).toBe(8080)
    for (const key of ['ingress', 'httpRoute', 'serviceMonitor', 'prometheusRule'])
      expect(at(key), key).toMatchObject({ enabled: true })
    expect(at('tls')).toEqual({ secretName: 'yarak-tls', clientAuth: 'require' })
    expect(at('serviceAccount')).toBeUndefined()
  })

  it('are so in the values of Talon too', () => {
    const { at, told } = talon(`
replicaCount: "1"
service: { port: "8080" }
rbac: { serviceAccount: { create: "false" } }
grafana: { dashboards: { enabled: "true" } }
config: { otel: { tracesEnabled: "true", collectorEndpoint: o, collectorPort: "1", collectorUseInsecureGrpc: "true" } }
`)
    expect(at('replicas')).toBe(1)
    expect(at('service', 'port')).toBe(8080)
    expect(at('serviceAccount')).toEqual({ create: false })
    expect(at('dashboard')).toEqual({ enabled: true })
    expect(at('otlp')).toEqual({ endpoint: 'http://o:1', protocol: 'grpc' })
    expect(told.join()).not.toContain('replicaCount')
  })

  it('that say no leave nothing behind', () => {
    const { values, told } = falcosidekick('webui: { enabled: "false" }\ningress: { enabled: "false" }\n')
    expect(values).not.toHaveProperty('ingress')
    expect(told).toEqual([])
  })

  it('stay text where a name stands', () => {
    expect(falcosidekick('fullnameOverride: "7"\npodLabels: { on: "true" }\n').values).toMatchObject({
      fullnameOverride: '7',
      podLabels: { on: 'true' },
    })
  })
})

describe('what is empty', () => {
  it('is as if it were not there', () => {
    const empty = '{ replicaCount: "", service: { port: }, config: { extraEnv: , aws: , tlsserver: , slack: }, webui: }'
    const { values, told } = falcosidekick(empty)
    expect({ values, told }).toEqual({ values: falcosidekick('{}').values, told: [] })
    const ofTalon =
      '{ replicaCount: , service: { port: "" }, rbac: , extraEnv: , config: { otel: , aws: , notifiers: } }'
    expect(talon(ofTalon).values).toEqual(talon('{}').values)
  })
})

describe('what Helm itself writes', () => {
  it('above values that it prints for people is no value', () => {
    expect(falcosidekick('USER-SUPPLIED VALUES:\nservice: { port: 1 }\n')).toMatchObject({
      told: [],
      values: { service: { port: 1 } },
    })
    expect(talon('COMPUTED VALUES:\n').told).toEqual(talon('{}').told)
  })

  it('by anchors and merges is read', () => {
    const { at } = falcosidekick(`
x: &settings { hostport: "http://es:9200", index: falco }
config: { elasticsearch: { <<: *settings, minimumpriority: error } }
`)
    expect(at('config', 'outputs', 'elasticsearch')).toMatchObject({
      hostPort: 'http://es:9200',
      minimumPriority: 'Error',
    })
  })
})

it('a kubeconfig that the chart sets by itself is left out: a pod is in the cluster', () => {
  const { at } = falcosidekick('config: { policyreport: { enabled: true, kubeconfig: ~/.kube/config } }\n')
  expect(at('config', 'outputs')).toHaveProperty('policyreport')
  expect(at('config')).not.toHaveProperty('resources')
})

describe('what is of the wrong kind', () => {
  it.each([
    ['config: slack\n', 'error 1:9: config must be a map, as in that chart'],
    ['falcosidekick: { config: [a] }\n', 'error 1:26: config must be a map, as in that chart'],
    ['ingress: true\n', 'error 1:10: ingress must be a map, as in that chart'],
    ['config: { extraEnv: { A: b } }\n', 'error 1:21: config.extraEnv must be a list of {name, value}'],
  ])('is told of, where it stands: %j', (text, message) => {
    expect(falcosidekick(text).told).toContain(message)
  })

  const WRONG = [null, '', [], {}, 'x', 'true', 5, true, ['a'], [null], { a: null }, [{}]]

  it.each([
    ['falcosidekick', falcosidekick],
    ['falco-talon', talon],
  ] as const)('never throws: %s', (chart, read) => {
    const paths = keysOf(chart).map((key) => key.split('.'))
    for (const depth of [1, 2, 3])
      for (const wrong of WRONG) {
        const all = {}
        for (const path of paths) put(all, path.slice(0, depth).join('.'), wrong)
        expect(read(JSON.stringify(all)).values, `${depth} ${JSON.stringify(wrong)}`).toBeDefined()
      }
  })
})
