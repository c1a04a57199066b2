/** Whether what is traced gets anywhere. */
import type { ConfigOptions } from '../config/index.ts'
import type { HttpRequest } from '../http.ts'
import {
  type Env,
  exporterNames,
  listOf,
  numberOf,
  type Protocol,
  protocolOf,
  type Signal,
  textOf,
} from '../telemetry/env.ts'
import type { Patient } from './context.ts'
import { reach, placeText } from './connect.ts'
import { endpointOf } from './endpoints.ts'
import { about, decoded, type Finding, words } from './finding.ts'
import { skewOf } from './running.ts'
import { within } from './within.ts'

const { ok, warn, fail, skip } = about('telemetry')

export interface TelemetryFacts {
  readonly findings: readonly Finding[]
  /** Milliseconds that the clock of the collector is ahead of ours. */
  readonly skew?: number | undefined
}

export const telemetryFacts = async (patient: Patient): Promise<TelemetryFacts> => {
  const { env, options } = patient
  if (textOf(env, 'OTEL_SDK_DISABLED')?.toLowerCase() === 'true')
    return { findings: [ok('endpoint', 'OTEL_SDK_DISABLED is true: nothing is exported')] }
  const { signals, problems } = wantedBy(env)
  const values = [...problems].map((problem) => warn('variables', problem, 'correct the variable, or unset it'))
  if (signals.length === 0) return { findings: [...values, nothingFinding(env)] }
  const answers = await Promise.all(signals.map((signal) => askCollector(signal, patient)))
  const skew = answers.find((one) => one.skew !== undefined)?.skew
  return { findings: [...values, ...answers.map(({ finding }) => finding), linkFinding(options)], skew }
}

const SIGNALS: readonly Signal[] = ['TRACES', 'METRICS', 'LOGS']
const SAMPLERS = ['always_on', 'always_off', 'traceidratio'].flatMap((name) => [name, `parentbased_${name}`])
const PROPAGATORS = ['tracecontext', 'baggage', 'b3', 'b3multi', 'none']

