/** What a sender is told of the events that were taken. */
import { type Answer, headersOf, json, statusOf } from './_http-ask.ts'
import type { Tally } from './_http-emit.ts'

/** Of one event, by its id. */
export const accepted = (id: string): Answer => ({
  status: 200,
  headers: { 'yarak-event-id': id, 'content-length': '0' },
  body: '',
})

export const batchBody = ({
  accepted,
  rejected,
  more,
  skipped,
}: Pick<Tally, 'accepted' | 'rejected' | 'more' | 'skipped'>) => ({
  accepted,
  rejected,
  ...(more > 0 && { more }),
  ...(skipped > 0 && { skipped }),
})

/** Of a line of a log alone. */
export const SKIPPED = json(200, batchBody({ accepted: 0, rejected: [], more: 0, skipped: 1 }))

export const batchAnswer = (tally: Tally): Answer => {
  if (tally.accepted > 0 || tally.rejected.length === 0) return json(200, batchBody(tally))
  if (!tally.later) return json(400, batchBody(tally))
  return json(statusOf(tally.later), batchBody(tally), headersOf(tally.later))
}
