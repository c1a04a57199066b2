/** What the events of one trace have in common, where a trace is of a target. */
import type { FalcoEvent } from './event.ts'

const text = (event: FalcoEvent, name: string): string => {
  const value = event.field(name)
  return typeof value === 'string' ? value : ''
}

/**
 * The pod, else the container, else the host, else the event alone.
 *
 * Source: the trace ids of the `otlp.traces` output of Falcosidekick 2.x (`outputs/otlp_traces.go`), which are
 * {@link fnv128} of this.
 * @example traceGroup(event) // 'shop:web-1'
 */
export const traceGroup = (event: FalcoEvent): string => {
  const [namespace, pod] = [text(event, 'k8s.ns.name'), text(event, 'k8s.pod.name')]
  if (namespace && pod) return `${namespace}:${pod}`
  const container = text(event, 'container.id')
  if (container && container !== 'host') return container
  return text(event, 'evt.hostname') || event.hostname || event.id
}
