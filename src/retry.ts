/** Whether a step is tried again. */
import { backoff } from './backoff.ts'
import { asYarakError } from './errors.ts'

/** Milliseconds until the next try; undefined: there is none. What may have happened is never repeated blindly. */
export const retryDelay = (error: unknown, attempts: number, retries: number): number | undefined => {
  const { permanent, retryAfter, code, reason } = asYarakError(error)
  // nobody forbids what could not be claimed
  const isRefused = code === 'refused' && reason !== 'no-claim'
  const never = permanent || code === 'gone' || isRefused || code === 'unknown' || code === 'interrupted'
  return never || attempts > retries ? undefined : (retryAfter ?? backoff(attempts))
}
