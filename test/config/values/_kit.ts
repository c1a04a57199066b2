/** The values of other charts, as their tests import them. */
import { readFileSync } from 'node:fs'
import { builtin } from '../../../src/builtin.ts'
import type { Files } from '../../../src/config/index.ts'
import { importFalcosidekickValues } from '../../../src/config/falcosidekick/values.ts'
import { importTalonValues } from '../../../src/config/talon/values.ts'
import type { ImportedValues } from '../../../src/config/values/read.ts'
import { valueAt } from '../../../src/config/values/move.ts'

const filesOf = (texts: Readonly<Record<string, string>>): Files => ({
  read: (path) => {
    const text = texts[path]
    if (text === undefined) throw new Error('there is no such file')
    return text
  },
  list: () => [],
})

const resultOf = (imported: ImportedValues | { readonly problems: ImportedValues['problems'] }) => {
  const { problems } = imported
  return {
    ...('values' in imported ? imported : { values: undefined, notes: [], secrets: 0 }),
    told: problems.map(({ severity, line, column, message }) => `${severity} ${line}:${column}: ${message}`),
    at: (...path: string[]): unknown => ('values' in imported ? valueAt(imported.values, path) : undefined),
  }
}

export const falcosidekick = (text: string, secretKeys: readonly string[] = []) =>
  resultOf(
    importFalcosidekickValues({ file: 'v.yaml', files: filesOf({ 'v.yaml': text }), plugins: builtin, secretKeys }),
  )

export const talon = (text: string, beside: Readonly<Record<string, string>> = {}, rules = Object.keys(beside)) =>
  resultOf(
    importTalonValues({ file: 'v.yaml', files: filesOf({ 'v.yaml': text, ...beside }), plugins: builtin, rules }),
  )

/** The list of a chart's values that stands in the fixtures. */
export const keysOf = (chart: string): string[] =>
  readFileSync(`test/fixtures/charts/${chart}.keys`, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
