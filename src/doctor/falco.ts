/** Whether Falco is set up so that its alerts come to us whole. */
import { existsSync } from 'node:fs'
import type { ConfigOptions } from '../config/index.ts'
import { parsePriority, PRIORITIES } from '../event.ts'
import { canHold } from '../lint/reach.ts'
import type { Findings } from './context.ts'
import { type FalcoFile, readFalco } from './falco-file.ts'
import { certificateFindings, routeFindings } from './falco-routes.ts'
import { settingFindings } from './falco-settings.ts'
import { about, type Finding, words } from './finding.ts'

const { ok, warn, fail, skip } = about('falco')

/** Where Falco keeps it. */
export const FALCO = '/etc/falco/falco.yaml'

/** Falco's configuration, or why there is none. */
export type FalcoFound = { readonly falco: FalcoFile } | { readonly finding: Finding }

/** @param given undefined: where Falco has it, when it is there */
export const findFalco = (given: string | undefined, env: Readonly<Record<string, string | undefined>>): FalcoFound => {
  if (given === undefined && !existsSync(FALCO))
    return { finding: skip('falco.yaml', `there is none at ${FALCO}`, '--falco FILE says where it is') }
  try {
    return { falco: readFalco(given ?? FALCO, env) }
  } catch (error) {
    return { finding: fail('falco.yaml', words(error), '--falco FILE says where it is') }
  }
}

export const falcoFindings = (found: FalcoFound, options: ConfigOptions | undefined): Findings => {
  if ('finding' in found) return [found.finding]
  const { falco } = found
  const findings = [
    ...settingFindings(falco),
    ...(options ? [...routeFindings(falco, options), ...certificateFindings(falco, options)] : []),
    ...(options ? priorityFindings(falco, options) : []),
  ]
  const isWrong = findings.some(({ status }) => status !== 'ok')
  return isWrong ? findings : [ok('falco.yaml', `${falco.file} loses nothing that is known of`), ...findings]
}

/** Falco leaves out what is less severe. */
const priorityFindings = (falco: FalcoFile, { rules }: ConfigOptions): Finding[] => {
  const given = falco.get('priority')
  const least = parsePriority(typeof given === 'string' ? given : 'debug')
  if (least === undefined) return []
  const [path, place] = ['priority', falco.place('priority')]
  const silent = rules.filter((rule) => !canHold([rule, { match: { priority: `>=${least}` } }]))
  const never = silent.map(({ name }) =>
    fail(
      path,
      `rule ${JSON.stringify(name)} is about alerts below ${least}, which Falco leaves out`,
      'priority: debug',
      place,
    ),
  )
  const many = PRIORITIES.indexOf(least) < PRIORITIES.indexOf('Notice')
  return many && never.length === 0
    ? [warn(path, `Falco leaves out all alerts below ${least}`, 'priority: debug; rules and outputs can choose', place)]
    : never
}
