/** What several processes agree on in a cluster: by Leases in our own namespace. */
import type { Agreement, Io } from '../plugin.ts'
import { claimsOf } from './_kube-claims.ts'
import type { Caller } from './_kube-http.ts'
import { leader } from './_kube-lead.ts'
import type { RawRequest } from './_kube-raw.ts'

export interface AgreementPlace {
  /** Where the Leases are. */
  readonly namespace: string
  as(caller: Caller): { send(request: RawRequest): Promise<unknown> }
}

/** Milliseconds for which a Lease of who leads is ours after each renewal. */
const LASTS = 15_000

/** Milliseconds for one request: a renewal that takes longer must leave time for another. */
const PATIENCE = 4_000

/** Renewals every few seconds would fill the traces: they are not traced. */
export const agreementIn = ({ namespace, as }: AgreementPlace, { env }: Pick<Io, 'env'>, lasts = LASTS): Agreement => {
  const send = (request: RawRequest): Promise<unknown> =>
    as({
      call: (_span, fn) => fn({ headers: {}, set: () => {} }),
      signal: AbortSignal.timeout(PATIENCE),
    }).send(request)
  const who = env['POD_NAME'] ?? env['HOSTNAME'] ?? 'yarak'
  return {
    claims: claimsOf({ namespace, send }),
    lead: leader({ namespace, send, who, lasts, now: () => performance.now() }),
  }
}
