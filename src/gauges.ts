/** What is read when it is asked for: queues, places, sizes. */
import type { Counters } from './counters.ts'
import type { Delivery } from './deliver.ts'
import type { GuardMemory } from './guard.ts'
import type { Journal } from './journal/index.ts'

interface Gauged {
  responder: { running: number; queued: number }
  outputs(): readonly Delivery[]
  acceptor: { unsettled(): number }
  journal: Pick<Journal, 'health'>
  memory: Pick<GuardMemory, 'isOpen'>
}

export const countGauges = (counters: Counters, { responder, outputs, acceptor, journal, memory }: Gauged): void => {
  counters.gauge('yarak_events_unsettled', 'Accepted events that are not settled.', () => [[{}, acceptor.unsettled()]])
  counters.gauge('yarak_responses_running', 'Responses that run.', () => [[{}, responder.running]])
  counters.gauge('yarak_responses_queued', 'Responses that wait for their target or a place.', () => [
    [{}, responder.queued],
  ])
  counters.gauge('yarak_notices_queued', 'Notices that wait or are being delivered, by output.', () =>
    outputs().map(({ id, queued }) => [{ output: id }, queued]),
  )
  counters.gauge('yarak_output_breaker_open', '1 while an output is only tried by one delivery at a time.', () =>
    outputs().map(({ id, breaker }) => [{ output: id }, Number(breaker !== 'closed')]),
  )
  counters.gauge('yarak_guard_breaker_open', '1 while every changing step is refused, by mode.', () =>
    (['enforce', 'observe'] as const).map((mode) => [{ mode }, Number(memory.isOpen(mode))]),
  )
  counters.gauge('yarak_journal_bytes', 'Bytes of the journal on disk, by mode.', () => {
    const { mode, size } = journal.health()
    return [[{ mode }, size]]
  })
}
