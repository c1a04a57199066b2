/** What outputs that pass on the whole notice send: the event as Falcosidekick writes it, with what was done about it. */
import { type Notice } from '../src/plugin.ts'

/**
 * The event's JSON with a `uuid` (the sender's, else the event's id); for a report also `response`, the report, and `trace_url`;
 * for a digest `digest`: count, first, last.
 * Written by `toJson`, integers keep every digit.
 *
 * Source: Falcosidekick's `FalcoPayload` (`types/types.go`), whose members and order this keeps.
 * @example payload({ id, event }) // { uuid, output, priority, rule, time, output_fields, source, tags, hostname }
 */
export const payload = ({ event, report, traceUrl, digest }: Notice): Record<string, unknown> => ({
  uuid: event.id,
  ...event.toJSON(),
  ...(report && { response: report }),
  ...(report && traceUrl && { trace_url: traceUrl }),
  ...(digest && { digest }),
})
