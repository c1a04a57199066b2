/** What `yarak run` says first. */
import { join } from 'node:path'
import { adminListeners, type ConfigOptions, listenerText } from '../config/index.ts'
import { inputOf } from '../options.ts'
import type { Paint } from '../trace-tree.ts'
import { VERSION } from '../version.ts'

/** @param trial nothing is kept, and nothing is listened to */
export const banner = (options: ConfigOptions, trial: boolean, { bold, dim }: Paint): string => {
  const names = (ids: readonly string[]): string => (ids.length > 0 ? ids.join(', ') : dim('none'))
  const { inputs, outputs, listen } = options
  return [
    `${bold('Yarak')} ${VERSION}`,
    `  mode     ${modeText(options)}`,
    `  inputs   ${names(inputs.map((input) => inputOf(input).id))}`,
    `  rules    ${rulesText(options)}`,
    `  outputs  ${names(outputs.map(({ output }) => output.id))}`,
    ...(trial
      ? []
      : [
          `  journal  ${journalText(options)}`,
          `  listen   ${listen.map(listenerText).join(', ')}  ${dim('/healthz /readyz /metrics')}`,
          `  admin    ${adminListeners(options).map(listenerText).join(', ') || 'off'}`,
        ]),
    '',
    '',
  ].join('\n')
}

const modeText = ({ mode }: ConfigOptions): string =>
  mode === 'observe' ? 'observe (nothing is changed)' : 'enforce (steps really act)'

const rulesText = ({ rules, mode }: ConfigOptions): string => {
  const observed = rules.filter((rule) => rule.mode === 'observe').length
  return `${rules.length}${observed > 0 && mode === 'enforce' ? `, of which ${observed} only observe` : ''}`
}

const journalText = ({ journal, dataDir }: ConfigOptions): string =>
  journal.enabled ? join(dataDir, 'journal.db') : 'off: what is accepted is lost in a crash'
