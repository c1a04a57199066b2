/** Claims of responses as Leases: each is a small object of its own, which whoever may see Leases can look at. */
import type { Claim, Claims, LiveClaim } from '../plugin.ts'
import { YarakError } from '../plugin.ts'
import { RESPONSE } from './_kube-note.ts'
import { apiPath, type RawRequest } from './_kube-raw.ts'

export interface ClaimPlace {
  readonly namespace: string
  send(request: RawRequest): Promise<unknown>
}

/** What is looked at of a `coordination.k8s.io/v1 Lease`. */
interface Lease {
  readonly metadata: {
    readonly name: string
    readonly resourceVersion: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec?: { readonly holderIdentity?: string; readonly leaseDurationSeconds?: number }
}

const PREFIX = 'yarak-response-'
const FACTS = 'yarak.dev/facts'
const SETTLED = 'yarak.dev/settled'

/** Leases of a list asked for at a time: each may have 256 KiB of facts. */
const PAGE = 100

/**
 * The claims of a namespace. What two write at the same time is decided by the server: a name is given once, and a write
 * names the version that it changes.
 * @see https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
 */
export const claimsOf = ({ namespace, send }: ClaimPlace): Claims => {
  const folder = apiPath('coordination.k8s.io/v1', 'namespaces', namespace, 'leases')
  const pathOf = (id: string): string => `${folder}/${encodeURIComponent(PREFIX + id)}`

  return {
    async read(id) {
      const live = (await unless('not-found', send({ method: 'GET', path: pathOf(id) }))) as Lease | undefined
      return live && claimOf(live)
    },
    async create(id, claim) {
      const made = await unless('already-exists', send({ method: 'POST', path: folder, body: leaseOf(id, claim) }))
      return (made as Lease | undefined)?.metadata.resourceVersion
    },
    async replace(id, claim, version) {
      const sent = send({ method: 'PUT', path: pathOf(id), body: leaseOf(id, claim, version) })
      const made = await unless('not-found', unless('conflict', sent))
      return (made as Lease | undefined)?.metadata.resourceVersion
    },
    async *list() {
      for (let next: string | undefined; next !== '';) {
        const query = { labelSelector: RESPONSE, limit: PAGE, continue: next }
        const page = (await send({ method: 'GET', path: folder, query })) as {
          readonly metadata?: { readonly continue?: string }
          readonly items: readonly Lease[]
        }
        for (const lease of page.items) yield { ...claimOf(lease), id: lease.metadata.name.slice(PREFIX.length) }
        next = page.metadata?.continue ?? ''
      }
    },
    async remove(id, resourceVersion) {
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { resourceVersion } }
      await unless('not-found', unless('conflict', send({ method: 'DELETE', path: pathOf(id), body })))
    },
  }
}

/** Undefined when the server says no for this reason. */
const unless = async <T>(reason: string, answer: Promise<T>): Promise<T | undefined> => {
  try {
    return await answer
  } catch (error) {
    if (error instanceof YarakError && error.reason === reason) return undefined
    throw error
  }
}

const claimOf = ({ metadata: { resourceVersion, labels = {}, annotations = {} }, spec = {} }: Lease): LiveClaim => ({
  holder: spec.holderIdentity ?? '',
  lasts: (spec.leaseDurationSeconds ?? 0) * 1_000,
  settled: labels[SETTLED] !== undefined,
  facts: annotations[FACTS] ?? '',
  version: resourceVersion,
})

const leaseOf = (id: string, { holder, lasts, settled, facts }: Claim, resourceVersion?: string) => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: {
    name: PREFIX + id,
    labels: { [RESPONSE]: id, ...(settled && { [SETTLED]: 'true' }) },
    annotations: { [FACTS]: facts },
    ...(resourceVersion !== undefined && { resourceVersion }),
  },
  spec: {
    holderIdentity: holder,
    leaseDurationSeconds: Math.ceil(lasts / 1_000),
    renewTime: new Date().toISOString().replace('Z', '000Z'),
  },
})
