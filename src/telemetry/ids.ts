/** Ids of traces and spans, of which the next trace's can be given. */
import { randomFillSync } from 'node:crypto'
import type { IdGenerator } from '@opentelemetry/sdk-trace'
import type { TraceIds } from '../telemetry.ts'

export interface Ids extends TraceIds {
  /** For the SDK. */
  readonly generator: IdGenerator
}

const POOL = 4_096

/**
 * Random ids, unless `next` was called right before.
 * @example ids.next(fnv128('shop:web-1')) // the next root is in the trace of this pod
 */
export const createIds = (): Ids => {
  const pool = Buffer.alloc(POOL)
  let at = POOL
  let given: string | undefined
  /** Ids of zeros are none. */
  const random = (bytes: number): string => {
    if (at + bytes > POOL) {
      randomFillSync(pool)
      at = 0
    }
    const id = pool.toString('hex', at, (at += bytes))
    return /[^0]/.test(id) ? id : random(bytes)
  }
  return {
    next: (traceId) => void (given = traceId),
    generator: {
      generateTraceId() {
        const id = given ?? random(16)
        given = undefined
        return id
      },
      generateSpanId: () => random(8),
    },
  }
}
