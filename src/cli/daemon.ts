/** A gateway with all that the binary has around it: log, journal, audit record, telemetry, listeners. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { mountAdmin } from '../admin.ts'
import { NO_AUDIT } from '../audit.ts'
import { adminClients, adminListeners, type ConfigOptions, type Plugins } from '../config/index.ts'
import { countProcess } from '../gauges.ts'
import { createGateway, type Gateway } from '../gateway.ts'
import type { Journal } from '../journal/index.ts'
import { memoryJournal } from '../journal/memory.ts'
import { sqliteJournal } from '../journal/sqlite.ts'
import { createLog } from '../log.ts'
import { areaLog } from '../log-area.ts'
import type { InputInput } from '../options.ts'
import type { Log } from '../plugin.ts'
import { listen } from '../serve.ts'
import { fileState, memoryState } from '../state.ts'
import { createIds } from '../telemetry/ids.ts'
import { startTelemetry } from '../telemetry/start.ts'
import { VERSION } from '../version.ts'
import { gatewayOptions } from './load.ts'
import { openAudit } from './open-audit.ts'
import type { Terminal } from './terminal.ts'
import { treeText } from './tree.ts'

export interface Daemon {
  readonly gateway: Gateway
  readonly log: Log
  /** Takes nothing new, lets what runs finish, and closes everything. */
  close(): Promise<void>
}

export interface DaemonOptions {
  readonly options: ConfigOptions
  readonly plugins: Plugins
  /** The inputs, where they are not those of the options. */
  readonly inputs?: readonly InputInput[] | undefined
  /** Nothing is kept, and nothing is listened to. */
  readonly trial: boolean
  readonly terminal: Terminal
  /** Called when the settings are found to be usable, before anything is listened to. */
  started(): void
}

/** How long the journal gets to write what is left, and then the exporters, in milliseconds. */
const FLUSH = 5_000

/** Opens everything, listens, and leaves the start of the gateway to the caller. */
export const openDaemon = async ({
  options,
  plugins,
  inputs,
  trial,
  terminal,
  started,
}: DaemonOptions): Promise<Daemon> => {
  const { env, out, err, tty, colours } = terminal
  const log = createLog({ ...options.log, stream: { write: err, isTTY: tty }, colours: colours.err })
  const journal = await openJournal(options, trial, areaLog(log, 'journal'))
  const audit = trial
    ? undefined
    : openAudit(options, log, (entries) => gateway.counters.add('yarak_audit_failures_total', {}, entries))
  const ids = createIds()
  const configLog = areaLog(log, 'config')
  const gateway = createGateway({
    ...gatewayOptions(options),
    ...(inputs && { inputs }),
    ...(audit && { audit }),
    ...{ undoing: plugins.actions, env, log, journal, traceIds: ids },
    state: trial
      ? memoryState()
      : fileState(options.dataDir, ({ message }) => configLog.warn('a state file is wrong', { error: message })),
  })
  started()
  const { counters } = gateway
  log.sink(({ level }) => counters.add('yarak_log_lines_total', { level }))
  const endProcess = countProcess(counters, process)
  const telemetry = await startTelemetry({
    ...{ version: VERSION, env, ids, counters, log: areaLog(log, 'trace') },
    onTrace: options.telemetry.console ? (spans) => out(`${treeText(spans, terminal)}\n`) : undefined,
  })
  if (telemetry.logSink) log.sink(telemetry.logSink)
  const app = mountAdmin({
    ...{ journal, gateway, counters, replay: gateway.replay, health: () => listeners.health(), levels: log.levels },
    outputs: () => gateway.health().outputs,
    clients: adminClients(options.admin),
    audit: audit ?? NO_AUDIT,
  })
  const listeners = listen(gateway, trial ? [] : options.listen, areaLog(log, 'listener'), {
    admin: { app, listeners: trial ? [] : adminListeners(options) },
  })
  return {
    gateway,
    log,
    async close() {
      const { stopTimeout } = options
      if (terminal.signal.aborted)
        log.info('stopping', { unsettled: gateway.health().unsettled, deadline_ms: stopTimeout })
      await Promise.all([listeners.close(), gateway.stop({ deadline: stopTimeout })])
      // a disk that hangs must not hold up the end
      await Promise.race([Promise.all([journal.close(), audit?.close()]), sleep(FLUSH, undefined, { ref: false })])
      await telemetry.stop(FLUSH)
      endProcess()
    },
  }
}

/** What is accepted must outlive a crash; in a trial nothing is written. */
const openJournal = async ({ dataDir, journal }: ConfigOptions, trial: boolean, log: Log): Promise<Journal> =>
  trial || !journal.enabled
    ? memoryJournal()
    : sqliteJournal({ path: join(dataDir, 'journal.db'), maxSize: journal.maxSize, log })
