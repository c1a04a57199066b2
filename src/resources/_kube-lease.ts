/** Who of several processes leads, agreed on by a Lease, as the controllers of Kubernetes do. */
import { randomUUID } from 'node:crypto'
import { YarakError } from '../plugin.ts'
import { apiPath, type RawRequest } from './_kube-raw.ts'

/** What is looked at of a `coordination.k8s.io/v1 Lease`. */
interface Lease {
  readonly metadata: { readonly resourceVersion?: string }
  readonly spec?: {
    readonly holderIdentity?: string
    readonly leaseDurationSeconds?: number
    readonly acquireTime?: string
    readonly renewTime?: string
    readonly leaseTransitions?: number
  }
}

export interface LeaseSettings {
  readonly namespace: string
  readonly name: string
  /** Who we are, for people; it is made unique. */
  readonly who: string
  /** Milliseconds for which the lease is ours after each renewal. */
  readonly duration: number
  send(request: RawRequest): Promise<unknown>
  /** Milliseconds on a clock that never jumps. */
  now(): number
}

/** Our part in a Lease. */
export interface Candidate {
  /**
   * Takes the lease when nobody has it, renews it when we have it.
   * @returns whether it is ours now
   */
  hold(): Promise<boolean>
  /** Lets others have it at once. Never rejects. */
  release(): Promise<void>
}

/**
 * Takes part in a Lease. The clocks of others are not trusted: a lease has run out when it has not changed for as long as
 * it says, since we first saw it so.
 * @see https://pkg.go.dev/k8s.io/client-go/tools/leaderelection
 */
export const candidate = ({ namespace, name, who, duration, send, now }: LeaseSettings): Candidate => {
  const identity = `${who}_${randomUUID()}`
  const folder = apiPath('coordination.k8s.io/v1', 'namespaces', namespace, 'leases')
  const path = `${folder}/${encodeURIComponent(name)}`
  let seen: { readonly version: string | undefined; readonly at: number } | undefined

  const isHeld = ({ metadata: { resourceVersion }, spec = {} }: Lease): boolean => {
    if (seen?.version !== resourceVersion || !seen) seen = { version: resourceVersion, at: now() }
    const lasts = (spec.leaseDurationSeconds ?? 0) * 1_000
    return Boolean(spec.holderIdentity) && spec.holderIdentity !== identity && now() < seen.at + lasts
  }

  const claim = ({ spec = {} }: Partial<Lease>): Lease['spec'] => {
    const time = new Date().toISOString().replace('Z', '000Z')
    const isOurs = spec.holderIdentity === identity
    return {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(duration / 1_000),
      acquireTime: (isOurs && spec.acquireTime) || time,
      renewTime: time,
      leaseTransitions: (spec.leaseTransitions ?? 0) + (isOurs || !spec.holderIdentity ? 0 : 1),
    }
  }

  const write = async (live: Lease | undefined, spec: Lease['spec']): Promise<boolean> => {
    const body = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, ...live?.metadata }, spec }
    try {
      await send(live ? { method: 'PUT', path, body } : { method: 'POST', path: folder, body })
      return true
    } catch (error) {
      // another was faster
      if (error instanceof YarakError && ['conflict', 'already-exists'].includes(error.reason)) return false
      throw error
    }
  }

  const read = async (): Promise<Lease | undefined> => {
    try {
      return (await send({ method: 'GET', path })) as Lease
    } catch (error) {
      if (error instanceof YarakError && error.code === 'gone') return undefined
      throw error
    }
  }

  return {
    async hold() {
      const live = await read()
      return live && isHeld(live) ? false : write(live, claim(live ?? {}))
    },
    async release() {
      try {
        const live = await read()
        if (live?.spec?.holderIdentity !== identity) return
        await write(live, { ...live.spec, holderIdentity: '', leaseDurationSeconds: 1 })
      } catch {
        // it runs out by itself
      }
    },
  }
}
