/** Jaeger 2 with its spans in memory: OTLP in, query API out. The module holds no assets, so there is no web page. */
import { goPart } from './go.ts'
import { answers } from './launch.ts'
import { freePort } from './part.ts'
import { versions } from './versions.ts'

export interface JaegerAddresses {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT` with `OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf` or `http/json`. */
  readonly otlpHttp: string
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT` with `OTEL_EXPORTER_OTLP_PROTOCOL=grpc`. */
  readonly otlpGrpc: string
  /** Base of the query API: `/api/v3/traces/<id>`. */
  readonly queryUrl: string
}

/** Jaeger 2 is released together with a version 1, and only that one is a version of its Go module. */
export const jaeger = goPart<JaegerAddresses>({
  name: 'jaeger',
  version: versions.jaeger,
  module: 'github.com/jaegertracing/jaeger',
  moduleVersion: versions.jaegerModule,
  folder: 'cmd/jaeger',
  async begin(binary, run) {
    const [http, grpc, query, queryGrpc] = await Promise.all([freePort(), freePort(), freePort(), freePort()])
    run.spawn(binary, ['--config', run.file('jaeger.yaml', config({ http, grpc, query, queryGrpc }))])
    const queryUrl = `http://127.0.0.1:${query}`
    await run.ready(answers(`${queryUrl}/api/v3/services`))
    return { otlpHttp: `http://127.0.0.1:${http}`, otlpGrpc: `http://127.0.0.1:${grpc}`, queryUrl }
  },
})

const config = (port: { http: number; grpc: number; query: number; queryGrpc: number }): string => `
service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines:
    traces: { receivers: [otlp], exporters: [jaeger_storage_exporter] }
  telemetry:
    metrics: { level: none }
extensions:
  jaeger_storage:
    backends:
      memory: { memory: { max_traces: 100000 } }
  jaeger_query:
    storage: { traces: memory }
    enable_tracing: false
    http: { endpoint: 127.0.0.1:${port.query} }
    grpc: { endpoint: 127.0.0.1:${port.queryGrpc} }
receivers:
  otlp:
    protocols:
      http: { endpoint: 127.0.0.1:${port.http} }
      grpc: { endpoint: 127.0.0.1:${port.grpc} }
exporters:
  jaeger_storage_exporter: { trace_storage: memory }
`
