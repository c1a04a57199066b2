/** Loki in one process, keeping its chunks in a folder. */
import { goPart } from './go.ts'
import { answers } from './launch.ts'
import { freePort } from './part.ts'
import { versions } from './versions.ts'

export interface LokiOptions {
  /** Asks for the tenant in `X-Scope-OrgID`. */
  readonly tenants?: boolean
}

export interface LokiAddresses {
  /** Base of the API: `/loki/api/v1/push`, `/loki/api/v1/query_range`. */
  readonly url: string
}

export const loki = goPart<LokiAddresses, LokiOptions>({
  name: 'loki',
  module: 'github.com/grafana/loki/v3',
  moduleVersion: versions.loki,
  folder: 'cmd/loki',
  async begin(binary, run, { tenants = false }) {
    const [port, grpc] = await Promise.all([freePort(), freePort()])
    run.spawn(binary, ['-config.file', run.file('loki.yaml', config(run.dir, port, grpc, tenants))])
    const url = `http://127.0.0.1:${port}`
    await run.ready(answers(`${url}/ready`), 60_000)
    return { url }
  },
})

/** Grace periods and slow polls make sense for a cluster; without them one process is ready at once. */
const config = (dir: string, port: number, grpc: number, tenants: boolean): string => `
auth_enabled: ${tenants}
server:
  http_listen_address: 127.0.0.1
  http_listen_port: ${port}
  grpc_listen_address: 127.0.0.1
  grpc_listen_port: ${grpc}
common:
  instance_addr: 127.0.0.1
  path_prefix: ${dir}
  replication_factor: 1
  ring: { kvstore: { store: inmemory } }
  storage: { filesystem: { chunks_directory: ${dir}/chunks, rules_directory: ${dir}/rules } }
ingester:
  lifecycler: { min_ready_duration: 0s }
frontend: { scheduler_dns_lookup_period: 200ms }
frontend_worker: { dns_lookup_duration: 200ms }
schema_config:
  configs:
    - { from: 2024-01-01, store: tsdb, object_store: filesystem, schema: v13, index: { prefix: index_, period: 24h } }
analytics: { reporting_enabled: false }
`
