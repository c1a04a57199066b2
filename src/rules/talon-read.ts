/**
 * A rules file of Falco Talon -> its actions and rules as written, with the place of each part.
 * Every scalar counts as text where text is wanted, as in Talon; a key that Talon would ignore is told.
 */
import { z } from 'zod'
import { type Document, lineFinder, type LineFinder, type Path, placeOf, spanOf } from '../config/document.ts'
import type { Problems, Severity } from '../config/problems.ts'
import { suggestion } from '../config/suggest.ts'
import { checkSettings } from '../settings.ts'

/** Where a part of a file stands. */
export interface Spot {
  readonly document: Document
  readonly path: Path
  /** The key is meant, not its value. */
  readonly key?: boolean
}

/** A value and where it was written. */
export interface Placed<T = unknown> {
  readonly value: T
  readonly spot: Spot
}

export type Parameters = ReadonlyMap<string, Placed>

/** An action, of its own or in a rule. What is undefined was not written, or empty. */
export interface TalonAction {
  readonly name: string
  readonly spot: Spot
  readonly actionner: Placed<string> | undefined
  readonly continue: boolean | undefined
  readonly ignoreErrors: boolean | undefined
  readonly parameters: Parameters
  readonly output: { readonly target: Placed<string> | undefined; readonly parameters: Parameters }
  readonly contexts: readonly Placed<string>[]
}

export interface TalonMatch {
  readonly rules: readonly Placed<string>[]
  readonly tags: readonly Placed<string>[]
  readonly fields: readonly Placed<string>[]
  readonly priority: Placed<string> | undefined
  readonly source: Placed<string> | undefined
}

export interface TalonRule {
  readonly name: string
  readonly spot: Spot
  /** `file:line`. */
  readonly origin: string
  readonly description: string | undefined
  readonly continue: boolean | undefined
  readonly dryRun: boolean | undefined
  readonly notifiers: readonly Placed<string>[]
  readonly match: TalonMatch
  readonly actions: readonly TalonAction[]
}

export interface TalonFile {
  readonly actions: readonly TalonAction[]
  readonly rules: readonly TalonRule[]
}

/** Tells of a problem at a spot; default an error. */
export type Tell = (spot: Spot, message: string, severity?: Severity) => void

export const tellOf =
  (problems: Problems, title: string): Tell =>
  ({ document, path, key = false }, message, severity) =>
    problems.add(document, { path, key }, `${title}${message}`, severity)

/** How messages about a rule begin. */
export const ruleTitle = (name: string): string => `rule ${JSON.stringify(name)}: `
export const actionTitle = (name: string): string => `action ${JSON.stringify(name)}: `

const FLAG = /^(?:true|false)$/i

const isScalar = (value: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof value)
const isFlag = (value: unknown): boolean =>
  value == null || value === '' || typeof value === 'boolean' || (typeof value === 'string' && FLAG.test(value))

const text = z
  .unknown()
  .refine((value) => value == null || isScalar(value), 'must be a text')
  .optional()
const texts = z.array(z.unknown().refine(isScalar, 'must be a text')).nullish()
const flag = z.unknown().refine(isFlag, 'must be true or false').optional()
const parameters = z.record(z.string(), z.unknown()).nullish()
const output = z.object({ target: text, parameters })
const match = z.object({ rules: texts, output_fields: texts, priority: text, tags: texts, source: text })

const action = z.object({
  action: text,
  description: text,
  actionner: text,
  continue: flag,
  ignore_errors: flag,
  parameters,
  output: output.nullish(),
  additional_contexts: texts,
})

const rule = z.object({
  rule: text,
  description: text,
  match: match.nullish(),
  actions: z.array(action).nullish(),
  continue: flag,
  dry_run: flag,
  notifiers: texts,
})

/** The actions and rules of a file; what is not well-formed is told, and left out. */
export const readTalon = (document: Document, problems: Problems): TalonFile => {
  const items = document.value ?? []
  if (!Array.isArray(items)) {
    problems.add(document, { path: [] }, 'a rules file of Falco Talon is a list of `- action:` and `- rule:` items')
    return { actions: [], rules: [] }
  }
  const reading = { problems, lineAt: lineFinder(document.text) }
  const found = items.map((item, i) => readItem(item, { document, path: [i] }, reading))
  return { actions: found.flatMap(({ actions }) => actions), rules: found.flatMap(({ rules }) => rules) }
}

interface Reading {
  readonly problems: Problems
  readonly lineAt: LineFinder
}

const readItem = (item: unknown, spot: Spot, reading: Reading): TalonFile => {
  const { problems } = reading
  const raw = asMap(item)
  const named = { action: nonEmpty(raw?.['action']), rule: nonEmpty(raw?.['rule']) }
  if (!raw) tellOf(problems, '')(spot, 'an item is a map with `action` or `rule`')
  else if (!named.action && !named.rule) tellOf(problems, '')(spot, 'an item without a name does nothing', 'warning')
  return {
    actions: raw && named.action ? readShared(raw, spot, problems) : [],
    rules: raw && named.rule ? readRule(raw, spot, reading) : [],
  }
}

const nonEmpty = (name: unknown): boolean => name !== undefined && name !== null && name !== ''

