/** Settings of what spans tell, for a host program and for a file alike. */
import { z } from 'zod'

/** The setting `telemetry`, as far as the engine is concerned. */
export const traceSettings = z.strictObject({
  fields: z
    .array(z.string().min(1))
    .default([])
    .describe(
      'Fields of the event that spans tell, as `falco.field.<name>`. Command lines and paths may hold secrets, so that ' +
        'nothing is told but what is named here. Default none.',
    ),
  unmatched: z
    .boolean()
    .default(false)
    .describe(
      'Also of events that no rule and no output wants there are spans; there always are when the sender of an event ' +
        'traces it. Default false: on most clusters these are nearly all events.',
    ),
  groupBy: z
    .enum(['event', 'target'])
    .default('event')
    .describe(
      'What a trace is, when the sender of an event began none: `event`, a trace for each event; `target`, one for all ' +
        'events of a pod, else of a container, else of a host.',
    ),
})

export type TraceSettings = z.output<typeof traceSettings>
