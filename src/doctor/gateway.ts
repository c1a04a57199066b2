/** How the gateway is that runs, as it says itself. */
import { plural } from '../cli/terminal.ts'
import { bytesText } from '../text-width.ts'
import type { JournalStats } from '../journal/index.ts'
import { VERSION } from '../version.ts'
import type { Findings } from './context.ts'
import { about, type Finding, timeOf } from './finding.ts'
import type { Running, Told } from './running.ts'
import { seriesOf, sumOf } from './series.ts'

const { ok, warn, fail, skip } = about('gateway')

/** What the administration tells of the journal, or why it does not. */
export type Stats = { readonly stats: Partial<JournalStats> } | { readonly refused: string }

/** @param stats undefined: it was not asked */
export const gatewayFindings = (running: Running | undefined, stats: Stats | undefined): Findings =>
  running
    ? [
        readyFinding(running),
        ...inputFindings(running),
        ...outputFindings(running.health),
        ...degradedFindings(running.health),
        ...countFindings(running.metrics),
        ...journalFindings(running.health),
        ...(stats ? [letterFinding(stats)] : []),
        ...versionFindings(running),
      ]
    : [skip('running', 'no gateway answers where the configuration listens', 'yarak run, or --url where it listens')]

const readyFinding = ({ url, health }: Running): Finding => {
  const { ready, mode, generation } = health
  if (ready) return ok('ready', `${url} is ready, in mode ${mode ?? 'unknown'}, generation ${generation ?? 1}`)
  const reasons = reasonsOf(health)
  const why = reasons.length > 0 ? reasons.join('; ') : 'it does not say why'
  return fail('ready', `${url} is not ready: ${why}`, 'look at its log, and at what is told below')
}

/** An older gateway gives no reasons. */
const reasonsOf = ({ reasons, inputs = [] }: Told): string[] =>
  reasons
    ? reasons
        .filter(({ severity }) => severity === 'fails')
        .map(({ part, id, message }) => (part === id ? `${id}: ${message}` : `${part} ${id}: ${message}`))
    : inputs.filter(({ state }) => state === 'failing').map(({ id, error }) => `input ${id}: ${error ?? 'it fails'}`)

const inputFindings = ({ health, metrics }: Running): Finding[] =>
  (health.inputs ?? []).flatMap(({ id, state, lastEvent, error }) => [
    state === 'failing'
      ? fail(`input ${id}`, `it fails: ${error ?? 'it does not say why'}`, 'see the checks of inputs below')
      : lastEvent === undefined
        ? skip(`input ${id}`, 'it has brought no event since the start')
        : ok(`input ${id}`, `its last event came ${timeOf(Date.now() - Date.parse(lastEvent))} ago`),
    ...lagFindings(id, metrics),
  ])

/** As many as one input may have unsettled; what is beyond only waits. */
const MUCH = 10_000

const lagFindings = (id: string, metrics: string): Finding[] => {
  const parts = seriesOf(metrics, 'yarak_input_lag').filter(({ labels }) => labels['input'] === id)
  if (parts.length === 0) return []
  const lag = parts.reduce((sum, { value }) => sum + value, 0)
  return lag <= MUCH
    ? [ok(`input ${id} lag`, `${lag} left to do in its source`)]
    : [warn(`input ${id} lag`, `${lag} wait in its source`, 'run more processes of its group, or answer fewer events')]
}

const outputFindings = ({ outputs = [], breaker }: Told): Finding[] => [
  ...(breaker === 'open'
    ? [warn('breaker', 'the guard runs no changing step for a while: too many were asked for', 'see guards.breaker')]
    : []),
  ...outputs.map(({ id, queued = 0, breaker: state = 'closed', lastError }) =>
    state === 'closed'
      ? ok(`output ${id}`, `${plural(queued, 'notice')} waiting`)
      : fail(`output ${id}`, `its breaker is ${state}: ${lastError ?? 'deliveries fail'}`, `yarak send --output ${id}`),
  ),
]

/** Of what no other check of this group is about. */
const degradedFindings = ({ reasons = [] }: Told): Finding[] =>
  reasons
    .filter(({ severity, part }) => severity === 'degrades' && part !== 'output' && part !== 'guard')
    .map(({ part, id, message }) => warn(part === id ? part : `${part} ${id}`, message, 'look at its log'))

const countFindings = (metrics: string): Finding[] => {
  if (metrics === '') return [skip('metrics', 'it serves no /metrics here')]
  const rejected = sumOf(metrics, 'yarak_events_rejected_total')
  const reasons = [...new Set(seriesOf(metrics, 'yarak_events_rejected_total').map(({ labels }) => labels['reason']))]
  const lost = sumOf(metrics, 'yarak_spans_total', { outcome: 'lost' })
  return [
    rejected === 0
      ? ok('events', 'none was rejected')
      : warn('events', `${plural(rejected, 'event')} rejected (${reasons.join(', ')})`, 'yarak dlq ls --kind event'),
    lost === 0
      ? ok('spans', 'none was lost')
      : warn(
          'spans',
          `${plural(lost, 'span')} lost`,
          'see the checks of telemetry; OTEL_BSP_MAX_QUEUE_SIZE is the queue',
        ),
  ]
}

const journalFindings = ({ journal }: Told): Finding[] => {
  if (!journal) return []
  const { mode, size, maxSize, full, reason } = journal
  if (mode === 'memory') return [warn('journal', 'what is accepted is in memory only', 'set journal.enabled: true')]
  if (mode === 'degraded')
    return [fail('journal', `the disk fails: ${reason ?? 'no reason told'}`, 'see the checks of dataDir')]
  const text = `${bytesText(size)} of ${bytesText(maxSize)} are used`
  if (full)
    return [
      fail(
        'journal',
        `${text}: new events are refused`,
        'raise journal.maxSize, or see what waits: yarak outputs status',
      ),
    ]
  return size > 0.8 * maxSize ? [warn('journal', text, 'raise journal.maxSize')] : [ok('journal', text)]
}

const letterFinding = (answer: Stats): Finding => {
  if ('refused' in answer)
    return skip('dead letters', `not told: ${answer.refused}`, 'give --token, or run as its user')
  const { deadLetters = 0 } = answer.stats
  return deadLetters === 0
    ? ok('dead letters', 'there are none')
    : warn('dead letters', `${plural(deadLetters, 'dead letter')} kept`, 'yarak dlq ls; then yarak dlq replay or rm')
}

const versionFindings = ({ health, metrics }: Running): Finding[] => {
  const version = health.version ?? seriesOf(metrics, 'yarak_build_info')[0]?.labels['version']
  if (version === undefined) return [skip('version', 'it does not tell its version')]
  return version === VERSION
    ? [ok('version', `it is ${version}, as this command`)]
    : [warn('version', `it is ${version}, and this command is ${VERSION}`, 'restart it after an upgrade')]
}
