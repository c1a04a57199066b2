/**
 * Every key of Falco Talon's configuration.
 *
 * Source: `configuration/configuration.go` and `notifiers/` of Falco Talon at 19d3add (August 2026).
 */

/** A notifier: an output of the same name is told of responses. */
export interface Notifier {
  readonly name: string
  /** Without these Talon does not start it. */
  readonly needs: readonly string[]
  /** Its keys, each with the setting of our output; of two for one setting the later wins. */
  readonly keys: Readonly<Record<string, string>>
  /** By key: what Talon takes when nothing is written, where our output would do otherwise. */
  readonly defaults?: Readonly<Record<string, unknown>>
}

export const NOTIFIERS: readonly Notifier[] = [
  { name: 'k8sevents', needs: [], keys: {} },
  {
    name: 'slack',
    needs: ['webhook_url'],
    keys: {
      webhook_url: 'webhookUrl',
      icon: 'icon',
      username: 'username',
      footer: 'footer',
      format: 'outputFormat',
    },
    defaults: {
      icon: 'https://upload.wikimedia.org/wikipedia/commons/2/26/Circaetus_gallicus_claw.jpg',
      username: 'Falco Talon',
      footer: 'http://github.com/falcosecurity/falco-talon',
    },
  },
  {
    name: 'smtp',
    needs: ['host_port', 'from', 'to'],
    keys: {
      host_port: 'hostPort',
      from: 'from',
      to: 'to',
      user: 'user',
      password: 'password',
      format: 'outputFormat',
      tls: 'tls',
    },
    defaults: { tls: false },
  },
  {
    name: 'webhook',
    needs: ['url'],
    keys: {
      url: 'address',
      http_method: 'method',
      custom_headers: 'http.headers',
      content_type: 'http.headers.content-type',
      user_agent: 'http.headers.user-agent',
    },
  },
  {
    name: 'loki',
    needs: ['url'],
    keys: { url: 'hostPort', user: 'user', api_key: 'apiKey', tenant: 'tenant', custom_headers: 'http.headers' },
  },
  {
    name: 'elasticsearch',
    needs: ['url'],
    keys: {
      url: 'hostPort',
      user: 'username',
      password: 'password',
      index: 'index',
      suffix: 'suffix',
      create_index_template: 'createIndexTemplate',
      number_of_shards: 'numberOfShards',
      number_of_replicas: 'numberOfReplicas',
      custom_headers: 'http.headers',
    },
    defaults: { index: 'falco-talon', create_index_template: true },
  },
]

/** What is of no notifier. */
const GENERAL =
  'listen_address listen_port rules_files kubeconfig log_format watch_rules print_all_events default_notifiers ' +
  'deduplication.leader_election deduplication.time_window_seconds ' +
  'otel.traces_enabled otel.metrics_enabled otel.collector_endpoint otel.collector_port otel.timeout ' +
  'otel.collector_use_insecure_grpc aws.role_arn aws.external_id aws.region aws.access_key aws.secret_key ' +
  'gcp.credentials_path gcp.region minio.endpoint minio.access_key minio.secret_key minio.use_ssl'

/** Every key by its whole path. */
export const KEYS: readonly string[] = [
  ...GENERAL.split(' '),
  ...NOTIFIERS.flatMap(({ name, keys }) => Object.keys(keys).map((key) => `notifiers.${name}.${key}`)),
]

/** Maps that hold keys. */
export const SECTIONS: ReadonlySet<string> = new Set([
  ...KEYS.flatMap((key) => key.split('.').map((_, i, parts) => parts.slice(0, i).join('.'))).filter(Boolean),
  ...NOTIFIERS.map(({ name }) => `notifiers.${name}`),
])

/** Talon looks for variables of these only for keys that the file has, if only without a value. */
export const IN_FILE_ONLY = /^(?:notifiers|aws|gcp|minio)\./
