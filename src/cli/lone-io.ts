/** What plugins work with where no gateway is: for a command that uses one by itself. */
import type { ConfigOptions } from '../config/index.ts'
import type { HttpConnection } from '../http-settings.ts'
import { createHttpClient, type HttpClient } from '../http.ts'
import { createIo, type IoHost } from '../io.ts'
import { SILENT } from '../options.ts'
import type { Io } from '../plugin.ts'
import { createResources, type Resources } from '../resources.ts'
import { memoryState } from '../state.ts'
import { createTracing } from '../telemetry.ts'
import { VERSION } from '../version.ts'
import type { Terminal } from './terminal.ts'

export interface Lone {
  readonly resources: Resources
  io(id: string, connection?: HttpConnection): Io
}

/**
 * Closes everything afterwards.
 * @param wrap changes the HTTP client, e.g. so that nothing is sent
 */
export const withLoneIo = async <T>(
  { resources: uses, dataDir }: Pick<ConfigOptions, 'resources' | 'dataDir'>,
  env: Terminal['env'],
  fn: (lone: Lone) => Promise<T>,
  wrap: (http: HttpClient) => HttpClient = (same) => same,
): Promise<T> => {
  const state = memoryState()
  const http = createHttpClient({ env })
  const base = { tracing: createTracing(VERSION), http: wrap(http), log: SILENT, env, dataDir }
  const host: IoHost = { ...base, state: (id) => state.of(id), resources: () => resources }
  const resources: Resources = createResources(uses, (id) => createIo(host, id))
  try {
    return await fn({ resources, io: (id, connection) => createIo(host, id, undefined, connection) })
  } finally {
    // what failed before says more
    await resources.close().catch(() => {})
    await http.close()
  }
}
