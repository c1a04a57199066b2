/** From the words on the command line to the parts they mean. */
import { type Entry } from './index.ts'

/** One part that was asked for. */
export interface Choice extends Entry {
  /** As it is shown: the name, with the version where one was asked for. */
  readonly label: string
  /** What `start` is given. */
  readonly options: object
}

/** A word that means no part; the message says what could have been meant. */
export class UnknownPart extends Error {}

/** Reads words like `kafka`, `kafka@3` and `kafka@3.9.2`; a part asked for twice is one part. */
export const choose = (entries: readonly Entry[], words: readonly string[]): Choice[] => {
  const choices = words.map((word) => chooseOne(entries, word))
  return [...new Map(choices.map((choice) => [choice.label, choice])).values()]
}

const chooseOne = (entries: readonly Entry[], word: string): Choice => {
  const [name = '', wanted] = word.split('@', 2)
  const entry = entries.find(({ part }) => part.name === name)
  if (!entry) throw new UnknownPart(unknown(entries, name))
  if (wanted === undefined) return { ...entry, label: name, options: {} }
  const known = entry.versions ?? [entry.part.version]
  const version = known.find((one) => one === wanted || one.startsWith(`${wanted}.`))
  if (version === undefined) throw new UnknownPart(`${name} comes as ${known.join(' or ')}, not as ${wanted}`)
  return { ...entry, label: `${name}@${version}`, options: entry.versions ? { version } : {} }
}

const unknown = (entries: readonly Entry[], name: string): string => {
  const names = entries.map(({ part }) => part.name)
  const [nearest] = names.map((known) => ({ known, steps: distance(name, known) })).sort((a, b) => a.steps - b.steps)
  const hint = nearest && nearest.steps <= Math.max(2, nearest.known.length / 3) ? `did you mean ${nearest.known}?` : ''
  return `there is no part called ${name}${hint && `; ${hint}`}\nthere are: ${names.join(', ')}`
}

/** How many letters must be added, removed or changed to turn one word into the other. */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (const [line, letter] of [...a].entries()) {
    const next = [line + 1]
    for (const [column, other] of [...b].entries()) {
      const change = (row[column] ?? 0) + (letter === other ? 0 : 1)
      next.push(Math.min(change, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
