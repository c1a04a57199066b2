/** Work that one of several processes does, for as long as a Lease is its own. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Agreement } from '../plugin.ts'
import { candidate, type LeaseSettings } from './_kube-lease.ts'

export interface LeadSettings extends Omit<LeaseSettings, 'name' | 'duration'> {
  /** Milliseconds for which a Lease is ours after each renewal. */
  readonly lasts: number
}

/** Of the time that a Lease lasts: when it is renewed, and when work is cut short because it could not be. */
const RENEW = 1 / 5
const GIVE_UP = 2 / 3

/** @example await leader(settings)('input-file', signal, (leading) => readAll(leading)) // by the Lease `yarak-input-file` */
export const leader =
  ({ lasts, now, ...settings }: LeadSettings): Agreement['lead'] =>
  async (name, signal, work, waits = () => {}) => {
    const lease = candidate({ ...settings, now, name: leaseName(name), duration: lasts })
    const wait = (ms: number, until: AbortSignal): Promise<unknown> =>
      sleep(ms, undefined, { signal: until }).catch(() => {})

    /** Renews it until the signal fires; resolves when it is lost. */
    const keep = async (since: number, until: AbortSignal): Promise<void> => {
      for (let held = since; !until.aborted && now() < held + lasts * GIVE_UP;) {
        await wait(lasts * RENEW, until)
        const asked = now()
        const left = held + lasts * GIVE_UP - asked
        if (until.aborted || left <= 0) return
        const answer = await Promise.race([lease.hold().catch(() => undefined), wait(left, until)])
        if (answer === false) return
        if (answer === true) held = asked
      }
    }

    /** @returns whether the work has ended by itself */
    const lead = async (since: number): Promise<boolean> => {
      const over = new AbortController()
      const leading = AbortSignal.any([signal, over.signal])
      const kept = keep(since, leading).then(() => over.abort())
      try {
        await work(leading)
        return !leading.aborted
      } finally {
        const isOurs = !over.signal.aborted
        over.abort()
        await kept
        if (isOurs) await lease.release()
      }
    }

    while (!signal.aborted) {
      const asked = now()
      if (await lease.hold()) {
        if (await lead(asked)) return
      } else {
        waits()
        await wait(lasts * RENEW, signal)
      }
    }
  }

/** A name that an object can have. */
const leaseName = (name: string): string => `yarak-${name.toLowerCase().replaceAll(/[^a-z0-9.-]+/g, '-')}`
