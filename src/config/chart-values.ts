/** The values of the Helm chart, but for `config`: what it takes, checked by Helm before anything is installed. */
import { z } from 'zod'

const flag = () => z.boolean()
const text = () => z.string()
const count = (least = 1) => z.int().min(least)
const names = () => z.array(z.string().min(1))
/** Given to Kubernetes as it is. */
const object = () => z.looseObject({})
const objects = () => z.array(object())
/** Labels and annotations; written as texts, whatever they are here. */
const texts = () => z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
const SIZE = /^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti)?$/

/** A right as in a Role; `namespace: own` is one in the namespace of the release. */
const right = z.strictObject({
  apiGroups: z.array(text()),
  resources: names(),
  verbs: names(),
  resourceNames: names().optional(),
  namespace: z.literal('own').optional(),
  warning: text().optional(),
})

const rules = z.strictObject({
  files: z.record(z.string(), z.union([z.string(), objects()])).describe('Rules files: each a list of rules, or text.'),
  builtin: z
    .array(z.enum(['credentials', 'escapes', 'execution', 'kubernetes-audit', 'network', 'tampering']))
    .describe('Rules files of the image.'),
  existingConfigMap: text().describe('A ConfigMap with further rules files.'),
})

const rbac = z.strictObject({
  create: flag().describe('Make roles and bindings.'),
  namespaces: names().describe('Make Roles in these namespaces instead of a ClusterRole.'),
  rules: z.array(right).describe('The rights, as `yarak rbac --values` prints them.'),
  extraRules: z.array(right).describe('Further rights.'),
})

const image = z.strictObject({
  registry: text().describe('One registry for all images.'),
  repository: z.string().min(1),
  tag: text(),
  digest: z.string().regex(/^(sha256:[0-9a-f]{64})?$/),
  pullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']),
})

const autoscaling = z.strictObject({
  enabled: flag(),
  minReplicas: count(),
  maxReplicas: count(),
  targetCPUUtilizationPercentage: count(),
  metrics: objects(),
})

const keda = z.strictObject({
  enabled: flag(),
  minReplicas: count(0),
  maxReplicas: count().nullable().describe('Default: partitions.'),
  partitions: count().nullable().describe('Partitions of all topics together.'),
  lagThreshold: count(),
  pollingInterval: count(),
  cooldownPeriod: count(0),
  authenticationRef: text(),
  metadata: texts(),
  triggers: objects(),
})

const route = { enabled: flag(), annotations: texts(), path: z.string().regex(/^\//) }

const tls = z.strictObject({
  secretName: text(),
  clientAuth: z.enum(['none', 'request', 'require']),
  certManager: z.strictObject({
    enabled: flag(),
    issuerRef: z.strictObject({ name: text().optional(), kind: text().optional(), group: text().optional() }),
    dnsNames: names(),
    duration: text(),
  }),
})

const monitor = () => z.strictObject({ enabled: flag(), interval: text(), labels: texts() })

/** What a user may give; Helm has merged the defaults by then, so that a part of it is enough. */
export const chartValues = z.strictObject({
  preset: z.enum(['gateway', 'responder', 'both']).describe('What it is for.'),
  config: object().describe('The configuration; what is given here stands over the defaults of the preset.'),
  existingSecret: text().describe('A Secret that holds the configuration as `yarak.yaml`.'),
  rules,
  rbac,
  serviceAccount: z.strictObject({ create: flag(), name: text(), annotations: texts(), labels: texts() }),
  image,
  imagePullSecrets: objects(),
  replicas: count(0).describe('How many pods.'),
  autoscaling,
  keda,
  journal: z.strictObject({
    ephemeral: flag(),
    size: z.string().regex(SIZE),
    storageClass: text(),
    existingClaim: text(),
  }),
  service: z.strictObject({
    type: z.enum(['ClusterIP', 'NodePort', 'LoadBalancer']),
    port: count().max(65_535),
    annotations: texts(),
    labels: texts(),
  }),
  ipFamilyPolicy: z.enum(['', 'SingleStack', 'PreferDualStack', 'RequireDualStack']),
  ipFamilies: z.array(z.enum(['IPv4', 'IPv6'])).max(2),
  ingress: z.strictObject({ ...route, className: text(), hosts: names(), tls: objects() }),
  httpRoute: z.strictObject({ ...route, parentRefs: objects(), hostnames: names() }),
  tls,
  networkPolicy: z.strictObject({
    enabled: flag(),
    senders: objects(),
    prometheus: objects(),
    apiServer: objects(),
    egress: objects(),
  }),
  serviceMonitor: monitor(),
  podMonitor: monitor(),
  prometheusRule: z.strictObject({ enabled: flag(), labels: texts() }),
  dashboard: z.strictObject({ enabled: flag(), labels: texts(), annotations: texts() }),
  otlp: z.strictObject({
    endpoint: text(),
    protocol: z.enum(['http/protobuf', 'http/json', 'grpc']),
    headersSecret: z.strictObject({ name: text(), key: text() }),
  }),
  proxy: z.strictObject({ http: text(), https: text(), noProxy: text() }),
  env: objects(),
  envFrom: objects(),
  volumes: objects(),
  volumeMounts: objects(),
  initContainers: objects(),
  resources: object(),
  podDisruptionBudget: z.strictObject({ enabled: flag(), maxUnavailable: z.union([count(), text()]) }),
  terminationGracePeriodSeconds: count(0).nullable(),
  nodeSelector: texts(),
  tolerations: objects(),
  affinity: object(),
  topologySpreadConstraints: objects(),
  priorityClassName: text(),
  podLabels: texts(),
  podAnnotations: texts(),
  nameOverride: text(),
  fullnameOverride: text(),
})
