/** What outputs to message queues share: the span of a send, the context in the messages, the outcome of each of them. */
import { type FailedItem, type Io, messageOf, type Notice, type Sender, YarakError } from '../src/plugin.ts'
import type { Connection } from './_connection.ts'

/** W3C trace context, as headers of a message. */
export type TraceHeaders = Readonly<Record<string, string>>

/** The notice's own place in its trace; the vendors' part of the context is known only for the trace we are in. */
export const traceHeaders = ({ traceparent }: Notice, context: TraceHeaders): TraceHeaders => {
  if (traceparent === undefined) return context
  const sameTrace = context.traceparent?.slice(0, 35) === traceparent.slice(0, 35)
  return { traceparent, ...(sameTrace && context.tracestate !== undefined && { tracestate: context.tracestate }) }
}

/** Where messages go, in the words of OpenTelemetry's conventions for messaging. */
export interface Destination {
  /** `messaging.system`, e.g. `nats`. */
  readonly system: string
  /** `messaging.destination.name`; of low cardinality. */
  readonly name: string
}

/** What became of a message: nothing to tell, or why it was not taken. */
export type Outcome = YarakError | undefined

/**
 * @param outcomes of all messages of a batch, in order
 * @throws YarakError `failed`, naming those that were not taken, with the words of the one that may be tried again if any
 */
export const settle = (outcomes: readonly Outcome[]): void => {
  const errors = outcomes.filter((one) => one !== undefined)
  const told = errors.find(({ permanent }) => !permanent) ?? errors[0]
  if (!told) return
  const failed = outcomes.flatMap((error, index): FailedItem[] =>
    error ? [{ index, permanent: error.permanent, reason: error.permanent ? messageOf(error) : error.reason }] : [],
  )
  const count = outcomes.length > 1 ? `${failed.length} of ${outcomes.length} messages: ` : ''
  const { reason, permanent } = told
  throw new YarakError('failed', `${count}${messageOf(told)}`, { cause: told, reason, permanent, failed })
}

/** An open client of a queue. */
export interface Link<M> {
  /** What became of each message, in their order. Rejects when the connection is lost. */
  publish(messages: readonly M[]): Promise<readonly Outcome[]>
  close(): Promise<void>
}

/** The sender of an output that makes one message of each notice. */
export const queueSender = <M, L extends Link<M>>(
  io: Io,
  { system, name }: Destination,
  link: Connection<L>,
  message: (notice: Notice, headers: TraceHeaders, open: L) => M,
): Sender => ({
  send(notices, signal) {
    const attributes = {
      'messaging.system': system,
      'messaging.operation.type': 'send',
      'messaging.operation.name': 'send',
      'messaging.destination.name': name,
      'messaging.batch.message_count': notices.length,
    }
    return io.call({ name: `send ${name}`, attributes }, ({ headers }) =>
      link.use(async (open) => {
        const messages = notices.map((notice) => message(notice, traceHeaders(notice, headers), open))
        settle(await open.publish(messages))
      }, signal),
    )
  },
  close: () => link.close(),
})
