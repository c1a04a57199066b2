/** Hands events to the gateway, one or many, and tells what became of them. */
import { type EmitOptions, type InputIo, type Places, type Receipt, YarakError } from '../src/plugin.ts'
import { wordOf } from './_http-ask.ts'
import { unwrap, type UnwrapMode } from './_unwrap.ts'

/** One event of a body. */
export interface Item {
  readonly body: string
  /** Why the input cannot hand it on. */
  readonly wrong?: YarakError
  /** Where in the body, when this is only the start of it. */
  readonly position?: string
  /** The trace context that came with it. */
  readonly headers?: Readonly<Record<string, string>>
}

/** Emits one; undefined when it is no event but a line of a log. An error it rejects with is counted already. */
export type EmitItem = (item: Item) => Promise<Receipt | undefined>

export interface EmitHow {
  readonly options: EmitOptions
  readonly unwrap: UnwrapMode
  /** False: there are more events than the rate allows. */
  take(): boolean
}

export const createEmitItem =
  (io: InputIo, { options, unwrap: mode, take }: EmitHow): EmitItem =>
  async ({ body, wrong, position, headers }) => {
    if (wrong) {
      io.count('rejected', wrong.reason, { message: wrong.message, body, ...(position && { position }) })
      throw wrong
    }
    const found = body.startsWith('{') ? unwrap(body, mode) : { text: body }
    if ('skipped' in found) {
      io.count('skipped', found.skipped)
      return undefined
    }
    if (!take()) {
      io.count('rejected', 'too_many')
      throw new YarakError('overloaded', 'more events than the rate allows', { reason: 'too_many' })
    }
    const traced = headers && options.headers?.traceparent === undefined
    return await io.emit(found.text, traced ? { ...options, headers } : options)
  }

/** An error as a sender may see it: what is wrong with us stays in its cause. */
export const known = (thrown: unknown): YarakError =>
  thrown instanceof YarakError && thrown.code !== 'failed'
    ? thrown
    : new YarakError('failed', 'the event could not be taken', { cause: thrown })

export interface Rejected {
  readonly index: number
  readonly code: string
  readonly message: string
}

/** What became of a batch. */
export interface Tally {
  readonly total: number
  readonly accepted: number
  /** The first {@link LISTED} of them. */
  readonly rejected: readonly Rejected[]
  /** How many more were rejected. */
  readonly more: number
  /** Lines of a log that are no events. */
  readonly skipped: number
  /** Why the first of them was rejected. */
  readonly first: YarakError | undefined
  /** The first error that is not the sender's fault; the rate comes last. */
  readonly later: YarakError | undefined
}

export interface Batch {
  /** Resolves when each is accepted, rejected or skipped. */
  add(items: readonly Item[]): Promise<void>
  tally(): Tally
}

/** How many events of a batch are emitted before others get a turn. */
const TURN = 100
/** How many rejected events an answer names. */
const LISTED = 1_000

/** @param turns how many batches may emit at the same time: the others wait, and their senders with them */
export const createBatch = (emit: EmitItem, turns: Places): Batch => {
  const rejected: Rejected[] = []
  let index = 0
  let failed = 0
  let skipped = 0
  let first: YarakError | undefined
  let later: YarakError | undefined
  let sinceTurn = 0

  const failedWith = (at: number, thrown: unknown): void => {
    const error = known(thrown)
    failed++
    first ??= error
    if (rejected.length < LISTED) rejected.push({ index: at, code: wordOf(error), message: error.message })
    if (error.status >= 500 && (!later || later.reason === 'too_many')) later = error
  }

  const turn = async (items: readonly Item[]): Promise<void> => {
    const from = index
    index += items.length
    const free = await turns.take()
    const results = await Promise.allSettled(items.map(emit))
    free?.()
    for (const [i, result] of results.entries()) {
      if (result.status === 'rejected') failedWith(from + i, result.reason)
      else if (!result.value) skipped++
    }
    sinceTurn += items.length
    if (sinceTurn < TURN) return
    sinceTurn = 0
    await new Promise((resolve) => setImmediate(resolve))
  }

  return {
    async add(items) {
      for (let from = 0; from < items.length; from += TURN) await turn(items.slice(from, from + TURN))
    },
    tally: () => ({
      total: index,
      accepted: index - failed - skipped,
      skipped,
      rejected,
      more: failed - rejected.length,
      first,
      later,
    }),
  }
}
