/**
 * Every key of Falcosidekick's configuration with its default.
 *
 * Source: `config.go` and `types/types.go` of Falcosidekick at 8807ab7 (August 2026).
 */

/** A default tells the type too: a list, or a map, is empty. */
export type Default = string | number | boolean | readonly [] | Readonly<Record<string, never>>

/** The keys of a section, in lower case, with their defaults. */
export type Keys = Readonly<Record<string, Default>>

/** The part that sets one output. */
export interface Section {
  /** Its path, which is also the type of our output: `aws.sqs`. */
  readonly path: string
  /** It is on when all of these are set. */
  readonly on: readonly string[]
  readonly keys: Keys
}

const LIST: readonly [] = []
const MAP: Readonly<Record<string, never>> = {}
const ICON = 'https://raw.githubusercontent.com/falcosecurity/falcosidekick/master/imgs/falcosidekick_color.png'
const FOOTER = 'https://github.com/falcosecurity/falcosidekick'
const SUBJECT = 'falco.<priority>.<rule>'

/** Understood in every section, whatever the output is. */
export const COMMON: Keys = {
  minimumpriority: '',
  mutualtls: false,
  checkcert: true,
  maxconcurrentrequests: 1,
  customheaders: MAP,
}

/** What is of no output. */
export const GLOBAL: Keys = {
  listenaddress: '',
  listenport: 2801,
  debug: false,
  customfields: MAP,
  templatedfields: MAP,
  customtags: LIST,
  bracketreplacer: '',
  outputfieldformat: '',
  mutualtlsfilespath: '/etc/certs',
  'mutualtlsclient.certfile': '',
  'mutualtlsclient.keyfile': '',
  'mutualtlsclient.cacertfile': '',
  'tlsclient.cacertfile': '',
  'tlsserver.deploy': false,
  'tlsserver.certfile': '/etc/certs/server/server.crt',
  'tlsserver.keyfile': '/etc/certs/server/server.key',
  'tlsserver.cacertfile': '/etc/certs/server/ca.crt',
  'tlsserver.mutualtls': false,
  'tlsserver.notlsport': 2810,
  'tlsserver.notlspaths': LIST,
  'prometheus.extralabels': '',
  'aws.accesskeyid': '',
  'aws.secretaccesskey': '',
  'aws.region': '',
  'aws.rolearn': '',
  'aws.externalid': '',
  'aws.checkidentity': true,
  'gcp.credentials': '',
  'gcp.workloadidentity': false,
  'yandex.accesskeyid': '',
  'yandex.secretaccesskey': '',
  'yandex.region': 'ru-central1',
}

const section = (path: string, on: string, keys: Keys = {}): Section => {
  const enabling = on.split(' ')
  return { path, on: enabling, keys: { ...Object.fromEntries(enabling.map((key) => [key, ''])), ...keys } }
}

const CHAT: Keys = { icon: ICON, username: 'Falcosidekick', outputformat: 'all', messageformat: '', footer: FOOTER }
const LOGIN: Keys = { username: '', password: '' }
const USER: Keys = { user: '', password: '' }
const OWN_TLS: Keys = { tls: false, certfile: '', keyfile: '', cacertfile: '' }
const OTLP: Keys = {
  ...{ protocol: 'http/protobuf', headers: '', timeout: 10_000, synced: false, tls: false, extraenvvars: MAP },
}

