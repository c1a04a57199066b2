/** What SQS and SNS have in common: FIFO, the characters they take, entries that are refused. */
import { createHash } from 'node:crypto'
import { type FailedItem, inChunks, type Notice, targetOf, wholeOrEach } from '../src/plugin.ts'
import { refusedItem } from './_aws-call.ts'
import { refused, sendParts } from './_parts.ts'
import { jsonWithin } from './_shrink.ts'

/** What a group or a deduplication id may be. */
const GROUP = /^[!-~]{1,128}$/

/**
 * Members of a message of a FIFO queue or topic: messages about one target are one group, what is about nothing known is a
 * group of its own; a notice that is sent again is taken once within five minutes.
 */
export const fifo = ({ id, event }: Notice) => ({
  MessageGroupId: groupId(targetOf(event).key ?? event.id),
  MessageDeduplicationId: groupId(id),
})

const groupId = (text: string): string => (GROUP.test(text) ? text : createHash('sha256').update(text).digest('hex'))

/** Whether the name of a queue or a topic is that of a FIFO one. */
export const isFifo = (name: string): boolean => name.endsWith('.fifo')

/** All but `#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF`, which a message may hold. */
const REFUSED = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g

/** A text of characters that a message may hold, U+FFFD in place of others. */
export const plainText = (text: string): string => text.toWellFormed().replaceAll(REFUSED, '\ufffd')

/** The JSON of a payload within so many bytes, of characters that a message may hold: others are written as escapes. */
export const jsonMessage = (value: Readonly<Record<string, unknown>>, bytes: number): string => {
  const text = plainJson(jsonWithin(value, bytes))
  // An escape takes at most twice the bytes of what it stands for.
  return Buffer.byteLength(text) <= bytes ? text : plainJson(jsonWithin(value, Math.floor(bytes / 2)))
}

const plainJson = (json: string): string =>
  json.replaceAll(REFUSED, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** An entry of a batch that was refused; its id is its index. */
export interface RefusedEntry {
  readonly Id: string
  readonly Code: string
  readonly Message?: string | undefined
  readonly SenderFault: boolean
}

const failedItem = ({ Id, Code, Message, SenderFault }: RefusedEntry): FailedItem =>
  refusedItem(Number(Id), Code, Message, SenderFault)

/** Of SQS and SNS alike: messages in one request. */
const MAX_ENTRIES = 10

/**
 * Sends messages in requests of ten, and of so many bytes; what is refused for what is in it, alone.
 * @param post sends some, and gives the entries that were refused
 */
export const sendMessages = <T>(
  messages: readonly T[],
  { bytes, sizeOf }: { readonly bytes: number; readonly sizeOf: (message: T) => number },
  post: (some: readonly T[]) => Promise<readonly RefusedEntry[]>,
): Promise<void> => {
  const send = async (some: readonly T[]): Promise<void> => {
    const error = refused((await post(some)).map(failedItem), some.length, 'messages')
    if (error) throw error
  }
  return sendParts(inChunks(messages, { count: MAX_ENTRIES, size: bytes }, sizeOf), (part) => wholeOrEach(part, send))
}
