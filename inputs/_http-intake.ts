/** From the bytes of a body to its events: what it is, is told by its content type and its first line. */
import type { Receipt } from '../src/plugin.ts'
import { splitArray, splitBody } from './_batch.ts'
import { type Each, tooLarge } from './_http-ask.ts'
import { joined } from './_http-body.ts'
import { fromCloudEvent } from './_http-cloudevent.ts'
import { type Batch, type EmitItem, type Item, type Tally } from './_http-emit.ts'
import { createLineSplitter, isBlank, type Line } from './_lines.ts'

/** What became of a body: one event, accepted, skipped (no receipt) or refused; or many, and why the rest of them could not be read. */
export type Taken =
  | { readonly receipt: Receipt | undefined }
  | { readonly refused: unknown }
  | { readonly tally: Tally; readonly broken?: unknown }

export interface Intake {
  readonly emit: EmitItem
  readonly batch: Batch
  /** Bytes. */
  readonly maxLine: number
}

interface Reader {
  take(chunk: Buffer): void | Promise<void>
  end(): Promise<Taken>
}

type Form = (intake: Intake) => Reader

/** Rejects with what {@link Each} rejects with, when no event was handed on before. */
export const takeIn = async (each: Each, contentType: string | undefined, intake: Intake): Promise<Taken> => {
  const reader = formOf(contentType)(intake)
  try {
    await each((chunk) => reader.take(chunk))
  } catch (broken) {
    const tally = intake.batch.tally()
    if (tally.total === 0) throw broken
    return { tally, broken }
  }
  return reader.end()
}

const formOf = (contentType = ''): Form => FORMS.find(([pattern]) => pattern.test(contentType))?.[1] ?? any

const takeAll = async (items: readonly Item[], { batch }: Intake): Promise<Taken> => {
  await batch.add(items)
  return { tally: batch.tally() }
}

/** Each line is emitted as it comes, not after the whole body is read. */
const lines: Form = (intake) => {
  const splitter = createLineSplitter(intake.maxLine)
  const itemsOf = (found: readonly Line[]): Item[] =>
    found.filter(({ bytes }) => !bytes || !isBlank(bytes)).map((line) => itemOf(line, intake.maxLine))
  return {
    take(chunk) {
      const items = itemsOf(splitter.push(chunk))
      return items.length > 0 ? intake.batch.add(items) : undefined
    },
    end() {
      const rest = splitter.flush()
      return takeAll(itemsOf(rest ? [rest] : []), intake)
    },
  }
}

/** A line of RFC 7464 begins with a record separator. */
const itemOf = ({ bytes, head, start, end }: Line, maxLine: number): Item =>
  bytes
    ? { body: bytes.toString('utf8', bytes[0] === 0x1e ? 1 : 0) }
    : { body: head?.toString('utf8') ?? '', wrong: tooLarge('line', maxLine), position: `bytes ${start}-${end - 1}` }

const whole =
  (read: (text: string, intake: Intake) => Promise<Taken>): Form =>
  (intake) => {
    const chunks: Buffer[] = []
    return {
      take: (chunk) => void chunks.push(chunk),
      end: () => read(joined(chunks).toString('utf8'), intake),
    }
  }

/** Whether a body whose type leaves it open is plainly one object, if it is an event at all. */
export const isOne = (text: string): boolean => text.startsWith('{') && !text.includes('\n') && !text.includes('}{')

export const takeOne = (item: Item, { emit }: Pick<Intake, 'emit'>): Promise<Taken> =>
  emit(item).then(
    (receipt) => ({ receipt }),
    (refused: unknown) => ({ refused }),
  )

const events = whole((body, intake) => {
  const { batch, texts } = splitBody(body)
  if (batch)
    return takeAll(
      texts.map((text) => ({ body: text })),
      intake,
    )
  return takeOne({ body: texts[0] ?? '' }, intake)
})

const cloudEvent = whole((body, intake) => takeOne(fromCloudEvent(body), intake))

const cloudEvents = whole((body, intake) => {
  const texts = splitArray(body.trim())
  return texts ? takeAll(texts.map(fromCloudEvent), intake) : takeOne({ body }, intake)
})

const NEWLINE = 10

/** Held until it is clear whether these are lines. */
const any: Form = (intake) => {
  const held: Buffer[] = []
  let reader: Reader | undefined
  let sawNewline = false
  return {
    take(chunk) {
      if (reader) return reader.take(chunk)
      held.push(chunk)
      sawNewline ||= chunk.includes(NEWLINE)
      const start = sawNewline ? joined(held) : undefined
      const isLines = start && beginsWithLine(start)
      if (isLines === undefined) return
      reader = (isLines ? lines : events)(intake)
      return reader.take(start as Buffer)
    },
    end() {
      if (reader) return reader.end()
      const last = events(intake)
      void last.take(joined(held))
      return last.end()
    },
  }
}

/** Whether the first line is an event of its own and more follows; undefined while that cannot be told. */
const beginsWithLine = (bytes: Buffer): boolean | undefined => {
  const start = bytes.findIndex((byte) => byte > 0x20)
  const end = start < 0 ? -1 : bytes.indexOf(NEWLINE, start)
  return end < 0 || isBlank(bytes.subarray(end)) ? undefined : isObject(bytes.toString('utf8', start, end).trim())
}

const isObject = (text: string): boolean => {
  if (!text.startsWith('{') || !text.endsWith('}')) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const FORMS: readonly (readonly [RegExp, Form])[] = [
  [/^application\/cloudevents\+json\b/i, cloudEvent],
  [/^application\/cloudevents-batch\+json\b/i, cloudEvents],
  [/ndjson|jsonl|json-seq/i, lines],
]