export const SECTIONS: readonly Section[] = [
  section('slack', 'webhookurl', { ...CHAT, channel: '' }),
  section('rocketchat', 'webhookurl', CHAT),
  section('mattermost', 'webhookurl', CHAT),
  section('teams', 'webhookurl', { activityimage: ICON, outputformat: 'all' }),
  section('webex', 'webhookurl'),
  section('discord', 'webhookurl', { icon: ICON }),
  section('googlechat', 'webhookurl', { outputformat: 'all', messageformat: '' }),
  section('cliq', 'webhookurl', { icon: ICON, useemoji: false, outputformat: 'all', messageformat: '' }),
  section('telegram', 'chatid token', { host: 'https://api.telegram.org', messagethreadid: '' }),
  section('alertmanager', 'hostport', {
    hostport: LIST,
    endpoint: '/api/v2/alerts',
    expiresafter: 0,
    extralabels: MAP,
    extraannotations: MAP,
    customseveritymap: MAP,
    dropeventdefaultpriority: 'critical',
    dropeventthresholds: '10000:critical, 1000:critical, 100:critical, 10:warning, 1:warning',
  }),
  section('opsgenie', 'apikey', { region: 'us' }),
  section('pagerduty', 'routingkey', { region: 'us' }),
  section('grafanaoncall', 'webhookurl'),
  section('elasticsearch', 'hostport', {
    ...LOGIN,
    index: 'falco',
    type: '_doc',
    suffix: 'daily',
    pipeline: '',
    apikey: '',
    flattenfields: false,
    createindextemplate: false,
    numberofshards: 3,
    numberofreplicas: 3,
    enablecompression: false,
    'batching.enabled': false,
    'batching.batchsize': 5_242_880,
    'batching.flushinterval': '1s',
  }),
  section('quickwit', 'hostport', { apiendpoint: 'api/v1', index: 'falco', version: '0.7', autocreateindex: false }),
  section('loki', 'hostport', {
    ...{ endpoint: '/loki/api/v1/push', user: '', apikey: '', tenant: '', format: 'text', extralabels: '' },
  }),
  section('sumologic', 'receiverurl', { sourcecategory: '', sourcehost: '', name: '' }),
  section('datadoglogs', 'apikey', { host: 'https://http-intake.logs.datadoghq.com', service: '' }),
  section('splunk', 'host', { token: '' }),
  section('syslog', 'host', { port: '', protocol: '', format: 'json' }),
  section('zincsearch', 'hostport', { index: 'falco', ...LOGIN }),
  section('openobserve', 'hostport', { organizationname: 'default', streamname: 'falco', ...LOGIN }),
  section('logstash', 'address', { port: 5044, tags: LIST, ...OWN_TLS }),
  section('dynatrace', 'apitoken apiurl'),
  section('grafana', 'hostport apikey', { dashboardid: 0, panelid: 0, allfieldsastags: false }),
  section('aws.cloudwatchlogs', 'loggroup', { logstream: '' }),
  section('otlp.logs', 'endpoint', OTLP),
  section('aws.s3', 'bucket', { prefix: 'falco', endpoint: '', objectcannedacl: 'bucket-owner-full-control' }),
  section('gcp.storage', 'bucket', { prefix: '' }),
  section('yandex.s3', 'bucket', { endpoint: 'https://storage.yandexcloud.net', prefix: 'falco' }),
  section('nats', 'hostport', { subjecttemplate: SUBJECT }),
  section('stan', 'hostport clusterid clientid', { subjecttemplate: SUBJECT }),
  section('aws.sqs', 'url'),
  section('aws.sns', 'topicarn', { rawjson: false }),
  section('aws.kinesis', 'streamname'),
  section('azure.eventhub', 'name', { namespace: '' }),
  section('gcp.pubsub', 'projectid topic', { customattributes: MAP }),
  section('kafka', 'hostport topic', {
    ...LOGIN,
    sasl: '',
    tls: false,
    balancer: 'round_robin',
    compression: 'NONE',
    async: false,
    requiredacks: 'NONE',
    clientid: '',
    topiccreation: false,
  }),
  section('kafkarest', 'address', { version: 2 }),
  section('rabbitmq', 'url queue'),
  section('mqtt', 'broker', { topic: 'falco/events', qos: 0, retained: false, ...USER }),
  section('yandex.datastreams', 'streamname', { endpoint: 'https://yds.serverless.yandexcloud.net' }),
  section('aws.lambda', 'functionname', { invocationtype: 'RequestResponse', logtype: 'Tail' }),
  section('gcp.cloudfunctions', 'name'),
  section('gcp.cloudrun', 'endpoint jwt'),
  section('kubeless', 'namespace function', { port: 8080, kubeconfig: '' }),
  section('openfaas', 'functionname', {
    functionnamespace: 'openfaas-fn',
    gatewayservice: 'gateway',
    gatewaynamespace: 'openfaas',
    gatewayport: 8080,
    kubeconfig: '',
  }),
  section('fission', 'function', {
    routernamespace: 'fission',
    routerservice: 'router',
    routerport: 80,
    functionnamespace: '',
    kubeconfig: '',
  }),
  section('cloudevents', 'address', { extensions: MAP }),
  section('redis', 'address', { ...LOGIN, ...OWN_TLS, database: 0, storagetype: 'list', key: 'falco', version: 0 }),
  section('timescaledb', 'host', {
    port: '5432',
    user: 'postgres',
    password: 'postgres',
    database: 'falcosidekick',
    hypertablename: 'falcosidekick_events',
  }),
  section('datadog', 'apikey', { host: 'https://api.datadoghq.com' }),
  section('influxdb', 'hostport', {
    ...USER,
    database: 'falco',
    organization: '',
    bucket: 'falco',
    precision: 'ns',
    token: '',
  }),
  section('statsd', 'forwarder', { namespace: 'falcosidekick.', tags: LIST }),
  section('dogstatsd', 'forwarder', { namespace: 'falcosidekick.', tags: LIST }),
  section('wavefront', 'endpointtype endpointhost', {
    endpointtoken: '',
    metricname: 'falco.alert',
    endpointmetricport: 2878,
    batchsize: 10_000,
    flushintervalseconds: 1,
  }),
  section('otlp.metrics', 'endpoint', { ...OTLP, extraattributes: '' }),
  section('otlp.traces', 'endpoint', { ...OTLP, duration: 1_000 }),
  section('aws.securitylake', 'bucket region accountid prefix', { interval: 5, batchsize: 1_000 }),
  section('gcp.chronicle', 'projectid instanceid region', { logtype: 'FALCO_IDS' }),
  section('spyderbat', 'orguid', {
    apikey: '',
    apiurl: 'https://api.spyderbat.com',
    source: 'falcosidekick',
    sourcedescription: '',
  }),
  section('tekton', 'eventlistener'),
  section('n8n', 'address', { ...USER, headerauthname: '', headerauthvalue: '' }),
  section('nodered', 'address', USER),
  section('smtp', 'hostport from to', {
    ...USER,
    tls: true,
    authmechanism: 'plain',
    token: '',
    identity: '',
    trace: '',
    outputformat: 'html',
  }),
  section('webhook', 'address', { method: 'POST' }),
  section('webui', 'url'),
  section('policyreport', 'enabled', {
    enabled: false,
    kubeconfig: '',
    falconamespace: '',
    maxevents: 1_000,
    prunebypriority: false,
  }),
  section('talon', 'address'),
  section('gotify', 'hostport', { token: '', format: 'markdown' }),
]

/** The default of a key by its whole path; undefined: there is no such key. */
export const defaultOf = (path: string): Default | undefined => {
  if (Object.hasOwn(GLOBAL, path)) return GLOBAL[path]
  for (const { path: name, keys } of SECTIONS) {
    if (!path.startsWith(`${name}.`)) continue
    const key = path.slice(name.length + 1)
    const found = Object.hasOwn(keys, key) ? keys[key] : Object.hasOwn(COMMON, key) ? COMMON[key] : undefined
    if (found !== undefined) return found
  }
  return undefined
}

/** Every key by its whole path. */
export const allKeys = (): string[] => [
  ...Object.keys(GLOBAL),
  ...SECTIONS.flatMap(({ path, keys }) => Object.keys({ ...keys, ...COMMON }).map((key) => `${path}.${key}`)),
]
