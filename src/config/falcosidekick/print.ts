/** Falcosidekick's configuration as a file of ours. */
import { stringify } from 'yaml'
import { type Document, type Path, placeOf } from '../document.ts'
import type { LoadedConfig } from '../index.ts'
import type { ConfigProblem } from '../problems.ts'

/** A file of ours, and how many secrets stand in it. */
export interface Printed {
  readonly text: string
  readonly secrets: number
}

/**
 * The text of a file that says the same, under what differs. What came from a variable is a reference to it; secrets that
 * stood in the file stand in the text too.
 */
export const printFalcosidekick = ({ document, problems }: Pick<LoadedConfig, 'document' | 'problems'>): Printed => {
  const { value, secrets } = nativeValue(document)
  return { text: [head(document), ...problems.map(line), stringify(value, { lineWidth: 0 })].join(''), secrets }
}

/** The value of a translated document as a file of ours writes it, and how many secrets stand in it. */
export const nativeValue = (document: Document): { readonly value: unknown; readonly secrets: number } => {
  let secrets = 0
  const shown = (value: unknown, path: Path): unknown => {
    if (Array.isArray(value)) return value.map((item, i) => shown(item, [...path, i]))
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shown(inner, [...path, key])]))
    const place = placeOf(document, path)
    if (place && document.secrets.has(place.value)) secrets++
    return place?.from !== undefined && place.reference ? place.text : escaped(value)
  }
  return { value: shown(document.value, []), secrets }
}

const head = ({ file }: Document): string => comment(`translated from Falcosidekick's ${file}`)

const line = ({ severity, file, line: at, column, message }: ConfigProblem): string =>
  comment(`${severity}: ${at === 1 && column === 1 ? file : `${file}:${at}:${column}`}: ${message}`)

const comment = (text: string): string => `# ${text.replaceAll(/\s+/g, ' ').replaceAll(/\p{Cc}/gu, '')}\n`

/** `${` stands for itself when it is doubled. */
const escaped = (value: unknown): unknown => (typeof value === 'string' ? value.replaceAll('${', () => '$${') : value)
