/** Offers one record to the gateway until it is decided: accepted, passed over, or left for later. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type InputIo, messageOf, type Receipt, YarakError } from '../src/plugin.ts'
import type { KafkaRecord, TopicPartition } from '../src/resources/kafka.ts'
import { emitOptions, type RecordOrigin } from './_kafka-record.ts'

/** A receipt; `passed`: counted and done with; `left`: not ours to handle any more, it comes again. */
export type Decision = Receipt | 'passed' | 'left'

export type Offer = (at: TopicPartition, record: KafkaRecord, stop: AbortSignal) => Promise<Decision>

/** Milliseconds before an event that found no room is offered again. */
const NO_ROOM = 200

/** @throws what the gateway rejects with, when that says nothing about the record */
export const createOffer =
  (io: InputIo, origin: RecordOrigin): Offer =>
  async ({ topic, partition }, record, stop) => {
    if (record.value === null) {
      io.count('skipped', 'tombstone')
      return 'passed'
    }
    const options = { ...emitOptions({ topic, partition }, record, origin), signal: stop }
    while (!stop.aborted) {
      try {
        return await io.emit(record.value, options)
      } catch (error) {
        const verdict = stop.aborted ? 'left' : verdictOn(error)
        if (verdict === 'left') return verdict
        if (verdict === 'unknown') throw error
        if (verdict === 'passed') {
          io.log.warn('record refused', { topic, partition, offset: record.offset, error: messageOf(error) })
          return verdict
        }
        await sleep((error as YarakError).retryAfter ?? NO_ROOM, undefined, { signal: stop }).catch(() => {})
      }
    }
    return 'left'
  }

/** What the gateway's refusal means for the record. */
const verdictOn = (error: unknown): 'passed' | 'left' | 'later' | 'unknown' => {
  if (!(error instanceof YarakError)) return 'unknown'
  if (error.code === 'overloaded') return 'later'
  if (error.code === 'closing') return 'left'
  return error.code === 'invalid' || error.code === 'too_large' || error.code === 'unauthorized' ? 'passed' : 'unknown'
}
