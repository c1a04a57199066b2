/** What a function in a cloud is sent, and what is made of its answer. */
import { type HttpResponse, type Result, type Step, z } from '../plugin.ts'
import { cut } from './_text.ts'

/** The body in place of the event. */
export const payloadSetting = () =>
  z
    .record(z.string(), z.unknown())
    .optional()
    .describe('The body as a map, its leaves may be templates. Default: the event, as Falco Talon sends it.')

/** More members of what the event has as `context`. */
export const contextSetting = () =>
  z
    .record(z.string(), z.string())
    .default({})
    .describe('More for `context` of the event, e.g. of `context.k8snode`; empty texts are left out. Default nothing.')

/** The address of a function or a service. */
export const functionUrl = () =>
  z.string().refine((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined
    return url?.protocol === 'https:' && url.username === '' && url.password === '' && url.hash === ''
  }, 'must be an https address without user, password and fragment')

/**
 * The event with its members in the order of Falco Talon, and where it is in its trace.
 *
 * Source: `internal/events/events.go` of Falco Talon. Functions that were written for it find `trace_id`, `context` and
 * all members, also those that are null.
 */
export const eventPayload = (
  type: string,
  { event, response }: Step,
  context: Readonly<Record<string, string>> = {},
): Record<string, unknown> => {
  const { output, priority, rule, hostname, time, source, output_fields, tags } = event.toJSON()
  return {
    trace_id: response.traceparent?.split('-')[1] ?? null,
    output,
    priority,
    rule,
    hostname: hostname ?? null,
    time,
    source: source ?? event.source,
    output_fields: output_fields ?? null,
    context: {
      'falco-talon.rule': response.rule,
      'falco-talon.action': response.step,
      'falco-talon.actionner': type,
      ...Object.fromEntries(Object.entries(context).filter(([, value]) => value !== '')),
    },
    tags: tags ?? null,
    response: response.id,
    traceparent: response.traceparent ?? null,
  }
}

/** What a function did that answers by HTTP. */
export const answered = (name: string, { status, body }: HttpResponse, objects: Result['objects'] = {}): Result => ({
  summary: `${name} answered ${status}`,
  objects: { ...objects, status: String(status) },
  ...(body && { output: cut(body) }),
})
