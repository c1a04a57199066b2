/** How the gateway is, and why. */
import type { Audit } from './audit.ts'
import type { Delivery } from './deliver.ts'
import type { Generation } from './generation.ts'
import type { JournalHealth } from './journal/index.ts'
import type { BreakerState } from './output-gate.ts'
import type { Mode } from './plugin.ts'
import type { ResourceHealth } from './resources.ts'
import type { InputStatus } from './supervise.ts'

export interface OutputHealth {
  readonly id: string
  /** Notices that wait or are being delivered. */
  readonly queued: number
  /** `open`: it failed several times in a row, and is left alone for a while; `half-open`: it is being tried. */
  readonly breaker: BreakerState
  /** Why the last delivery failed; absent when it did not. */
  readonly lastError?: string
}

export interface InputHealth extends InputStatus {
  /** When it brought its last event, also one that was refused; RFC 3339, UTC. Absent when there was none. */
  readonly lastEvent?: string
}

/** Something that is not as it should be. */
export interface Reason {
  /** `cluster`: a shared client, and what is behind it; `rules`: the configuration; `gateway`: the whole. */
  readonly part: 'input' | 'output' | 'journal' | 'cluster' | 'rules' | 'listener' | 'gateway' | 'guard' | 'audit'
  /** Which input, output, client or listener; of any other part its own name again. */
  readonly id: string
  /** `fails`: events cannot be taken in, or not be kept; `degrades`: they are, and something that is done with them fails. */
  readonly severity: 'fails' | 'degrades'
  /** One line for people, without secrets. */
  readonly message: string
  /** When it began; RFC 3339, UTC. Of a part that does not note that: when it was first seen. */
  readonly since: string
}

/** A reason of which it may not be known when it began. */
export interface Trouble extends Omit<Reason, 'since'> {
  readonly since?: string | undefined
}

export interface Health {
  /**
   * Events are taken in and kept: no input fails, every listener listens, the journal is as asked for, nothing stops. An
   * output or a cluster that is down does not make it unready, since whoever is unready gets no alerts at all.
   */
  readonly ready: boolean
  /** `degraded`: ready, with reasons all the same. */
  readonly status: 'ok' | 'degraded' | 'failing'
  readonly reasons: readonly Reason[]
  readonly mode: Mode
  /** Counts reloads, from 1. */
  readonly generation: number
  readonly configuration: {
    /** When the generation came into force; RFC 3339, UTC. */
    readonly loadedAt: string
    /** How many rules it has. */
    readonly rules: number
    /** Absent: there was none. */
    readonly lastReload?: Reload
  }
  readonly inputs: readonly InputHealth[]
  readonly outputs: readonly OutputHealth[]
  readonly journal: JournalHealth
  readonly resources: readonly ResourceHealth[]
  /** Absent: no record is kept. */
  readonly audit?: AuditHealth
  /** `open`: too many changing steps were asked for, so none is run for a while. */
  readonly breaker: 'open' | 'closed'
  /** Responses that run. */
  readonly running: number
  /** Accepted events that are not settled. */
  readonly unsettled: number
}

/** An attempt to take new rules, outputs and guards. */
export interface Reload {
  /** RFC 3339, UTC. */
  readonly at: string
  readonly outcome: 'succeeded' | 'failed'
  readonly error?: string
}

export interface AuditHealth {
  /** Why entries cannot be written now; absent while they can. */
  readonly error?: string
}

/** What health is made of. */
export interface HealthParts {
  readonly stopping: AbortSignal
  readonly inputs: readonly InputStatus[]
  /** Of an input; milliseconds since the epoch. */
  lastEvent(input: string): number | undefined
  readonly outputs: readonly Pick<Delivery, 'id' | 'queued' | 'lastError' | 'breaker'>[]
  readonly journal: JournalHealth
  readonly generation: Pick<Generation, 'mode' | 'number' | 'loadedAt'> & {
    readonly options: Pick<Generation['options'], 'rules'>
  }
  /** Undefined: there was none. */
  readonly lastReload: Reload | undefined
  readonly guardBreaker: Health['breaker']
  /** Default none. */
  readonly resources?: readonly ResourceHealth[]
  /** Undefined: no record is kept. */
  readonly audit?: Pick<Audit, 'lastError'> | undefined
  /** What makes errors fit to be shown. Default nothing. */
  readonly clean?: ((text: string) => string) | undefined
  readonly running: number
  readonly unsettled: number
}

/**
 * Health whenever it is asked for; remembers between two answers since when something is wrong.
 * @param parts how everything is at that moment
 */
export const createHealth = (parts: () => HealthParts): (() => Health) => {
  let before: readonly Reason[] = []
  return () => {
    const now = healthOf(parts(), before)
    before = now.reasons
    return now
  }
}

