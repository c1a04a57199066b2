/** A value in a document checked against a settings schema; what is wrong is told at its place. */
import type { z } from 'zod'
import { isSecret, type JsonSchema, settingsSchema } from '../describe.ts'
import { checkSettings } from '../settings.ts'
import { type Document, type Path, pathText, placeOf } from './document.ts'
import type { Problems } from './problems.ts'
import { nearest, suggestion } from './suggest.ts'
import { convertReferences, knownKeys, schemasAt, secretPlaces } from './walk.ts'

/** What is checked, and how it is told. */
export interface Check {
  readonly document: Document
  readonly path: Path
  readonly schema: z.ZodType
  readonly value: unknown
  readonly problems: Pick<Problems, 'add'>
  /** How messages name the value; default: its path. */
  readonly name?: string
  /** Leaves may be Liquid templates. */
  readonly templates?: boolean
  /** More names that a mistyped setting may have meant. */
  readonly alsoKnown?: readonly string[]
  /** Default: worked out each time. */
  readonly schemaOf?: SchemaOf
}

/** The JSON Schema of a settings schema, and whether any of it is secret. */
export type SchemaOf = (schema: z.ZodType) => { readonly schema: JsonSchema; readonly secrets: boolean }

const schemaOnce: SchemaOf = (zod) => {
  const schema = settingsSchema(zod)
  return { schema, secrets: JSON.stringify(schema).includes('"writeOnly":true') }
}

/** Works out each schema once: for many values of few schemas. */
export const rememberSchemas = (): SchemaOf => {
  const known = new Map<z.ZodType, ReturnType<SchemaOf>>()
  return (schema) => {
    const found = known.get(schema) ?? schemaOnce(schema)
    known.set(schema, found)
    return found
  }
}

const UNKNOWN = 'is not a known setting'

/** The value with its references converted, or undefined when something is wrong with it. */
export const checkValue = (check: Check): { readonly value: unknown } | undefined => {
  const { document, path, problems, schemaOf = schemaOnce } = check
  const { schema, secrets } = schemaOf(check.schema)
  const value = document.plain ? check.value : convertReferences(document, path, schema, check.value)
  const hidden = secrets ? secretPlaces(document, path, schema, value) : []
  for (const place of hidden) document.secrets.add(place.value)
  const found = checkSettings(check.schema, value, { templates: check.templates ?? false })
  for (const { path: inner, message } of found) {
    const at = [...path, ...inner]
    if (placeOf(document, at)?.broken) continue
    const unknown = message.endsWith(UNKNOWN)
    const more = unknown ? unknownSetting(check, schema, inner) : ''
    const offset = unknown ? { key: true } : {}
    problems.add(document, { path: at, ...offset }, `${named(check, inner, message)}${more}`)
  }
  return found.length === 0 ? { value } : undefined
}

/** A mistyped setting may have been meant as a secret: then its value is not shown. */
const unknownSetting = ({ document, path, value, alsoKnown = [] }: Check, schema: JsonSchema, inner: Path): string => {
  const parent = inner.slice(0, -1)
  const wrong = String(inner.at(-1))
  const known = [...knownKeys(schema, parent), ...(parent.length === 0 ? alsoKnown : [])]
  if (known.includes(wrong)) return besideOthers(value, parent, wrong)
  const meant = nearest(wrong, known)
  const secret = (key: string): boolean => isSecret(schemasAt(schema, [...parent, key]))
  const place = placeOf(document, [...path, ...inner])
  if (place && (meant === undefined ? known.some(secret) : secret(meant))) document.secrets.add(place.value)
  return suggestion(wrong, known)
}

/** What is known by itself, but not of the kind of map that this is. */
const besideOthers = (value: unknown, parent: Path, wrong: string): string => {
  const map = parent.reduce<unknown>((inner, part) => (inner as Record<string | number, unknown>)[part], value)
  return ` beside ${Object.keys(map as object)
    .filter((key) => key !== wrong)
    .join(', ')}`
}

/** The message with the whole path instead of the inner one. */
const named = ({ path, name = pathText(path) }: Check, inner: Path, message: string): string => {
  const own = pathText(inner)
  const joint = own === '' || name === '' ? '' : own.startsWith('[') ? '' : name.endsWith(':') ? ' ' : '.'
  if (own !== '' && message.startsWith(own)) return `${name}${joint}${message}`
  const rest = message.replace(/^the value /, '').trim()
  return own === '' && /^(must|is) /.test(rest)
    ? `${name.replace(/:$/, '')} ${rest}`.trim()
    : `${name.replace(/:?$/, ':')} ${rest}`
}
