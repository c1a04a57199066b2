/** How the gateway is. */
import type { Delivery } from './deliver.ts'
import type { Generation } from './generation.ts'
import type { JournalHealth } from './journal/index.ts'
import type { BreakerState } from './output-gate.ts'
import type { Mode } from './plugin.ts'
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

export interface Health {
  /** Every input works, and the journal keeps what is accepted. An output that is down does not make it unready. */
  readonly ready: boolean
  readonly mode: Mode
  /** Counts reloads, from 1. */
  readonly generation: number
  readonly inputs: readonly InputHealth[]
  readonly outputs: readonly OutputHealth[]
  readonly journal: JournalHealth
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

/** What health is made of. */
export interface HealthParts {
  readonly stopping: AbortSignal
  readonly inputs: readonly InputStatus[]
  /** Of an input; milliseconds since the epoch. */
  lastEvent(input: string): number | undefined
  readonly outputs: readonly Delivery[]
  readonly journal: JournalHealth
  readonly generation: Pick<Generation, 'mode' | 'number'>
  /** Undefined: there was none. */
  readonly lastReload: Reload | undefined
  readonly guardBreaker: Health['breaker']
  readonly running: number
  readonly unsettled: number
}

export const healthOf = (parts: HealthParts): Health => {
  const { stopping, inputs, lastEvent, outputs, journal, generation, lastReload: _, guardBreaker, ...rest } = parts
  return {
    ...{ ready: isReady(stopping, inputs, journal), mode: generation.mode, generation: generation.number },
    inputs: inputs.map((input) => {
      const at = lastEvent(input.id)
      return { ...input, ...(at !== undefined && { lastEvent: new Date(at).toISOString() }) }
    }),
    outputs: outputs.map(({ id, queued, lastError, breaker }) => ({
      ...{ id, queued, breaker },
      ...(lastError && { lastError }),
    })),
    ...{ journal, breaker: guardBreaker, ...rest },
  }
}

/** An output that is down does not make the gateway unready; a journal that cannot keep what it accepts does. */
const isReady = (stopping: AbortSignal, inputs: readonly InputStatus[], { mode }: JournalHealth): boolean =>
  !stopping.aborted && mode !== 'degraded' && inputs.every(({ state }) => state !== 'failing')
