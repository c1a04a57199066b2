/** Offers one record to the gateway until it is decided: accepted, passed over, or left for later. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type EmitOptions, type InputIo, messageOf, type Receipt, YarakError } from '../src/plugin.ts'
import type { KafkaRecord, TopicPartition } from '../src/resources/kafka.ts'
import { contentOf } from './_kafka-content.ts'
import type { Poison, Refusal } from './_kafka-poison.ts'
import { emitOptions, type RecordOrigin } from './_kafka-record.ts'
import type { UnwrapMode } from './_unwrap.ts'

/** `done` resolves when the record is settled; `left`: not ours to handle any more, it comes again. */
export type Decision = { readonly done: Promise<unknown> } | 'left'

export type Offer = (at: TopicPartition, record: KafkaRecord, stop: AbortSignal) => Promise<Decision>

export interface OfferOptions extends RecordOrigin {
  readonly unwrap: UnwrapMode
}

const PASSED: Decision = { done: Promise.resolve() }

/** Milliseconds before an event that found no room is offered again. */
const NO_ROOM = 200

/** @throws what the gateway rejects with, when that says nothing about the record */
export const createOffer = (io: InputIo, settings: OfferOptions, poison: Poison): Offer => {
  const refuse = (at: TopicPartition, record: KafkaRecord, refusal: Refusal): Decision => {
    const { topic, partition } = at
    io.log.warn('record refused', { topic, partition, offset: record.offset, error: refusal.why })
    return { done: poison.keep(at, record, refusal) }
  }

  /** Counted here, because the gateway never sees it. Of a batch that cannot be read, the first record is kept. */
  const refuseUnseen = (at: TopicPartition, record: KafkaRecord, refusal: Refusal, position = ''): Decision => {
    const body = record.value
    if (!body?.length) {
      io.count('rejected', refusal.reason)
      return PASSED
    }
    io.count('rejected', refusal.reason, { message: refusal.why, body, position })
    return refuse(at, record, refusal)
  }

  /** Undefined: there is no room now. */
  const tryOnce = async (
    alert: string | Uint8Array,
    options: EmitOptions,
  ): Promise<Receipt | Refusal | 'left' | undefined> => {
    try {
      return await io.emit(alert, options)
    } catch (error) {
      if (options.signal?.aborted) return 'left'
      if (!(error instanceof YarakError)) throw error
      if (error.code === 'closing') return 'left'
      if (REFUSED.has(error.code)) return { reason: error.code, why: messageOf(error) }
      if (error.code !== 'overloaded') throw error
      await sleep(error.retryAfter ?? NO_ROOM, undefined, { signal: options.signal }).catch(() => {})
      return undefined
    }
  }

  return async (at, record, stop) => {
    const options = { ...emitOptions(at, record, settings), signal: stop }
    const content = contentOf(record, settings.unwrap)
    if ('skipped' in content) {
      io.count('skipped', content.skipped)
      return PASSED
    }
    if ('refused' in content) {
      return refuseUnseen(at, record, { reason: content.refused, why: content.why }, options.position)
    }
    while (!stop.aborted) {
      const decided = await tryOnce(content.alert, options)
      if (decided) return typeof decided === 'object' && 'reason' in decided ? refuse(at, record, decided) : decided
    }
    return 'left'
  }
}

const REFUSED: ReadonlySet<string> = new Set(['invalid', 'too_large', 'unauthorized'])