/** @param before what was wrong the last time */
export const healthOf = (parts: HealthParts, before: readonly Reason[] = []): Health => {
  const { generation, audit, lastReload, running, unsettled } = parts
  const error = shown(parts.clean)
  const health: Health = {
    ...{ ready: true, status: 'ok', reasons: [], mode: generation.mode, generation: generation.number },
    configuration: {
      ...{ loadedAt: generation.loadedAt, rules: generation.options.rules?.length ?? 0 },
      ...(lastReload && { lastReload: error(lastReload, 'error') }),
    },
    inputs: parts.inputs.map((input) => {
      const at = parts.lastEvent(input.id)
      return { ...error(input, 'error'), ...(at !== undefined && { lastEvent: new Date(at).toISOString() }) }
    }),
    outputs: parts.outputs.map(({ id, queued, breaker, lastError }) =>
      error({ id, queued, breaker, ...(lastError && { lastError }) }, 'lastError'),
    ),
    journal: error(parts.journal, 'reason'),
    resources: (parts.resources ?? []).map((one) => error(one, 'error')),
    ...(audit && {
      audit: error<AuditHealth>(audit.lastError === undefined ? {} : { error: audit.lastError }, 'error'),
    }),
    ...{ breaker: parts.guardBreaker, running, unsettled },
  }
  return withTroubles(health, troublesOf(health, parts.stopping.aborted), before)
}

/** The longest message, in characters. */
const LONGEST = 500

/** The same with the text of one member fit to be shown, on one line. */
const shown =
  (clean = (text: string) => text) =>
  <T extends object>(one: T, member: keyof T): T => {
    const text = one[member]
    if (typeof text !== 'string') return one
    // what a terminal, or who reads line by line, would take for its own
    const line = clean(text).replaceAll(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ')
    return { ...one, [member]: line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line }
  }

/**
 * Health with more that is wrong, e.g. a listener that does not listen.
 * @param before what was wrong the last time: whatever still is, is so since then. Default nothing
 */
export const withTroubles = (health: Health, more: readonly Trouble[], before: readonly Reason[] = []): Health => {
  const sinceOf = ({ part, id }: Trouble): string =>
    before.find((one) => one.part === part && one.id === id)?.since ?? new Date().toISOString()
  const reasons = [...health.reasons, ...more.map((one) => ({ ...one, since: one.since ?? sinceOf(one) }))]
  const ready = reasons.every(({ severity }) => severity !== 'fails')
  const status = !ready ? 'failing' : reasons.length > 0 ? 'degraded' : 'ok'
  return { ...health, ready, status, reasons }
}

const troublesOf = (health: Health, stopping: boolean): Trouble[] => [
  ...(stopping ? [fails('gateway', 'gateway', 'it is stopping')] : []),
  ...health.inputs
    .filter(({ state }) => state === 'failing')
    .map(({ id, error = 'it failed', since }) => fails('input', id, error, since)),
  ...journalTroubles(health.journal),
  ...health.outputs.flatMap(outputTroubles),
  ...health.resources
    .filter(({ state }) => state === 'failing')
    .map(({ id, error = 'it failed', since }) => degrades('cluster', id, error, since)),
  ...reloadTroubles(health.configuration.lastReload),
  ...(health.breaker === 'open'
    ? [degrades('guard', 'guard', 'too many changing steps were asked for: none is run for a while')]
    : []),
  ...(health.audit?.error === undefined ? [] : [degrades('audit', 'audit', health.audit.error)]),
]

const fails = (part: Trouble['part'], id: string, message: string, since?: string): Trouble => ({
  ...{ part, id, severity: 'fails', message, since },
})

const degrades = (part: Trouble['part'], id: string, message: string, since?: string): Trouble => ({
  ...{ part, id, severity: 'degrades', message, since },
})

const journalTroubles = ({ mode, full, reason = 'the disk failed' }: JournalHealth): Trouble[] => {
  if (mode === 'degraded') return [fails('journal', 'journal', `what comes is in memory only: ${reason}`)]
  return full ? [fails('journal', 'journal', 'it is full: events that are posted are refused')] : []
}

const outputTroubles = ({ id, breaker, lastError }: OutputHealth): Trouble[] => {
  if (lastError !== undefined) return [degrades('output', id, lastError)]
  return breaker === 'closed' ? [] : [degrades('output', id, 'it failed several times and is left alone for a while')]
}

const reloadTroubles = (reload: Reload | undefined): Trouble[] =>
  reload?.outcome === 'failed'
    ? [degrades('rules', 'rules', `the reload failed: ${reload.error ?? 'no reason is known'}`, reload.at)]
    : []
