/** A host program: the gateway's routes in a Hono app of its own. */
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { http } from '../../inputs/http.ts'
import { createGateway } from '../../src/index.ts'

const gateway = createGateway({ inputs: [http({})] })
await gateway.start()
serve({ fetch: gateway.app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }: AddressInfo) =>
  console.log(JSON.stringify({ bench: 'ready', url: `http://127.0.0.1:${port}/` })),
)
process.once('SIGTERM', () => process.exit(0))
