/** A bound on how long one question may take. */
import { orAborted } from '../backoff.ts'
import { YarakError } from '../errors.ts'

/**
 * Runs a question that has so many milliseconds.
 * @throws YarakError `timed_out` when they are over; `interrupted` when `outer` fires; what the question throws
 * @example await within(3_000, (signal) => io.http(request, signal))
 */
export const within = async <T>(
  ms: number,
  ask: (signal: AbortSignal) => Promise<T>,
  outer?: AbortSignal,
): Promise<T> => {
  const late = AbortSignal.timeout(ms)
  const signal = outer ? AbortSignal.any([late, outer]) : late
  try {
    return await orAborted(ask(signal), signal)
  } catch (error) {
    if (outer?.aborted) throw new YarakError('interrupted', 'it was interrupted')
    if (late.aborted) throw new YarakError('timed_out', `there was no answer within ${ms / 1_000} s`)
    throw error
  }
}