/** The least value of each. */
const NUMBERS = [
  ['OTEL_BSP_MAX_QUEUE_SIZE', 1],
  ['OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 1],
  ['OTEL_BSP_SCHEDULE_DELAY', 0],
  ['OTEL_METRIC_EXPORT_INTERVAL', 1],
  ['OTEL_METRIC_EXPORT_TIMEOUT', 1],
] as const

/** What goes out by OTLP, and what stands in the variables and is nothing. */
const wantedBy = (env: Env): { signals: Signal[]; problems: ReadonlySet<string> } => {
  const problems = new Set<string>()
  const tell = (problem: string): void => void problems.add(problem)
  listOf(env, 'OTEL_TRACES_SAMPLER', SAMPLERS, tell)
  listOf(env, 'OTEL_PROPAGATORS', PROPAGATORS, tell)
  for (const [name, from] of NUMBERS) numberOf(env, name, from, () => tell(`${name} is no number from ${from} on`))
  return { signals: SIGNALS.filter((signal) => exporterNames(env, signal, tell).includes('otlp')), problems }
}

const nothingFinding = (env: Env): Finding =>
  Object.keys(env).some(
    (name) => /^OTEL_EXPORTER_OTLP_(?:\w+_)?ENDPOINT$/.test(name) && textOf(env, name) !== undefined,
  )
    ? warn('endpoint', 'one is set, and nothing is exported to it', 'see OTEL_TRACES_EXPORTER, and what is told above')
    : ok('endpoint', 'none is set, so nothing is exported; OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4318 sets one')

interface Answer {
  readonly finding: Finding
  readonly skew?: number | undefined
}

/** Of a variable for one signal and the one for all. */
const settingOf = (env: Env, signal: Signal, name: string): string | undefined =>
  textOf(env, `OTEL_EXPORTER_OTLP_${signal}_${name}`) ?? textOf(env, `OTEL_EXPORTER_OTLP_${name}`)

const addressOf = (env: Env, signal: Signal, protocol: Protocol): string => {
  const own = textOf(env, `OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`)
  if (own !== undefined) return own
  const base = textOf(env, 'OTEL_EXPORTER_OTLP_ENDPOINT') ?? `http://localhost:${protocol === 'grpc' ? 4317 : 4318}`
  return protocol === 'grpc' ? base : `${base.replace(/\/+$/, '')}/v1/${signal.toLowerCase()}`
}

const askCollector = async (signal: Signal, patient: Patient): Promise<Answer> => {
  const name = signal.toLowerCase()
  const protocol = protocolOf(patient.env, signal, () => {})
  const address = addressOf(patient.env, signal, protocol)
  try {
    if (protocol === 'grpc') return { finding: await connectOnly(name, address, signal, patient) }
    return await sendNothing(name, { url: address, ...request(protocol) }, signal, patient)
  } catch (error) {
    const remedy = 'see that a collector listens there; http/protobuf and http/json are at port 4318, grpc at 4317'
    return { finding: fail(name, words(error), remedy) }
  }
}

const request = (protocol: Protocol): Pick<HttpRequest, 'body' | 'headers'> =>
  protocol === 'http/json'
    ? { body: '{}', headers: { 'content-type': 'application/json' } }
    : { body: new Uint8Array(), headers: { 'content-type': 'application/x-protobuf' } }

/** As the specification of the exporter has it: pairs like those of W3C Baggage. */
const headersOf = (text = ''): Record<string, string> =>
  Object.fromEntries(
    text.split(',').flatMap((pair) => {
      const [, name, value = ''] = /^\s*([^=\s]+)\s*=(.*)$/.exec(pair) ?? []
      return name === undefined ? [] : [[name, decoded(value.trim())]]
    }),
  )

const ANSWERS = Array.from({ length: 400 }, (_, i) => 200 + i)

/** An export that is empty, which the protocol has to be answered by 200. */
const sendNothing = async (
  name: string,
  given: HttpRequest,
  signal: Signal,
  { env, lone, timeout, signal: outer }: Patient,
): Promise<Answer> => {
  const headers = { ...given.headers, ...headersOf(settingOf(env, signal, 'HEADERS')) }
  const { http } = lone.io('telemetry', { tls: { ...filesOf(env, signal), verify: true } })
  const { origin } = new URL(given.url)
  const before = Date.now()
  const answer = await within(timeout, (either) => http({ ...given, headers, expect: ANSWERS }, either), outer)
  const skew = skewOf(answer.headers['date'], before, Date.now())
  if (answer.status === 200) return { finding: ok(name, `${origin} takes them`), skew }
  return { finding: fail(name, `${origin} answers ${answer.status}`, remedyFor(answer.status, signal)), skew }
}

const remedyFor = (status: number, signal: Signal): string => {
  if (status === 401 || status === 403) return 'set OTEL_EXPORTER_OTLP_HEADERS, e.g. authorization=Bearer%20TOKEN'
  if (status === 404 || status === 405)
    return `OTEL_EXPORTER_OTLP_ENDPOINT is the address without /v1/traces; OTEL_${signal}_EXPORTER=none where it takes none`
  if (status === 415) return 'set OTEL_EXPORTER_OTLP_PROTOCOL to what it takes: http/protobuf, http/json or grpc'
  return 'see the log of the collector'
}

const filesOf = (env: Env, signal: Signal) => {
  const [caFile, certFile, keyFile] = ['CERTIFICATE', 'CLIENT_CERTIFICATE', 'CLIENT_KEY'].map((name) =>
    settingOf(env, signal, name),
  )
  return { ...(caFile && { caFile }), ...(certFile && { certFile }), ...(keyFile && { keyFile }) }
}

const connectOnly = async (name: string, address: string, kind: Signal, patient: Patient): Promise<Finding> => {
  const { env, timeout, signal } = patient
  if (address.startsWith('unix:')) return skip(name, 'a gRPC collector at a unix socket is not asked')
  const insecure = settingOf(env, kind, 'INSECURE')?.toLowerCase() === 'true'
  const url = new URL(/^[a-z]+:\/\//i.test(address) ? address : `${insecure ? 'http' : 'https'}://${address}`)
  const endpoint = endpointOf(url, filesOf(env, kind))
  if (!endpoint) return fail(name, 'its address is no http:// or https:// one', 'correct OTEL_EXPORTER_OTLP_ENDPOINT')
  await within(timeout, (either) => reach(endpoint, either), signal)
  return ok(name, `${placeText(endpoint)} takes connections; over gRPC no more is tried`)
}

const linkFinding = ({ traceUrl }: ConfigOptions): Finding =>
  traceUrl === undefined
    ? warn('traceUrl', 'reports do not link to their traces', 'set traceUrl: http://jaeger:16686/trace/{traceId}')
    : ok('traceUrl', 'reports link to their traces')
