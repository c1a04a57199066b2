/** Values as a file: what differs as a comment at the top, then the values. */
import { stringify } from 'yaml'
import type { ConfigProblem } from '../problems.ts'
import type { Values } from './move.ts'

const comment = (text: string): string => `# ${text.replaceAll(/\s+/g, ' ').replaceAll(/\p{Cc}/gu, '')}\n`

const line = ({ severity, file, line: at, column, message }: ConfigProblem): string =>
  comment(`${severity}: ${at === 1 && column === 1 ? file : `${file}:${at}:${column}`}: ${message}`)

/** What comes first; the rest follows in the order in which it was found. */
const ORDER = ['preset', 'replicas', 'config', 'rules', 'envFrom', 'env']

/**
 * Helm reads YAML 1.1, where `yes` is no text.
 * @param notes what to know beside, a line each
 */
export const valuesText = (values: Values, problems: readonly ConfigProblem[], notes: readonly string[]): string => {
  const keys = [...ORDER.filter((key) => key in values), ...Object.keys(values).filter((key) => !ORDER.includes(key))]
  const sorted = Object.fromEntries(keys.map((key) => [key, values[key]]))
  return [...notes.map(comment), ...problems.map(line), stringify(sorted, { lineWidth: 0, compat: 'yaml-1.1' })].join(
    '',
  )
}
