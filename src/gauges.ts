/** What is read when it is asked for: queues, places, sizes, the process. */
import { readdirSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Counters } from './counters.ts'
import type { Delivery } from './deliver.ts'
import type { Generation } from './generation.ts'
import type { GuardMemory } from './guard.ts'
import type { Health } from './health.ts'
import type { Journal } from './journal/index.ts'
import { modeOf } from './rules/rule.ts'
import { VERSION } from './version.ts'

interface Gauged {
  responder: { running: number; queued: number }
  outputs(): readonly Delivery[]
  acceptor: { unsettled(): number }
  journal: Pick<Journal, 'health'>
  memory: Pick<GuardMemory, 'isOpen'>
  health(): Pick<Health, 'ready' | 'inputs'>
  generation(): Pick<Generation, 'number' | 'mode' | 'options'>
}

const MODES = ['enforce', 'observe'] as const

/** @param health of all that `/readyz` tells of */
export const countReady = (counters: Counters, health: () => Pick<Health, 'ready'>): void =>
  counters.gauge('yarak_ready', '1 while what is asked at /readyz is answered with yes.', () => [
    [{}, Number(health().ready)],
  ])

/** What a gateway has. */
export const countGauges = (counters: Counters, gauged: Gauged): void => {
  const { responder, acceptor, memory, health, generation } = gauged
  const one = (name: string, help: string, read: () => number): void => counters.gauge(name, help, () => [[{}, read()]])
  countReady(counters, health)
  one('yarak_config_generation', 'Counts the configurations that were in force, from 1.', () => generation().number)
  counters.gauge('yarak_rules', 'Rules in force, by the mode that they and the gateway together allow.', () => {
    const { options, mode } = generation()
    const modes = (options.rules ?? []).map((rule) => modeOf(rule, mode))
    return MODES.map((mode) => [{ mode }, modes.filter((own) => own === mode).length])
  })
  counters.gauge('yarak_input_up', '0 while an input fails, by input.', () =>
    health().inputs.map(({ id, state }) => [{ input: id }, Number(state !== 'failing')]),
  )
  one('yarak_events_unsettled', 'Accepted events that are not settled.', () => acceptor.unsettled())
  one('yarak_responses_running', 'Responses that run.', () => responder.running)
  one(
    'yarak_responses_queued',
    'Responses that wait for their target, a place, or for it to be agreed who answers.',
    () => responder.queued,
  )
  counters.gauge('yarak_guard_breaker_open', '1 while every changing step is refused, by mode.', () =>
    MODES.map((mode) => [{ mode }, Number(memory.isOpen(mode))]),
  )
  countOutputs(counters, gauged)
  countJournal(counters, gauged)
}

const countOutputs = (counters: Counters, { outputs }: Gauged): void => {
  const each = (name: string, help: string, read: (output: Delivery) => number): void =>
    counters.gauge(name, help, () => outputs().map((output) => [{ output: output.id }, read(output)]))
  each('yarak_notices_queued', 'Notices that wait or are being delivered, by output.', ({ queued }) => queued)
  each(
    'yarak_notices_oldest_seconds',
    'For how long the oldest of the queued notices has waited, by output; 0 when there is none.',
    ({ oldest }) => (oldest === undefined ? 0 : Math.max(0, Date.now() - oldest) / 1_000),
  )
  each(
    'yarak_output_breaker_open',
    '1 while an output is only tried by one delivery at a time, by output.',
    ({ breaker }) => Number(breaker !== 'closed'),
  )
}

const countJournal = (counters: Counters, { journal }: Gauged): void => {
  const one = (name: string, help: string, read: (health: ReturnType<Journal['health']>) => number): void =>
    counters.gauge(name, help, () => [[{}, read(journal.health())]])
  counters.gauge('yarak_journal_bytes', 'Bytes of the journal on disk, by mode.', () => {
    const { mode, size } = journal.health()
    return [[{ mode }, size]]
  })
  one('yarak_journal_max_bytes', 'Bytes that the journal may take; 0 in memory.', ({ maxSize }) => maxSize)
  one('yarak_journal_full', '1 while new events are refused, as the journal has no room.', ({ full }) => Number(full))
  one('yarak_journal_up', '0 while the disk fails, and what comes is in memory only.', ({ mode }) =>
    Number(mode !== 'degraded'),
  )
}

/** What is asked of Node's `process`. */
export type Process = Pick<NodeJS.Process, 'cpuUsage' | 'memoryUsage' | 'versions'>

/**
 * The process: for the binary, which has one of its own. The delay of the event loop is watched from now on, and each
 * reading tells of the time since the one before.
 * @returns what ends the watching
 * @example const end = countProcess(gateway.counters, process)
 */
export const countProcess = (counters: Counters, { cpuUsage, memoryUsage, versions }: Process): (() => void) => {
  counters.gauge('yarak_build_info', 'Always 1: the labels tell the version of Yarak and of Node.js.', () => [
    [{ version: VERSION, node: versions.node }, 1],
  ])
  const cpu = () => {
    const { user, system } = cpuUsage()
    return [[{}, (user + system) / 1e6]] as const
  }
  counters.gauge('process_cpu_seconds_total', 'Processor time that the process used, in seconds.', cpu, 'counter')
  counters.gauge('process_heap_bytes', 'Heap of JavaScript in use.', () => [[{}, memoryUsage().heapUsed]])
  counters.gauge('process_open_fds', 'File descriptors that are open, where the system tells.', openFiles)
  return countDelay(counters)
}

const openFiles = (): [Record<string, string>, number][] => {
  try {
    return [[{}, readdirSync('/proc/self/fd').length]]
  } catch {
    return []
  }
}

/** Milliseconds between two looks at the clock. */
const RESOLUTION = 10

const countDelay = (counters: Counters): (() => void) => {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION })
  delay.enable()
  // a measurement holds the wait that was asked for
  const late = (quantile: number): number =>
    delay.count === 0 ? 0 : Math.max(0, delay.percentile(quantile * 100) / 1e9 - RESOLUTION / 1_000)
  const read = () => {
    const values = [0.5, 0.99, 1].map((quantile) => [{ quantile: String(quantile) }, late(quantile)] as const)
    delay.reset()
    return values
  }
  const help = 'How late the event loop was since the last reading, by quantile; 1 is the latest.'
  counters.gauge('yarak_event_loop_delay_seconds', help, read, 'summary')
  return () => void delay.disable()
}
