/** Keys of Falcosidekick that are not simply ours under the same name. */
import { parsePriority } from '../../event.ts'
import { booleanOf, listOf, millisecondsOf, durationText, pairsOf, textOf, wordOf, type Unit } from './convert.ts'
import type { Found, Source } from './source.ts'

/** What a rule may look at and set: a section on its way to an output. */
export interface Reading {
  readonly source: Source
  /** The section's path. */
  readonly path: string
  /** A key of the section as somebody gave it. */
  find(key: string): Found | undefined
  /** Sets a setting of the output. */
  put(setting: string, value: unknown, found?: Found): void
  /** Sets what is outside of the output. */
  set(path: readonly string[], value: unknown, found?: Found): void
  /** Whether the output has a setting. */
  has(setting: string): boolean
}

type Rule = (reading: Reading, found: Found) => void

/** What numbers mean, where that is not seconds. */
export const UNITS: Readonly<Record<string, Unit>> = {
  'elasticsearch.batching.flushinterval': 'ns',
  'otlp.traces.duration': 'ms',
}

/** The same under another name. */
export const RENAMED: Readonly<Record<string, string>> = {
  'kafka.topiccreation': 'createTopic',
  'rabbitmq.queue': 'queueName',
}

const unused =
  (why: string): Rule =>
  ({ source }, found) =>
    source.warn(found, why)

const NOT_EVEN_THERE = 'does nothing, and does nothing in Falcosidekick either'

const sasl: Rule = ({ source, find, put }, found) => {
  const mechanism = textOf(found, source.document).toLowerCase().replaceAll('_', '-').replace('sha-', 'sha')
  const login = { mechanism: mechanism.replace('scram-sha', 'scram-sha-') }
  put('sasl', login, found)
  for (const key of ['username', 'password']) {
    const given = find(key)
    if (given) put(`sasl.${key}`, textOf(given, source.document), given)
  }
}

const ofSasl: Rule = ({ source, find }, found) => {
  if (!find('sasl')) source.warn(found, 'does nothing without `sasl`')
}

const brokers: Rule = ({ put }, found) =>
  put(
    'brokers',
    listOf(found.value).map((one) => (/:\d+$/.test(one) ? one : `${one}:9092`)),
    found,
  )

const ACKS: Readonly<Record<string, string>> = { none: 'none', one: 'leader', all: 'all' }

const acks: Rule = ({ put }, found) => put('acks', ACKS[wordOf(found.value).toLowerCase()] ?? found.value, found)

/** From outside of a cluster services are reached through its API server. */
const kubeconfig: Rule = ({ source, put, set, has }, found) => {
  set(['resources', 'kubernetes', 'kubeconfig'], textOf(found, source.document), found)
  if (has('serviceProxy')) put('serviceProxy', true, found)
}

const severities: Rule = ({ source, put }, found) => {
  const given = typeof found.value === 'object' ? Object.entries(found.value ?? {}) : pairsOf(wordOf(found.value)).pairs
  const named = given.map(([name, severity]) => [name, parsePriority(name), wordOf(severity)] as const)
  for (const [name, priority] of named) if (!priority) source.warn(found, `${name} is no priority of Falco`)
  put('customSeverityMap', Object.fromEntries(named.flatMap(([, key, to]) => (key ? [[key, to]] : []))), found)
}

const thresholds: Rule = ({ source, put }, found) => {
  const { pairs, wrong } = pairsOf(String(found.value))
  const steps = pairs.map(([count, name]) => ({ above: Number(count), priority: parsePriority(name) }))
  const right = steps.filter(({ above, priority }) => Number.isSafeInteger(above) && priority)
  if (wrong.length > 0 || right.length < steps.length)
    source.warn(found, 'of what is no `number:priority`, nothing is taken')
  put(
    'dropEventThresholds',
    right.sort((one, other) => other.above - one.above),
    found,
  )
}

/** Beside those named here, fields that Falcosidekick adds itself. */
const withOwnFields =
  (setting: string): Rule =>
  ({ source, put }, found) =>
    put(setting, [...new Set([...listOf(found.value), ...addedFields(source)])], found)

/** Names of the fields that `customfields` and `templatedfields` add. */
export const addedFields = (source: Source): string[] =>
  ['customfields', 'templatedfields'].flatMap((key) => {
    const value = source.find(key)?.value
    if (typeof value === 'object' && value !== null) return Object.keys(value)
    return value === undefined ? [] : pairsOf(wordOf(value)).pairs.map(([name]) => name)
  })

/** How many wait for how long is a setting of every output. */
const batchWait: Rule = ({ source, put }, found) => {
  const wait = millisecondsOf(textOf(found, source.document), 's')
  if (wait === undefined) source.fail(found, 'must be a number of seconds')
  else put('batch.wait', durationText(wait), found)
}

