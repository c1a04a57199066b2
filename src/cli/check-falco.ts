/** `check --falco-rules`: our rules against the rules and the configuration of Falco. */
import type { Document } from '../config/document.ts'
import { systemFiles } from '../config/files.ts'
import type { Problems } from '../config/problems.ts'
import { readDocument } from '../config/read.ts'
import { messageOf } from '../errors.ts'
import { lintFalco } from '../lint/falco.ts'
import { readFalcoConfig } from '../lint/falco-config.ts'
import { readFalcoRules } from '../lint/falco-rules.ts'
import type { Finding } from '../lint/index.ts'
import type { RuleInput } from '../rules/rule.ts'

export interface FalcoFlags {
  readonly falcoRules?: readonly string[]
  readonly falcoConfig?: string
}

/** What is wrong with the files of Falco themselves is told to `problems`. */
export const checkFalco = (rules: readonly RuleInput[], flags: FalcoFlags, problems: Problems): readonly Finding[] => {
  const { falcoRules, falcoConfig } = flags
  if (!falcoRules) return []
  const documents = falcoRules.map((name) => open(name, problems))
  const config = falcoConfig === undefined ? undefined : (open(falcoConfig, problems).value ?? {})
  return lintFalco(rules, readFalcoRules(documents), readFalcoConfig(config))
}

/** Falco's files hold references and templates of their own: what looks like one of ours stays as it is. */
const open = (file: string, problems: Problems): Document => {
  const nothing = { file, text: '', value: undefined, parsed: false, places: new Map(), secrets: new Set<never>() }
  try {
    const text = systemFiles()
      .read(file)
      .replaceAll('${', () => '$${')
    const document = readDocument(file, text, problems, { references: { env: {}, file: () => '' } })
    return document.parsed ? document : nothing
  } catch (error) {
    problems.addFile(file, `cannot read it: ${messageOf(error)}`)
    return nothing
  }
}