const readShared = (raw: Raw, spot: Spot, problems: Problems): TalonAction[] => {
  const tell = tellOf(problems, actionTitle(String(raw['action'])))
  if (!isWellFormed(action, raw, spot, tell)) return []
  tellUnknown([action, { output }], raw, spot, tell)
  return [toAction(raw, spot)]
}

const readRule = (raw: Raw, spot: Spot, { problems, lineAt }: Reading): TalonRule[] => {
  const tell = tellOf(problems, ruleTitle(String(raw['rule'])))
  if (!isWellFormed(rule, raw, spot, tell)) return []
  tellUnknown([rule, { match }], raw, spot, tell)
  const actions = (raw['actions'] ?? []) as Raw[]
  for (const [i, one] of actions.entries()) {
    tellUnknown([action, { output }], one, below(spot, 'actions', i), tell)
  }
  return [
    {
      name: textAt(raw, spot, 'rule')?.value ?? '',
      spot,
      origin: originOf(spot, lineAt),
      description: textAt(raw, spot, 'description')?.value,
      continue: flagAt(raw, 'continue'),
      dryRun: flagAt(raw, 'dry_run'),
      notifiers: textsAt(raw, spot, 'notifiers'),
      match: toMatch(asMap(raw['match']) ?? {}, below(spot, 'match')),
      actions: actions.map((one, i) => toAction(one, below(spot, 'actions', i))),
    },
  ]
}

/** @example originOf(spot, lineFinder(document.text)) // 'rules.yaml:7' */
export const originOf = ({ document, path }: Spot, lineAt: LineFinder): string =>
  `${document.file}:${lineAt(spanOf(document, path).start)}`

type Raw = Readonly<Record<string, unknown>>

const asMap = (value: unknown): Raw | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Raw) : undefined

export const below = ({ document, path }: Spot, ...parts: Path): Spot => ({ document, path: [...path, ...parts] })

const isWellFormed = (schema: z.ZodType, value: unknown, spot: Spot, tell: Tell): boolean => {
  const faults = checkSettings(schema, value)
  for (const { path, message } of faults) tell(below(spot, ...path), message)
  return faults.length === 0
}

type Shape = z.ZodObject<z.ZodRawShape>

/** Talon ignores a key that it does not know; a mistyped `output_fields` would then match every event. */
const tellUnknown = ([schema, inner]: [Shape, Record<string, Shape>], raw: Raw, spot: Spot, tell: Tell): void => {
  const known = Object.keys(schema.shape)
  for (const key of Object.keys(raw).filter((name) => !known.includes(name))) {
    const message = `${key} means nothing to Falco Talon and is ignored${suggestion(key, known)}`
    tell({ ...below(spot, key), key: true }, message, 'warning')
  }
  for (const [key, shape] of Object.entries(inner))
    tellUnknown([shape, {}], asMap(raw[key]) ?? {}, below(spot, key), tell)
}

/** A scalar as it stands in the file: `1.0` is the text 1.0. */
const asWritten = (value: unknown, { document, path }: Spot): string => {
  if (typeof value === 'string') return value
  const place = placeOf(document, path)?.value
  return place ? document.text.slice(place.start, place.end) : String(value)
}

const textAt = (raw: Raw, spot: Spot, key: string): Placed<string> | undefined => {
  const value = raw[key]
  const at = below(spot, key)
  return nonEmpty(value) ? { value: asWritten(value, at), spot: at } : undefined
}

const textsAt = (raw: Raw, spot: Spot, key: string): Placed<string>[] =>
  ((raw[key] ?? []) as unknown[]).map((value, i) => {
    const at = below(spot, key, i)
    return { value: asWritten(value, at), spot: at }
  })

const flagAt = (raw: Raw, key: string): boolean | undefined =>
  nonEmpty(raw[key]) ? /^true$/i.test(String(raw[key])) : undefined

const parametersAt = (raw: Raw, spot: Spot): Parameters =>
  new Map(
    Object.entries(asMap(raw['parameters']) ?? {}).map(([key, value]) => [
      key,
      { value, spot: below(spot, 'parameters', key) },
    ]),
  )

const toMatch = (raw: Raw, spot: Spot): TalonMatch => ({
  rules: textsAt(raw, spot, 'rules'),
  tags: textsAt(raw, spot, 'tags'),
  fields: textsAt(raw, spot, 'output_fields'),
  priority: textAt(raw, spot, 'priority'),
  source: textAt(raw, spot, 'source'),
})

const toAction = (raw: Raw, spot: Spot): TalonAction => {
  const out = asMap(raw['output']) ?? {}
  return {
    name: textAt(raw, spot, 'action')?.value ?? '',
    spot,
    actionner: textAt(raw, spot, 'actionner'),
    continue: flagAt(raw, 'continue'),
    ignoreErrors: flagAt(raw, 'ignore_errors'),
    parameters: parametersAt(raw, spot),
    output: {
      target: textAt(out, below(spot, 'output'), 'target'),
      parameters: parametersAt(out, below(spot, 'output')),
    },
    contexts: textsAt(raw, spot, 'additional_contexts'),
  }
}
