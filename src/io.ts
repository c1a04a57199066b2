/** Makes the {@link Io} that a plugin gets: bound to its id, and for a step or delivery to a span. */
import type { HttpConnection } from './http-settings.ts'
import type { HttpClient } from './http.ts'
import { type AskedLog, mapLog, type TraceFields, traceFields } from './log-area.ts'
import type { CallContext, ClientSpan, Io, Log, State } from './plugin.ts'
import type { Resources } from './resources.ts'
import type { Span, Tracing } from './telemetry.ts'

export interface IoHost {
  readonly tracing: Tracing
  readonly http: HttpClient
  readonly log: AskedLog
  /** Of the active span, for lines of what is bound to none. Default none. */
  activeIds?(): TraceFields | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly dataDir: string
  /** The durable memory of one plugin. */
  state(id: string): State
  resources(): Resources
}

/**
 * @param span the parent of the plugin's outbound calls; default the active span
 * @param connection what holds for its HTTP requests; default as the environment says
 */
export const createIo = (host: IoHost, id: string, span?: Span, connection?: HttpConnection): Io => {
  const call = <T>(spec: ClientSpan, fn: (call: CallContext) => Promise<T>): Promise<T> =>
    tracedCall(host.tracing, span, spec, fn)
  return {
    id,
    log: namedLog(host, id, span),
    http: host.http.bind(call, connection),
    env: host.env,
    dataDir: host.dataDir,
    state: host.state(id),
    use: (resource) => host.resources().use(resource),
    call,
  }
}

const tracedCall = async <T>(
  tracing: Tracing,
  parent: Span | undefined,
  spec: ClientSpan,
  fn: (call: CallContext) => Promise<T>,
): Promise<T> => {
  const span = tracing.start(spec.name, {
    parent,
    kind: spec.kind ?? 'client',
    ...(spec.attributes && { attributes: spec.attributes }),
  })
  try {
    return await span.run(() => fn({ headers: span.headers(), set: (name, value) => span.set({ [name]: value }) }))
  } catch (error) {
    span.fail(error)
    throw error
  } finally {
    span.end()
  }
}

/** Each line says whose it is, and what it belongs to: a plugin cannot say otherwise. */
const namedLog = ({ log, activeIds }: IoHost, plugin: string, span: Span | undefined): Log => {
  const ids = traceFields(span)
  return mapLog(
    log,
    () => plugin,
    (message, fields) => {
      const head = { plugin, ...(ids ?? activeIds?.()) }
      return [message, { ...head, ...fields, ...head }]
    },
  )
}
