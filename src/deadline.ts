/** Limits of time that say, when they fire, whether it was the time or a stop. */
import { LONGEST } from './backoff.ts'
import { YarakError } from './errors.ts'

export interface Deadline {
  readonly signal: AbortSignal
  /** Call it when the work is done: the signal then does not fire any more. */
  clear(): void
}

/**
 * A signal that fires after `ms` milliseconds with `late`, or when `stop` fires: then with its reason, where that is one
 * of our errors, else as `interrupted`.
 */
export const deadlineAfter = (ms: number, stop: AbortSignal, late: YarakError): Deadline => {
  const controller = new AbortController()
  const onStop = (): void => controller.abort(stopped(stop))
  const timer = setTimeout(() => controller.abort(late), Math.min(ms, LONGEST))
  if (stop.aborted) onStop()
  stop.addEventListener('abort', onStop, { once: true })
  return {
    signal: controller.signal,
    clear() {
      clearTimeout(timer)
      stop.removeEventListener('abort', onStop)
    },
  }
}

/** Why a signal fired, as an outcome. */
export const stopped = ({ reason }: AbortSignal): YarakError =>
  reason instanceof YarakError && (reason.code === 'timed_out' || reason.code === 'interrupted')
    ? reason
    : new YarakError('interrupted', 'the gateway stopped', { cause: reason })
