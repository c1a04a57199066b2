/** What of Talon's configuration is of no notifier: where it listens, its rules, clients, logs and telemetry. */
import { isIP } from 'node:net'
import { isAbsolute } from 'node:path'
import { booleanOf, listOf, textOf } from '../falcosidekick/convert.ts'
import type { Found } from '../falcosidekick/source.ts'
import type { Reading } from './index.ts'

/**
 * Adds all that is of no notifier.
 * @param isReplaced the rules come from elsewhere
 * @returns the names of the rules files
 */
export const readServer = (reading: Reading, isReplaced: boolean): string[] => {
  readMode(reading)
  readListen(reading)
  readClients(reading)
  readLog(reading)
  reading.native.set(['metrics', 'compat'], true)
  readDeduplication(reading)
  readTelemetry(reading)
  readMinio(reading)
  return readRulesFiles(reading, isReplaced)
}

/** Talon acts on whatever anybody sends. */
const readMode = ({ native, problems, source }: Reading): void => {
  native.set(['mode'], 'observe')
  const tell = (message: string): void => problems.add(source.document, { path: [] }, message, 'warning')
  tell('mode: nothing is done yet, only shown; with `mode: enforce` it is done, as by Falco Talon')
  tell(
    'inputs.http: nothing is destroyed for a sender that nobody knows; set a `token`, or `trust: true`, which takes ' +
      'anybody as Falco Talon does',
  )
}

const given = ({ source }: Reading, key: string): Found | undefined => {
  const found = source.find(key)
  return found?.value === '' ? undefined : found
}

const text = (reading: Reading, key: string, otherwise = ''): string => {
  const found = given(reading, key)
  return found ? textOf(found, reading.source.document) : otherwise
}

const isTrue = (reading: Reading, key: string): boolean => booleanOf(text(reading, key)) ?? false

/** Sets what is given, as text. */
const copy = (reading: Reading, key: string, path: readonly string[]): void => {
  const found = given(reading, key)
  if (found) reading.native.set(path, text(reading, key), found)
}

const readListen = (reading: Reading): void => {
  const { native, source } = reading
  const host = source.find('listen_address')?.value === '' ? '::' : text(reading, 'listen_address', '0.0.0.0')
  const found = given(reading, 'listen_port')
  const port = Number(text(reading, 'listen_port', '2803'))
  if (found && !(Number.isInteger(port) && port > 0 && port <= 65_535))
    source.fail(found, 'must be a port, from 1 to 65535')
  native.set(
    ['listen'],
    `${isIP(host) === 6 ? `[${host}]` : host}:${port}`,
    given(reading, 'listen_address') ?? given(reading, 'listen_port'),
  )
  native.set(['inputs', 'http'], { catchAll: true })
}

const readClients = (reading: Reading): void => {
  const { source } = reading
  copy(reading, 'kubeconfig', ['resources', 'kubernetes', 'kubeconfig'])
  copy(reading, 'gcp.credentials_path', ['resources', 'google', 'credentialsFile'])
  const region = given(reading, 'gcp.region')
  if (region) source.warn(region, 'does nothing, as in Falco Talon')
  for (const [key, setting] of [
    ['aws.region', 'region'],
    ['aws.access_key', 'accessKeyId'],
    ['aws.secret_key', 'secretAccessKey'],
    ['aws.role_arn', 'roleArn'],
    ['aws.external_id', 'externalId'],
  ] as const)
    copy(reading, key, ['resources', 'aws', setting])
}

const readLog = (reading: Reading): void => {
  const { native, source } = reading
  const format = given(reading, 'log_format')
  if (format)
    native.set(['log', 'format'], /^(?:color|text)$/.test(text(reading, 'log_format')) ? 'pretty' : 'json', format)
  const events = given(reading, 'print_all_events')
  if (events && isTrue(reading, 'print_all_events')) native.set(['outputs', 'stdout'], { tell: 'events' }, events)
  const watch = given(reading, 'watch_rules')
  if (watch && !isTrue(reading, 'watch_rules'))
    source.warn(watch, 'does nothing: a change of a rules file without mistakes is always in force at once')
}

const readDeduplication = (reading: Reading): void => {
  const { source } = reading
  const leader = given(reading, 'deduplication.leader_election')
  if (leader && isTrue(reading, 'deduplication.leader_election'))
    source.warn(
      leader,
      'does nothing: each replica answers what it is sent; where there are several, bring events by Kafka with the target as key',
    )
  const window = given(reading, 'deduplication.time_window_seconds')
  if (window)
    source.warn(
      window,
      'does nothing: events of one rule about one target share a response, as long as `join` of the rule says, 60s by default',
    )
}

const COLLECTOR = ['collector_endpoint', 'collector_port', 'timeout', 'collector_use_insecure_grpc']

/** OpenTelemetry is set by its own variables. */
const readTelemetry = (reading: Reading): void => {
  const { source } = reading
  const isOn = isTrue(reading, 'otel.traces_enabled')
  const traces = given(reading, 'otel.traces_enabled')
  if (isOn && traces) source.warn(traces, `does nothing: set the variables ${variables(reading)}`)
  const metrics = given(reading, 'otel.metrics_enabled')
  if (metrics && isTrue(reading, 'otel.metrics_enabled'))
    source.warn(metrics, 'does nothing: metrics are not sent; they are served at /metrics')
  for (const key of COLLECTOR) {
    const found = given(reading, `otel.${key}`)
    if (found)
      source.warn(found, isOn ? 'is in the variables for otel.traces_enabled' : 'does nothing, as in Falco Talon')
  }
}

const variables = (reading: Reading): string => {
  const scheme = isTrue(reading, 'otel.collector_use_insecure_grpc') ? 'http' : 'https'
  const host = text(reading, 'otel.collector_endpoint', 'localhost')
  const address = `${scheme}://${host}:${text(reading, 'otel.collector_port', '4317')}`
  const timeout = `${text(reading, 'otel.timeout', '10')}000`
  return (
    `OTEL_EXPORTER_OTLP_ENDPOINT=${address}, OTEL_EXPORTER_OTLP_PROTOCOL=grpc ` +
    `and OTEL_EXPORTER_OTLP_TIMEOUT=${timeout}`
  )
}

const readMinio = (reading: Reading): void => {
  const { source } = reading
  const found = given(reading, 'minio.endpoint')
  const scheme = isTrue(reading, 'minio.use_ssl') ? 'https' : 'http'
  if (found)
    source.warn(
      found,
      'becomes no output, since rules say the bucket; add to `outputs`: `minio: { ' +
        `endpoint: "${scheme}://${text(reading, 'minio.endpoint')}", ` +
        'accessKeyId: ..., secretAccessKey: ..., bucket: ..., tell: none }`',
    )
}

const DEFAULT_RULES = '/etc/falco-talon/rules.yaml'

const readRulesFiles = ({ source }: Reading, isReplaced: boolean): string[] => {
  const found = source.find('rules_files')
  if (isReplaced) {
    if (found)
      source.warn(found, 'does nothing: the rules files that were named with the configuration stand in its place')
    return []
  }
  const names = found ? listOf(found.value) : [DEFAULT_RULES]
  const relative = names.filter((name) => !isAbsolute(name))
  if (found && relative.length > 0)
    source.warn(
      found,
      `${relative.join(', ')}: relative to the folder of the configuration, not to where the program is started`,
    )
  return names
}
