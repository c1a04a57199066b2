/** What the engine keeps in the journal, as text, and how it reads it back. */
import { type EventOrigin, parseEvent, toJson } from './event.ts'
import type { Digest, Notice, Report } from './plugin.ts'

/** The text of an event as it was handed over; of a host's object, its JSON. */
export const rawText = (raw: unknown): string => {
  if (typeof raw === 'string') return raw
  if (raw instanceof Uint8Array) return Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('utf8')
  try {
    return toJson(raw) ?? String(raw)
  } catch {
    return String(raw)
  }
}

interface NoticeText {
  readonly id: string
  readonly origin: EventOrigin
  /** Falco's JSON, every digit kept. */
  readonly event: string
  readonly report?: Report
  readonly traceparent?: string
  readonly cluster?: string
  readonly traceUrl?: string
  readonly digest?: Digest
  readonly asked?: true
}

/** @param asked a rule names the output: no filter leaves the notice out */
export const noticeText = ({ event, ...notice }: Notice, asked: boolean): string => {
  const { input, authenticated, shared } = event
  const origin = { id: event.id, input, authenticated, cluster: event.cluster, shared }
  const text: NoticeText = {
    ...notice,
    origin,
    event: toJson(event.toJSON()),
    ...(asked && { asked }),
  }
  return JSON.stringify(text)
}

/** @throws YarakError `invalid`, or SyntaxError, for a text that {@link noticeText} did not write */
export const readNotice = (text: string): { readonly notice: Notice; readonly asked: boolean } => {
  const { origin, event, asked, ...notice } = JSON.parse(text) as NoticeText
  return { notice: { ...notice, event: parseEvent(event, origin) }, asked: asked ?? false }
}