const deadline: Rule = ({ source, put }, found) => {
  const time = millisecondsOf(textOf(found, source.document), 'ms')
  if (time === undefined) source.fail(found, 'must be a number of milliseconds')
  else put('timeout', durationText(time), found)
}

const interval: Rule = ({ source, put, has }, found) => {
  const minutes = (millisecondsOf(textOf(found, source.document), 'min') ?? 0) / 60_000
  const clamped = Math.min(60, Math.max(5, minutes))
  if (clamped !== minutes) source.warn(found, `is between 5 and 60 minutes; ${clamped} is taken`)
  put(has('interval') ? 'interval' : 'batch.wait', durationText(clamped * 60_000), found)
}

const batchSize: Rule = ({ source, put, has }, found) =>
  put(has('batchSize') ? 'batchSize' : 'batch.count', Number(textOf(found, source.document)), found)

/** `a=b,c=d` */
const otlpHeaders: Rule = ({ source, put, has }, found) => {
  const pairs = listOf(found.value).map((one) => one.split(/=(.*)/s).map((part) => part.trim()))
  put(
    has('headers') ? 'headers' : 'http.headers',
    Object.fromEntries(pairs.map(([name = '', value = '']) => [name, decoded(value)])),
    found,
  )
  if (pairs.some(([name, value]) => !name || value === undefined)) source.warn(found, 'is a list of `name=value`')
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const isOn = (found: Found): boolean => booleanOf(String(found.value)) === true

const otlpTls: Rule = ({ source, put, has }, found) => {
  if (has('tls') && isOn(found)) put('tls', {}, found)
  else if (isOn(found)) source.warn(found, 'does nothing: the address decides, by `https`')
}

const otlp = (path: string): Readonly<Record<string, Rule>> => ({
  [`${path}.synced`]: unused('does nothing: what is sent is confirmed, and sent again until it is'),
  [`${path}.extraenvvars`]: unused('does nothing: no variables are set; give the settings themselves'),
  [`${path}.timeout`]: deadline,
  [`${path}.tls`]: otlpTls,
  [`${path}.headers`]: otlpHeaders,
})

/** By whole path; for keys that somebody gave. */
export const RULES: Readonly<Record<string, Rule>> = {
  'kafka.hostport': brokers,
  'kafka.sasl': sasl,
  'kafka.username': ofSasl,
  'kafka.password': ofSasl,
  'kafka.requiredacks': acks,
  'kafka.balancer': unused('does nothing: the client spreads what has no key'),
  'kafka.async': unused('does nothing: no other output waits for this one'),
  'kubeless.kubeconfig': kubeconfig,
  'openfaas.kubeconfig': kubeconfig,
  'fission.kubeconfig': kubeconfig,
  'policyreport.kubeconfig': kubeconfig,
  'policyreport.enabled': () => {},
  'fission.functionnamespace': unused(NOT_EVEN_THERE),
  'redis.version': unused(NOT_EVEN_THERE),
  'rocketchat.footer': unused(NOT_EVEN_THERE),
  'alertmanager.customseveritymap': severities,
  'alertmanager.dropeventthresholds': thresholds,
  'loki.extralabels': withOwnFields('extraLabels'),
  'otlp.metrics.extraattributes': withOwnFields('extraAttributes'),
  'aws.securitylake.interval': interval,
  'aws.securitylake.batchsize': batchSize,
  'wavefront.batchsize': batchSize,
  'wavefront.flushintervalseconds': batchWait,
  ...otlp('otlp.traces'),
  ...otlp('otlp.logs'),
  ...otlp('otlp.metrics'),
}

/** What Falcosidekick does where nothing is set, and we would do otherwise. */
export const EXTRAS: Readonly<Record<string, (reading: Reading) => void>> = {
  teams: ({ put }) => put('activityTitle', 'Falcosidekick'),
  opsgenie: ({ put }) => put('entity', 'Falcosidekick'),
  cliq: ({ put }) => put('botName', 'Falcosidekick'),
  kafka: ({ put }) => put('key', 'none'),
  'aws.cloudwatchlogs': ({ find, put }) => {
    if (!find('logstream')) put('logStream', 'falcosidekick-logstream')
  },
  loki: (reading) => ownFields(reading, 'extralabels', 'extraLabels'),
  'otlp.metrics': (reading) => ownFields(reading, 'extraattributes', 'extraAttributes'),
  timescaledb: (reading) => ownFields(reading, undefined, 'columns'),
}

const ownFields = ({ source, find, put }: Reading, key: string | undefined, setting: string): void => {
  const fields = addedFields(source)
  if (fields.length > 0 && !(key !== undefined && find(key))) put(setting, fields)
}
