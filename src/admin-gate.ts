/** What stands before every admin route: who asks, what that one may do, and a line of the audit record. */
import type { HttpBindings } from '@hono/node-server'
import type { Context, MiddlewareHandler } from 'hono'
import { type AdminClient, type Caller, createAccess } from './admin-access.ts'
import type { Audit, AuditEntry } from './audit.ts'
import type { Counters } from './counters.ts'
import { YarakError } from './errors.ts'

export interface AdminEnv {
  Bindings: Partial<HttpBindings>
  Variables: {
    /** What a route adds to the audit record. */
    did?: Pick<AuditEntry, 'why' | 'target' | 'response'>
  }
}

export interface GateOptions {
  /** Who may ask, beside whoever can open the unix socket. Default nobody. */
  readonly clients?: readonly AdminClient[]
  /** Told of each call that changes something, and of one that was not allowed to. Default nobody. */
  readonly audit?: Audit | undefined
  readonly counters?: Pick<Counters, 'add'> | undefined
}

/**
 * Lets in who is known: `unauthorized` for others, `refused` for changes by who may only look. Strangers are counted and
 * not recorded, so that nobody can fill the disk from outside.
 */
export const createGate = ({ clients = [], audit, counters }: GateOptions): MiddlewareHandler<AdminEnv> => {
  const access = createAccess(clients)
  const admit = (c: Context<AdminEnv>): Caller => {
    try {
      return access({ socket: c.env?.incoming?.socket, header: (name) => c.req.header(name) })
    } catch (error) {
      counters?.add('yarak_admin_refusals_total', { reason: 'unauthorized' })
      throw error
    }
  }
  return async (c, next) => {
    c.header('cache-control', 'no-store')
    const { name, role } = admit(c)
    if (isLooking(c)) return next()
    const record = (status: number): void =>
      audit?.append({ kind: 'admin', who: name, what: whatOf(c), ...c.get('did'), verdict: String(status) })
    if (role !== 'operate') {
      counters?.add('yarak_admin_refusals_total', { reason: 'refused' })
      record(403)
      throw new YarakError('refused', `${name} may look, and not change anything`)
    }
    await next()
    record(c.res.status)
  }
}

const isLooking = ({ req }: Context): boolean => req.method === 'GET' || req.method === 'HEAD'

/** Whose values stand in the record; any other might be secret. */
const SHOWN: ReadonlySet<string> = new Set(['kind', 'from', 'reason', 'after', 'limit', 'all', 'step'])

/** @example 'DELETE /admin/dlq?kind=event' */
const whatOf = ({ req }: Context): string => {
  const query = Object.entries(req.query()).map(([name, value]) => `${name}=${SHOWN.has(name) ? value : '***'}`)
  return `${req.method} ${req.path}${query.length > 0 ? `?${query.join('&')}` : ''}`
}
