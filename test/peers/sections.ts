/** Sections of Falcosidekick's configuration that need no account, each with its options set, and where they send to. */

/** Where the sink listens. */
export interface SinkAddresses {
  /** `http://127.0.0.1:port`; the first segment of a path names the section. */
  readonly http: string
  readonly tcp: (section: string) => number
  readonly udp: (section: string) => number
  readonly smtp: number
}

type Settings = Readonly<Record<string, unknown>>

/** Of one run of Falcosidekick: by name of the fixture the path in the configuration, its settings, and what tells it. */
export interface Section {
  readonly path: string
  readonly config: Settings
  /** Requests that one event becomes; default 1. */
  readonly sends?: number
  /** Requests are known by the host they go to, where no address can be set. */
  readonly host?: string
}

const host = '127.0.0.1'

/** Runs: in each a section occurs once. */
export const runs = (at: SinkAddresses): readonly Readonly<Record<string, Section>>[] => {
  const web = (name: string): string => `${at.http}/${name}`
  const hook = (name: string, config: Settings = {}): Section => ({
    path: name.split('-')[0] ?? name,
    config: { webhookurl: web(name), ...config },
  })
  const hostPort = (name: string, config: Settings = {}): Section => ({
    path: name.split('-')[0] ?? name,
    config: { hostport: web(name), ...config },
  })
  const format = 'Alert: rule *{{ .Rule }}* by *{{ index .OutputFields "proc.name" }}*'
  const service = (name: string, domain: string, config: Settings): Section => ({ path: name, config, host: domain })
  return [
    {
      slack: hook('slack', { channel: '#sec', footer: 'https://example.com', icon: 'https://example.com/i.png' }),
      rocketchat: hook('rocketchat', { icon: 'https://example.com/i.png' }),
      mattermost: hook('mattermost', { footer: 'https://example.com', icon: 'https://example.com/i.png' }),
      teams: hook('teams', { activityimage: 'https://example.com/i.png', outputformat: 'all' }),
      webex: hook('webex'),
      discord: hook('discord', { icon: 'https://example.com/i.png' }),
      googlechat: hook('googlechat'),
      cliq: hook('cliq', { icon: 'https://example.com/i.png', useemoji: true }),
      telegram: {
        path: 'telegram',
        config: { host: web('telegram'), token: '123:abc', chatid: '-100200', messagethreadid: '7' },
      },
      gotify: hostPort('gotify', { token: 'secret-token' }),
      alertmanager: {
        path: 'alertmanager',
        config: {
          hostport: [web('alertmanager')],
          expiresafter: 60,
          extralabels: { team: 'sec' },
          extraannotations: { a: 'b' },
        },
      },
      opsgenie: service('opsgenie', 'api.opsgenie.com', { apikey: 'secret-key' }),
      pagerduty: service('pagerduty', 'events.pagerduty.com', { routingkey: 'secret-key' }),
      grafanaoncall: hook('grafanaoncall'),
      grafana: hostPort('grafana', { apikey: 'secret-key', dashboardid: 3, panelid: 4 }),
      elasticsearch: hostPort('elasticsearch', {
        index: 'falco',
        suffix: 'none',
        pipeline: 'p1',
        username: 'u',
        password: 'p',
      }),
      quickwit: hostPort('quickwit', { apiendpoint: 'api/v1', index: 'falco' }),
      loki: hostPort('loki', { user: 'u', apikey: 'secret-key', tenant: 't1', extralabels: 'proc.name,container.id' }),
      splunk: { path: 'splunk', config: { host: web('splunk'), token: 'secret-token' } },
      sumologic: {
        path: 'sumologic',
        config: { receiverurl: web('sumologic'), sourcecategory: 'c', sourcehost: 'h', name: 'n' },
      },
      datadog: { path: 'datadog', config: { host: web('datadog'), apikey: 'secret-key' } },
      datadoglogs: {
        path: 'datadoglogs',
        config: { host: web('datadoglogs'), apikey: 'secret-key', service: 'falco' },
      },
      dynatrace: { path: 'dynatrace', config: { apiurl: web('dynatrace'), apitoken: 'secret-token' } },
      zincsearch: hostPort('zincsearch', { index: 'falco', username: 'u', password: 'p' }),
      openobserve: hostPort('openobserve', { organizationname: 'org', streamname: 's1', username: 'u', password: 'p' }),
      influxdb: hostPort('influxdb', { organization: 'org', bucket: 'b', token: 'secret-token' }),
      kafkarest: { path: 'kafkarest', config: { address: web('kafkarest/topics/falco') } },
      webhook: { path: 'webhook', config: { address: web('webhook'), customheaders: { 'x-key': 'value' } } },
      webui: { path: 'webui', config: { url: web('webui') } },
      nodered: { path: 'nodered', config: { address: web('nodered'), user: 'u', password: 'p' } },
      n8n: {
        path: 'n8n',
        config: { address: web('n8n'), user: 'u', password: 'p', headerauthname: 'x-key', headerauthvalue: 'v' },
      },
      tekton: { path: 'tekton', config: { eventlistener: web('tekton') } },
      talon: { path: 'talon', config: { address: web('talon') } },
      cloudevents: { path: 'cloudevents', config: { address: web('cloudevents'), extensions: { region: 'eu' } } },
      openfaas: service('openfaas', 'gateway.openfaas:8080', { functionname: 'echo' }),
      kubeless: service('kubeless', 'echo.default.svc.cluster.local:8080', { namespace: 'default', function: 'echo' }),
      fission: service('fission', 'router.fission.svc.cluster.local:80', { function: 'echo' }),
      syslog: { path: 'syslog', config: { host, port: String(at.tcp('syslog')), protocol: 'tcp', format: 'json' } },
      logstash: { path: 'logstash', config: { address: host, port: at.tcp('logstash'), tags: ['falco', 'siem'] } },
      smtp: {
        path: 'smtp',
        config: {
          hostport: `${host}:${at.smtp}`,
          tls: false,
          authmechanism: 'none',
          from: 'falco@example.com',
          to: 'a@example.com,b@example.com',
        },
      },
      'otlp.traces': {
        path: 'otlp.traces',
        config: { endpoint: web('otlp.traces/v1/traces'), synced: true, duration: 1000 },
      },
    },
    {
      'slack-text': hook('slack-text', { outputformat: 'text', messageformat: format }),
      'rocketchat-text': hook('rocketchat-text', { outputformat: 'text', messageformat: format }),
      'mattermost-fields': hook('mattermost-fields', { outputformat: 'fields', messageformat: format }),
      'teams-facts': hook('teams-facts', { outputformat: 'facts' }),
      'googlechat-format': hook('googlechat-format', { messageformat: format }),
      'cliq-format': hook('cliq-format', { messageformat: format, outputformat: 'text' }),
      'gotify-text': hostPort('gotify-text', { format: 'plaintext' }),
      'loki-json': hostPort('loki-json', { format: 'json' }),
      'elasticsearch-bulk': hostPort('elasticsearch-bulk', {
        ...{ index: 'falco', suffix: 'none', flattenfields: true, apikey: 'secret-key' },
        batching: { enabled: true, batchsize: 1, flushinterval: '1ms' },
      }),
      'influxdb-v1': hostPort('influxdb-v1', { database: 'falco', user: 'u', password: 'p' }),
      'kafkarest-v1': { path: 'kafkarest', config: { address: web('kafkarest-v1/topics/falco'), version: 1 } },
      'syslog-cef': {
        path: 'syslog',
        config: { host, port: String(at.tcp('syslog-cef')), protocol: 'tcp', format: 'cef' },
      },
      'webhook-put': { path: 'webhook', config: { address: web('webhook-put'), method: 'PUT' } },
      'grafana-tags': hostPort('grafana-tags', { apikey: 'secret-key', allfieldsastags: true }),
    },
    {
      'otlp.logs': { path: 'otlp.logs', config: { endpoint: web('otlp.logs/v1/logs') } },
    },
    {
      'otlp.metrics': { path: 'otlp.metrics', config: { endpoint: web('otlp.metrics/v1/metrics') } },
    },
    {
      wavefront: {
        path: 'wavefront',
        config: {
          endpointtype: 'proxy',
          endpointhost: `http://${host}`,
          endpointmetricport: Number(new URL(at.http).port),
          batchsize: 1,
        },
      },
      spyderbat: {
        path: 'spyderbat',
        config: { orguid: 'org1', apikey: 'secret-key', apiurl: web('spyderbat'), sourcedescription: 'here' },
      },
    },
    // with any of these two several other outputs make Falcosidekick crash
    {
      dogstatsd: { path: 'dogstatsd', config: { forwarder: `${host}:${at.udp('dogstatsd')}`, tags: ['env:prod'] } },
    },
    {
      statsd: { path: 'statsd', config: { forwarder: `${host}:${at.udp('statsd')}` } },
    },
  ]
}
