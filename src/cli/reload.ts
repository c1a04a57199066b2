/** Takes up changes of the configuration's files, on SIGHUP or when they are seen, without a restart. */
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { type Change, textOfChange } from '../changes.ts'
import type { ConfigOptions, ConfigProblem, LoadedConfig, WatchedFiles } from '../config/index.ts'
import { messageOf, YarakError } from '../errors.ts'
import type { Gateway } from '../gateway.ts'
import type { Log } from '../plugin.ts'
import { gatewayOptions } from './load.ts'

export interface Reloading {
  readonly gateway: Gateway
  readonly log: Log
  /** What runs. */
  readonly options: ConfigOptions
  readonly files: WatchedFiles
  /** Reads everything anew. */
  load(): Promise<{ readonly loaded: LoadedConfig; readonly files: WatchedFiles }>
  /** Calls back when somebody asks for a reload. */
  onHangup(listener: () => void): void
  /** Ends the watching. */
  readonly signal: AbortSignal
}

/** Milliseconds between two looks at the files. */
const LOOK = 1_000

/** What only the start can change. */
const AT_START = ['plugins', 'listen', 'stopTimeout', 'dataDir', 'journal', 'admin', 'log'] as const

/** Watches until the signal fires. A file that is being written is left until it has not changed for one look. */
export const watchConfig = async (reloading: Reloading): Promise<void> => {
  const { signal, onHangup } = reloading
  let { files, options } = reloading
  let asked = Promise.withResolvers<true>()
  onHangup(() => asked.resolve(true))
  let seen = files.known
  while (!signal.aborted) {
    const now = await Promise.race([sleep(LOOK, false, { signal }).catch(() => false), asked.promise])
    if (signal.aborted) return
    if (now) asked = Promise.withResolvers()
    const current = files.signature()
    const settled = current === seen
    seen = current
    if (!now && (current === files.known || !settled)) continue
    ;({ files, options } = await reloadOnce({ ...reloading, files, options }))
    seen = files.known
  }
}

/** Never rejects: a mistake in a file leaves the last good configuration in force. */
const reloadOnce = async ({ gateway, log, load, files: known, options: before }: Reloading) => {
  let files = known
  try {
    const read = await load()
    const { loaded } = read
    files = read.files
    const changes = await gateway.reload(() => {
      if (!loaded.options) throw new YarakError('config', errorsIn(loaded.problems))
      return gatewayOptions(loaded.options)
    })
    const options = loaded.options ?? before
    tell([...changes, ...atStart(before, options)], gateway, log)
    return { files, options }
  } catch (error) {
    log.error('the configuration was not reloaded, the last one stays in force', { error: messageOf(error) })
    return { files, options: before }
  }
}

/** Without the lines of the files, in which a misplaced password may stand: `/readyz` tells it to everybody. */
const errorsIn = (problems: readonly ConfigProblem[]): string =>
  problems
    .filter(({ severity }) => severity === 'error')
    .map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`)
    .join('; ')

const atStart = (before: ConfigOptions, after: ConfigOptions): Pick<Change, 'name' | 'needsRestart' | 'change'>[] =>
  [
    ...AT_START.filter((key) => !isDeepStrictEqual(before[key], after[key])),
    ...(before.telemetry.console === after.telemetry.console ? [] : ['telemetry.console']),
  ].map((name) => ({ name, change: 'changed', needsRestart: true }))

type Told = Pick<Change, 'name' | 'change' | 'needsRestart'> & { readonly what?: Change['what'] }

const tell = (changes: readonly Told[], gateway: Gateway, log: Log): void => {
  const now = changes.filter(({ needsRestart }) => !needsRestart).map(textOfChange)
  const later = changes.filter(({ needsRestart }) => needsRestart).map(textOfChange)
  if (changes.length === 0) log.info('the configuration was read again, nothing has changed')
  if (now.length > 0)
    log.info('the configuration was reloaded', { changes: now, generation: gateway.health().generation })
  if (later.length > 0) log.warn('these changes take effect at the next start', { changes: later })
}
