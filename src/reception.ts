/** The spans of an event that comes in: its reception, and what was matched. */
import { type FalcoEvent, toJson } from './event.ts'
import type { ReadyRule } from './generation.ts'
import type { Scope } from './names.ts'
import type { EmitOptions } from './plugin.ts'
import type { Redact } from './redact.ts'
import type { Span, SpanAttributes, Tracing } from './telemetry.ts'
import { traceGroup } from './trace-group.ts'
import type { TraceSettings } from './trace-settings.ts'

interface Host {
  readonly tracing: Tracing
  readonly traced: TraceSettings
  readonly redact?: Redact | undefined
}

interface Received {
  /** The id of the input. */
  readonly input: string
  readonly at: number
  readonly matched: number
}

/** The span of the reception of an event. */
export const receptionSpan = (
  { tracing, traced, redact }: Host,
  scope: Scope,
  options: EmitOptions,
  { input, at, matched }: Received,
): Span => {
  const { name, kind, attributes } = options.span ?? { name: `receive ${input}`, kind: 'internal' as const }
  return tracing.start(name, {
    kind,
    at,
    from: options.headers,
    ...(traced.groupBy === 'target' && { group: traceGroup(scope.event) }),
    attributes: {
      ...attributes,
      ...eventAttributes(scope),
      ...(traced.fields.length > 0 && fieldAttributes(redact?.(scope.event) ?? scope.event, traced.fields)),
      'yarak.input': input,
      'yarak.matched': matched,
    },
  })
}

/** The members of the event that a span may tell; fields can hold secrets. */
const eventAttributes = ({ event, cluster }: { event: FalcoEvent; cluster?: string }) => ({
  'yarak.event.id': event.id,
  'security_rule.name': event.rule,
  'falco.priority': event.priority,
  'falco.source': event.source,
  ...(event.hostname && { 'falco.hostname': event.hostname }),
  ...(event.tags.length > 0 && { 'falco.tags': event.tags }),
  ...(cluster && { 'k8s.cluster.name': cluster }),
})

/** What of the event is told because a setting names it. */
const fieldAttributes = (event: FalcoEvent, names: readonly string[]): SpanAttributes => {
  const told: Record<string, string | number | boolean> = {}
  for (const name of names) {
    const value = event.field(name)
    if (value === undefined || value === null) continue
    const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    told[`falco.field.${name}`] = isPlain ? value : toJson(value)
  }
  return told
}

interface Matched {
  readonly at: number
  readonly rules: readonly ReadyRule[]
  readonly evaluated: number
}

/** A span of its own, below the reception. */
export const matchSpan = (tracing: Tracing, parent: Span, { at, rules, evaluated }: Matched): void =>
  tracing
    .start('match', {
      parent,
      at,
      attributes: { 'yarak.rules.evaluated': evaluated, 'yarak.rules.matched': rules.map(({ name }) => name) },
    })
    .end()
