/** What the values of both charts are read with, and what comes of them. */
import type { Document, Path } from '../document.ts'
import type { Files } from '../files.ts'
import type { Plugins } from '../plugins.ts'
import type { ConfigProblem, Problems } from '../problems.ts'
import { readDocument } from '../read.ts'
import { messageOf } from '../../errors.ts'
import { isEmpty, isMap, type Values, valueAt } from './move.ts'

/** The values of another chart. */
export interface ValuesFile {
  readonly file: string
  readonly files: Files
  readonly plugins: Plugins
}

/** Values of our chart that say the same. */
export interface ImportedValues {
  readonly values: Values
  readonly problems: readonly ConfigProblem[]
  /** What to know beside. */
  readonly notes: readonly string[]
  /** How many secrets stand in the values, as they stood in those of the other chart. */
  readonly secrets: number
}

/** The file and where in it the values of the chart are: it may be a part of another one; undefined: it is no map. */
export const openValues = (
  { file, files }: ValuesFile,
  part: string,
  problems: Problems,
): { readonly document: Document; readonly base: Path } | undefined => {
  try {
    const document = readDocument(file, files.read(file), problems, { references: undefined })
    if (!document.parsed) return undefined
    const value = document.value ?? {}
    if (!isMap(value)) {
      problems.add(document, { path: [] }, 'the values of a chart are a map')
      return undefined
    }
    const base = isMap(value[part]) && !value['config'] ? [part] : []
    const config = valueAt(value, [...base, 'config'])
    if (!isMap(config) && !isEmpty(config))
      problems.add(document, { path: [...base, 'config'] }, 'config must be a map, as in that chart')
    return { document: { ...document, value }, base }
  } catch (error) {
    problems.addFile(file, `cannot read it: ${messageOf(error)}`)
  }
  return undefined
}

/** The whole preset, where an output or a rule needs rights in the cluster. */
export const presetFor = (config: unknown, { outputs }: Plugins): 'gateway' | 'both' => {
  const used = Object.entries((valueAt(config, ['outputs']) ?? {}) as Values)
  const needsRights = used.some(([id, settings]) => {
    const { permissions } = outputs.find(({ type }) => type === id.replace(/\/.*/, '')) ?? {}
    if (typeof permissions !== 'function') return (permissions?.length ?? 0) > 0
    return permissions(settings).length > 0
  })
  return needsRights ? 'both' : 'gateway'
}

/** The line of Falco's own values that sends its events here. */
export const falcoNote = (port: unknown): string =>
  "in the values of Falco's chart: falco.json_output: true, falco.http_output: " +
  `{enabled: true, url: "http://yarak:${String(port)}/"}, where \`yarak\` is the name of the release`
