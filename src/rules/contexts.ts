/** Which contexts a step names: `context.<type>` in its templates and its condition, and nowhere else. */
import { parseName } from '../names.ts'
import { isTemplate } from '../settings.ts'
import { type Condition, namesIn } from './condition.ts'

/** A context that a text names, and where in it. */
export interface NamedContext {
  readonly name: string
  readonly offset: number
}

const RAW = /\{%-?\s*raw\s*-?%\}[^]*?\{%-?\s*endraw\s*-?%\}/g
const TAG = /\{[{%][^]*?[%}]\}/g
/** A quoted text comes first, so that what looks like a name in it is none. */
const NAME = /"[^"]*"|'[^']*'|(?<![\w."'-])context(?:\.([A-Za-z][\w-]*)|\[\s*(?:"([\w-]+)"|'([\w-]+)')\s*\])/g

/**
 * Those of a template, in order.
 * @example contextsOfTemplate('{{ context.pod.labels.team }}') // [{ name: 'pod', offset: 3 }]
 */
export const contextsOfTemplate = (template: string): NamedContext[] => {
  const text = template.replaceAll(RAW, (raw) => ' '.repeat(raw.length))
  return Array.from(text.matchAll(TAG)).flatMap(({ 0: tag, index }) =>
    Array.from(tag.matchAll(NAME)).flatMap(({ 1: plain, 2: double, 3: single, index: inside }) => {
      const name = plain ?? double ?? single
      return name === undefined ? [] : [{ name, offset: index + inside }]
    }),
  )
}

/** Those of a condition, in order; `context["pod"]` names one too. */
export const contextsOfCondition = (condition: Condition): NamedContext[] =>
  Array.from(namesIn(condition)).flatMap(({ name: path, offset }) => {
    const [root, name] = parseName(path)
    return root === 'context' && typeof name === 'string' ? [{ name, offset }] : []
  })

/** The names of those in a step's settings and its condition, each once. */
export const contextsIn = (settings: unknown, condition: Condition | undefined): readonly string[] => {
  const found = [...templatesIn(settings)].flatMap(contextsOfTemplate)
  return [...new Set([...found, ...(condition ? contextsOfCondition(condition) : [])].map(({ name }) => name))]
}

function* templatesIn(value: unknown): Generator<string> {
  if (isTemplate(value)) yield value
  else if (typeof value === 'object' && value !== null) for (const one of Object.values(value)) yield* templatesIn(one)
}
