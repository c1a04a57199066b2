/** Values and JSON Schemas walked together: conversion of references, defaults filled in, the keys that are known. */
import { branches, innerSchemas, isSecret, type JsonSchema } from '../describe.ts'
import { type Document, type Path, placeOf, type Place } from './document.ts'

/** The schemas that hold at a path. */
export const schemasAt = (schema: JsonSchema, path: Path): JsonSchema[] =>
  path.reduce<JsonSchema[]>((schemas, part) => schemas.flatMap((one) => innerSchemas(one, part)), [schema])

/** The settings that a map may have at a path. */
export const knownKeys = (schema: JsonSchema, path: Path): string[] => [
  ...new Set(
    schemasAt(schema, path)
      .flatMap(branches)
      .flatMap((one) => Object.keys(one.properties ?? {})),
  ),
]

/**
 * Turns a scalar that is exactly one reference into the number or truth value that the schema wants. Text stays text
 * wherever text is allowed.
 */
export const convertReferences = (document: Document, path: Path, schema: JsonSchema, value: unknown): unknown =>
  mapLeaves([schema], value, path, (schemas, leaf, at) =>
    typeof leaf === 'string' && placeOf(document, at)?.reference ? convert(schemas, leaf) : leaf,
  )

const convert = (schemas: readonly JsonSchema[], text: string): unknown => {
  const types = new Set(
    schemas.flatMap(branches).flatMap((one) => one.type ?? (one.const === undefined ? [] : typeof one.const)),
  )
  if (types.has('string') || types.size === 0) return text
  if (types.has('boolean') && (text === 'true' || text === 'false')) return text === 'true'
  const numeric = /^[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(text.trim())
  return numeric && (types.has('integer') || types.has('number')) ? Number(text) : text
}

type Leaf = (schemas: readonly JsonSchema[], value: unknown, path: Path) => unknown

const mapLeaves = (schemas: readonly JsonSchema[], value: unknown, path: Path, leaf: Leaf): unknown => {
  const inner = (key: string | number): JsonSchema[] => schemas.flatMap((one) => innerSchemas(one, key))
  if (Array.isArray(value)) return value.map((item, i) => mapLeaves(inner(i), item, [...path, i], leaf))
  if (typeof value !== 'object' || value === null) return leaf(schemas, value, path)
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, mapLeaves(inner(key), item, [...path, key], leaf)]),
  )
}

/** Every place below a path whose value a schema calls secret. */
export const secretPlaces = (document: Document, path: Path, schema: JsonSchema, value: unknown): Place[] => {
  const places: Place[] = []
  const walk = (schemas: readonly JsonSchema[], inner: unknown, at: Path): void => {
    const place = placeOf(document, at)
    if (isSecret(schemas)) {
      if (place && !place.from) places.push(place)
    } else if (typeof inner === 'object' && inner !== null) {
      for (const [key, item] of Object.entries(inner)) {
        const part = Array.isArray(inner) ? Number(key) : key
        walk(
          schemas.flatMap((one) => innerSchemas(one, part)),
          item,
          [...at, part],
        )
      }
    }
  }
  walk([schema], value, path)
  return places
}

/** A value with the defaults of its schema, as a user would have written them. */
export const withDefaults = (schema: JsonSchema, value: unknown): unknown => {
  if (Array.isArray(value)) {
    const { items } = schema
    return typeof items === 'object' ? value.map((item) => withDefaults(items, item)) : value
  }
  if (typeof value !== 'object' || value === null) return value ?? schema.default
  const properties = schema.properties ?? {}
  const rest = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : {}
  const filled = Object.fromEntries(
    Object.entries(value).map(([key, given]) => [key, withDefaults(properties[key] ?? rest, given)]),
  )
  for (const [key, inner] of Object.entries(properties)) {
    if (filled[key] === undefined && inner.default !== undefined) filled[key] = withDefaults(inner, inner.default)
  }
  return filled
}
