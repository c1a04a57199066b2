/** Log events as CloudWatch Logs takes them: cut, in order of time, in requests within its limits. */
import { type FailedItem, inChunks, type Notice } from '../src/plugin.ts'
import { payload } from './_payload.ts'
import { jsonWithin } from './_shrink.ts'

/** Of one request: events, and bytes of their messages with 26 more for each. */
const REQUEST = { count: 10_000, size: 1_048_576 }
const OVERHEAD = 26
/** Milliseconds between the first and the last event of a request. */
const SPAN = 24 * 3_600_000

export interface LogEvent {
  readonly timestamp: number
  readonly message: string
  /** Where it was in the batch. */
  readonly index: number
}

/** Requests of events, the earliest first. */
export const logRequests = (notices: readonly Notice[]): LogEvent[][] => {
  const events = notices.map((notice, index) => ({
    timestamp: Date.parse(notice.report?.startedAt ?? notice.event.time),
    message: jsonWithin(payload(notice), REQUEST.size - OVERHEAD),
    index,
  }))
  const sorted = events.sort((one, other) => one.timestamp - other.timestamp)
  return withinSpan(sorted).flatMap((some) => inChunks(some, REQUEST, sizeOf))
}

const sizeOf = ({ message }: LogEvent): number => Buffer.byteLength(message) + OVERHEAD

const withinSpan = (sorted: readonly LogEvent[]): LogEvent[][] => {
  const groups: LogEvent[][] = []
  for (const event of sorted) {
    const group = groups.at(-1)
    if (group?.[0] && event.timestamp - group[0].timestamp < SPAN) group.push(event)
    else groups.push([event])
  }
  return groups
}

interface Rejected {
  readonly tooNewLogEventStartIndex?: number
  readonly tooOldLogEventEndIndex?: number
  readonly expiredLogEventEndIndex?: number
}

/**
 * The events of a request that were not taken for their time, by their places in it. Ends are those of what comes before.
 *
 * Source: `RejectedLogEventsInfo` of the CloudWatch Logs API Reference.
 */
export const rejectedEvents = (info: Rejected, count: number): FailedItem[] => {
  const {
    tooNewLogEventStartIndex: tooNew = count,
    tooOldLogEventEndIndex: tooOld = 0,
    expiredLogEventEndIndex: expired = 0,
  } = info
  return Array.from({ length: count }, (_, index) => index).flatMap((index) => {
    const reason =
      index < expired
        ? 'beyond the retention of the log group'
        : index < tooOld
          ? 'older than 14 days'
          : index >= tooNew
            ? 'more than 2 hours in the future'
            : undefined
    return reason ? [{ index, permanent: true, reason }] : []
  })
}
