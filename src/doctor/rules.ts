/** Whether the rules of Falco that ours name are there, and their alerts hold what ours look at. */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { plural } from '../cli/terminal.ts'
import { systemFiles } from '../config/files.ts'
import type { ConfigOptions } from '../config/index.ts'
import { lintFalco } from '../lint/falco.ts'
import { readFalcoConfig } from '../lint/falco-config.ts'
import { readFalcoRules } from '../lint/falco-rules.ts'
import { placed } from '../lint/place.ts'
import type { Findings } from './context.ts'
import type { FalcoFile } from './falco-file.ts'
import { about, words } from './finding.ts'

const { ok, warn, fail, skip } = about('rules')

const SHIPPED = ['/etc/falco/falco_rules.yaml', '/etc/falco/falco_rules.local.yaml', '/etc/falco/rules.d']

/** @param falco undefined: there is none */
export const ruleFindings = (falco: FalcoFile | undefined, { rules }: ConfigOptions): Findings => {
  if (!falco)
    return [
      skip('Falco rules', 'without a falco.yaml it is not known which there are', 'yarak check --falco-rules FILE'),
    ]
  const key = falco.get('rules_files') === undefined ? 'rules_file' : 'rules_files'
  const files = falco.listed(key, SHIPPED)
  if (files.length === 0)
    return [skip('Falco rules', `the files of ${key} are not on this machine`, 'yarak check --falco-rules FILE')]
  try {
    const known = readFalcoRules(files.map((file) => ({ value: parse(readFileSync(file, 'utf8')) as unknown })))
    const found = placed(lintFalco(rules, known, readFalcoConfig(falco.value)), systemFiles())
    if (found.length === 0)
      return [ok('Falco rules', `of ${known.size} in ${plural(files.length, 'file')} all are there that ours name`)]
    return found.map(({ message, file, line, column }) => {
      const [said = '', remedy] = message.split(/; (?=add to )/)
      const place = file === '' ? undefined : `${file}:${line}:${column}`
      return warn('Falco rules', said, remedy ?? 'correct the name', place)
    })
  } catch (error) {
    return [fail('Falco rules', words(error), 'falco --validate FILE')]
  }
}
