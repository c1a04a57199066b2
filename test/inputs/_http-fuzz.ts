/** Sends random requests to the input on a real gateway, over sockets, and settles the account. */
import { Pool } from 'undici'
import { randomRequests } from './_http-bodies.ts'
import { type HttpSettings, serving, type Way } from './_http-rig.ts'

export interface Outcome {
  /** Answers by status. */
  readonly statuses: Readonly<Record<number, number>>
  /** Requests that got no answer. */
  readonly broken: readonly string[]
  readonly received: number
  readonly rejected: number
  readonly settled: number
}

export const fuzz = async (way: Exclude<Way, 'app'>, count: number, seed: number, settings: HttpSettings = {}) => {
  const rig = await serving(way, { trustedProxies: ['127.0.0.1'], maxBody: '16KiB', ...settings })
  const pool = new Pool(rig.url ?? '', { connections: 16 })
  const statuses: Record<number, number> = {}
  const broken: string[] = []
  const requests = randomRequests(count, seed)
  const send = async (): Promise<void> => {
    for (const { headers, body } of requests) {
      try {
        const answer = await pool.request({ method: 'POST', path: '/', headers, body })
        await answer.body.dump()
        statuses[answer.statusCode] = (statuses[answer.statusCode] ?? 0) + 1
      } catch (error) {
        broken.push(String(error))
      }
    }
  }
  await Promise.all(Array.from({ length: 16 }, send))
  await pool.close()
  await rig.stop()
  const text = await (await rig.gateway.ops.request('/metrics')).text()
  const sum = (what: string): number =>
    [...text.matchAll(new RegExp(`^yarak_events_${what}_total\\{.*\\} (\\d+)$`, 'gm'))].reduce(
      (all, [, n]) => all + Number(n),
      0,
    )
  const outcome: Outcome = {
    statuses,
    broken,
    received: sum('received'),
    rejected: sum('rejected'),
    settled: sum('settled'),
  }
  return { ...outcome, told: rig.told.length }
}
