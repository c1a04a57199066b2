/** A notice as the outputs are to see it. */
import type { Notice } from './plugin.ts'
import type { Redact } from './redact.ts'

/** @param traceUrl with `{traceId}` where the id belongs */
export const createPresenter =
  (redact: Redact | undefined, traceUrl: string | undefined) =>
  (notice: Notice): Notice => {
    const { report } = notice
    const traceId = report?.traceId
    const linked = traceUrl && traceId ? { ...notice, traceUrl: traceUrl.replaceAll('{traceId}', traceId) } : notice
    return redact ? redactNotice(linked, redact) : linked
  }

/** The very notice when nothing in it is redacted. */
export const redactNotice = (notice: Notice, redact: Redact): Notice => {
  const event = redact(notice.event)
  const report = notice.report && redact.report(notice.report, notice.event)
  return event === notice.event && report === notice.report ? notice : { ...notice, event, ...(report && { report }) }
}
