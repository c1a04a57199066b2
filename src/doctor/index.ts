/** Looks at everything that can be wrong before and while a gateway runs, and says what to do about it. */
import { withLoneIo } from '../cli/lone-io.ts'
import type { ConfigOptions } from '../config/index.ts'
import { clockFindings } from './clock.ts'
import { clusterFacts, loadClient } from './cluster.ts'
import { configurationFindings } from './configuration.ts'
import type { Findings, Loaded, Patient, ProcessFacts } from './context.ts'
import { falcoFindings, findFalco } from './falco.ts'
import { about, type Finding, GROUPS } from './finding.ts'
import { gatewayFindings, type Stats } from './gateway.ts'
import { inputFindings } from './inputs.ts'
import { journalFindings } from './journal.ts'
import { listenerFindings } from './listeners.ts'
import { masked } from './masked.ts'
import { outputFindings, type SendSample } from './outputs.ts'
import { ruleFindings } from './rules.ts'
import { findRunning } from './running.ts'
import { telemetryFacts } from './telemetry.ts'
import { versionFindings } from './versions.ts'

export type { Finding } from './finding.ts'

export interface Examination {
  readonly loaded: Loaded
  readonly env: Patient['env']
  /** Milliseconds that one question may take. */
  readonly timeout: number
  readonly signal: AbortSignal
  readonly facts: ProcessFacts
  /** Falco's falco.yaml. Default: where Falco has it. */
  readonly falco?: string | undefined
  /** Where the gateway answers. Default: where the configuration listens. */
  readonly url?: string | undefined
  /** Asks the administration of the gateway that runs. */
  readonly stats: () => Promise<Stats>
  /** Present: outputs are told of a sample. */
  readonly send?: SendSample | undefined
}

/** All findings, group by group. Never rejects because of what is found. Nothing is changed, and no secret is told. */
export const examine = async (examination: Examination): Promise<Findings> => {
  const { loaded, env, falco: file, facts } = examination
  const { options } = loaded
  const falco = findFalco(file, env)
  const findings = [
    ...versionFindings(facts, options),
    ...configurationFindings(loaded),
    ...(options ? await examineOptions(options, examination) : unexamined()),
    ...falcoFindings(falco, options),
    ...(options ? ruleFindings('falco' in falco ? falco.falco : undefined, options) : []),
  ]
  // an address of the command line may hold a password, as those of the environment
  return masked(findings, loaded.document, { ...env, url: examination.url })
}

/** Groups that look at nothing without a configuration. */
const unexamined = (): Finding[] =>
  GROUPS.slice(GROUPS.indexOf('listeners'), GROUPS.indexOf('falco')).map((group) =>
    about(group).skip('configuration', 'it does not load'),
  )

const examineOptions = (options: ConfigOptions, examination: Examination): Promise<Findings> => {
  const { env, timeout, signal, loaded, facts, stats, send, url } = examination
  return withLoneIo(options, env, async (lone) => {
    await loadClient({ options, lone })
    const running = await findRunning(options.listen, url, timeout, signal)
    const patient: Patient = { options, env, timeout, signal, running, lone }
    const [listeners, told, inputs, outputs, cluster, telemetry] = await Promise.all([
      listenerFindings(patient),
      running ? stats() : undefined,
      inputFindings(patient),
      outputFindings(patient, send),
      clusterFacts(patient, loaded.plugins),
      telemetryFacts(patient),
    ])
    const skews = { gateway: running?.skew, 'API server': cluster.skew, collector: telemetry.skew }
    return [
      ...listeners,
      ...gatewayFindings(running, told),
      ...inputs,
      ...outputs,
      ...cluster.findings,
      ...clockFindings(skews, options.guards.maxEventAge),
      ...telemetry.findings,
      ...journalFindings(options, facts, running !== undefined),
    ]
  })
}
