/** What every kind of plugin must keep: a name, a sentence, and settings that are strict, described and redacted. */
import assert from 'node:assert/strict'
import { z } from 'zod'
import type { Spec } from '../plugin.ts'
import { checkSettings } from '../settings.ts'

/** One thing that is checked. Any test runner can run it: `run` rejects when it does not hold. */
export interface Case {
  readonly name: string
  run(): Promise<void>
}

/** A {@link Case} of a synchronous check. */
export const toCase = (name: string, check: () => void | Promise<void>): Case => ({ name, run: async () => check() })

interface JsonSchema {
  readonly type?: string
  readonly description?: string
  readonly secret?: boolean
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly propertyNames?: JsonSchema
  readonly additionalProperties?: boolean | JsonSchema
  readonly items?: boolean | JsonSchema
  readonly prefixItems?: readonly JsonSchema[]
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly allOf?: readonly JsonSchema[]
}

interface Place {
  readonly path: string
  readonly schema: JsonSchema
  /** The setting's name, when it is one. */
  readonly property?: string
}

/** Names of settings that hold a secret. `tokenFile` is a path, `maxTokens` a number: neither is. */
const SECRET_NAME =
  /(?:token|passw(?:or)?d|passphrase|secret|credentials?|api_?key|private_?key|access_?key|routing_?key|webhook_?url|dsn|connection_?string)$/i

const schemaOf = (config: z.ZodType): JsonSchema =>
  z.toJSONSchema(config, { io: 'input', unrepresentable: 'any' }) as JsonSchema

function* places(schema: JsonSchema, path: string, property?: string): Generator<Place> {
  yield { path, schema, ...(property !== undefined && { property }) }
  for (const [name, inner] of Object.entries(schema.properties ?? {})) {
    yield* places(inner, path ? `${path}.${name}` : name, name)
  }
  for (const inner of [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])]) {
    yield* places(inner, path)
  }
  for (const inner of schema.prefixItems ?? []) yield* places(inner, `${path}[]`)
  if (typeof schema.items === 'object') yield* places(schema.items, `${path}[]`)
  if (typeof schema.additionalProperties === 'object') yield* places(schema.additionalProperties, `${path}.*`)
}

const settingsOf = (spec: Spec): Place[] => [...places(schemaOf(spec.config), '')]

/** A text at this place, or at a place of its alternatives or items, is marked. */
const isMarked = (schema: JsonSchema): boolean =>
  schema.secret === true ||
  [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].some(isMarked) ||
  [schema.items, schema.additionalProperties].some((inner) => typeof inner === 'object' && isMarked(inner))

const holdsText = (schema: JsonSchema): boolean =>
  schema.type === 'string' || [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].some(holdsText)

const isHeaders = (property: string | undefined): boolean => /headers$/i.test(property ?? '')

/** The settings of `value` that are secret, as text. */
export const secretsIn = (config: z.ZodType, value: unknown): string[] => {
  const paths = new Set([...places(schemaOf(config), '')].filter(({ schema }) => schema.secret).map(({ path }) => path))
  return [...leaves(value, '')].filter(([path]) => paths.has(path)).map(([, text]) => text)
}

function* leaves(value: unknown, path: string): Generator<[string, string]> {
  if (typeof value === 'string') yield [path, value]
  else if (Array.isArray(value)) for (const inner of value) yield* leaves(inner, `${path}[]`)
  else if (typeof value === 'object' && value !== null) {
    for (const [name, inner] of Object.entries(value)) {
      yield* leaves(inner, path ? `${path}.${name}` : name)
      yield* leaves(inner, `${path}.*`)
    }
  }
}

/** The cases of every {@link Spec}. */
export const specCases = (spec: Spec, type: RegExp): Case[] => [
  toCase('has a well-formed type', () => assert.match(spec.type, type)),
  toCase('has a summary of one sentence', () => {
    assert.match(spec.summary, /^[A-Z].{8,140}\.$/, `summary: ${spec.summary}`)
    assert.doesNotMatch(spec.summary.slice(0, -1), /[.!?] /, 'summary: more than one sentence')
  }),
  toCase('takes a map of settings and refuses an unknown one at every level', () => {
    const all = settingsOf(spec)
    assert.equal(all[0]?.schema.type, 'object')
    const loose = all.filter(({ schema }) => schema.properties && schema.additionalProperties !== false)
    assert.deepEqual(names(loose), [], 'declare these with z.strictObject')
    const problems = checkSettings(spec.config, { notASetting: 1 }).map(({ message }) => message)
    assert.ok(problems.includes('notASetting is not a known setting'), problems.join('; '))
  }),
  toCase('describes every setting', () => {
    const bare = settingsOf(spec).filter(
      ({ property, schema }) => property !== undefined && !schema.description?.trim(),
    )
    assert.deepEqual(names(bare), [], 'add .describe() to these')
  }),
  toCase('marks its secrets', () => {
    const open = settingsOf(spec).filter(
      ({ property, schema }) =>
        ((SECRET_NAME.test(property ?? '') && holdsText(schema)) || isHeaders(property)) && !isMarked(schema),
    )
    assert.deepEqual(names(open), [], 'declare these with secret(), or .meta({ secret: true })')
  }),
]

const names = (all: readonly Place[]): string[] => all.map(({ path }) => path || '(the whole)')
