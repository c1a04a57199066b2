/** Values as Falcosidekick takes them, of weak types -> values as our settings want them. */
import { branches, innerSchemas, type JsonSchema, settingsSchema } from '../../describe.ts'
import { duration } from '../../settings.ts'
import type { Document } from '../document.ts'
import type { Found } from './source.ts'

/** What a number without a unit means. */
export type Unit = 'ns' | 'ms' | 's' | 'min'

const MILLISECONDS: Readonly<Record<string, number>> = {
  ...{ ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1_000, m: 60_000, min: 60_000, h: 3_600_000 },
}

/** A number as the file has it, with all its digits. */
export const textOf = (found: Found, { text }: Document): string =>
  typeof found.value === 'string' || found.path === undefined || typeof found.value === 'object'
    ? String(found.value)
    : text.slice(found.place.value.start, found.place.value.end)

/** The truth value of a text, as Go reads it. */
export const booleanOf = (text: string): boolean | undefined =>
  /^(?:1|t|true)$/i.test(text) ? true : /^(?:0|f|false)$/i.test(text) ? false : undefined

/** Any scalar as a text. */
export const wordOf = (value: unknown): string =>
  typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value)

/** Items of a text separated by commas, or of a list. */
export const listOf = (value: unknown): string[] =>
  (Array.isArray(value) ? value : String(value).split(',')).map((item) => String(item).trim()).filter(Boolean)

const LOGIN = /^(https?:\/\/)([^/@]+)@(.*)$/i

/** An address without its user and password, and the header that tells them; undefined when it has none. */
export const splitLogin = (text: string): { readonly address: string; readonly authorization: string } | undefined => {
  const [, scheme = '', pair, rest = ''] = LOGIN.exec(text) ?? []
  if (pair === undefined) return undefined
  const authorization = `Basic ${Buffer.from(decoded(pair)).toString('base64')}`
  return { address: `${scheme}${rest}`, authorization }
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** What of a text is no `name:value` is left out. */
export const pairsOf = (text: string): { pairs: [string, string][]; wrong: string[] } => {
  const parts = text.split(',').map((part) => ({ part, at: part.indexOf(':') }))
  const right = parts.filter(({ at }) => at > 0)
  return {
    pairs: right.map(({ part, at }) => [part.slice(0, at).trim(), part.slice(at + 1).trim()]),
    wrong: parts.filter(({ at, part }) => at <= 0 && part.trim() !== '').map(({ part }) => part.trim()),
  }
}

/** Milliseconds of `1m30s`, or of a number with its unit; undefined when it is none. */
export const millisecondsOf = (text: string, unit: Unit): number | undefined => {
  const one = text.trim()
  if (/^[+-]?\d+(?:\.\d+)?$/.test(one)) return Number(one) * (MILLISECONDS[unit] ?? 1)
  const parts = [...one.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)]
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== one) return undefined
  return parts.reduce((sum, [, count, of]) => sum + Number(count) * (MILLISECONDS[of ?? ''] ?? 0), 0)
}

/** A duration as our settings have it. */
export const durationText = (milliseconds: number): string => {
  const [size, unit] = (
    [
      [3_600_000, 'h'],
      [60_000, 'm'],
      [1_000, 's'],
    ] as const
  ).find(([one]) => milliseconds >= one && milliseconds % one === 0) ?? [1, 'ms' as const]
  return milliseconds === 0 ? '0s' : `${Math.max(1, Math.round(milliseconds / size))}${unit}`
}

const DURATION = settingsSchema(duration()).pattern

const types = (schemas: readonly JsonSchema[]): ReadonlySet<unknown> =>
  new Set(schemas.flatMap(branches).flatMap((one) => one.type ?? (one.const === undefined ? [] : typeof one.const)))

const known = (schemas: readonly JsonSchema[]): unknown[] =>
  schemas.flatMap(branches).flatMap((one) => one.enum ?? (one.const === undefined ? [] : [one.const]))

const plain = (text: unknown): string => String(text).toLowerCase().replaceAll(/[-_]/g, '')

/** The value for schemas; what cannot be converted stays as it is, and is refused where it is checked. */
export const convert = (schemas: readonly JsonSchema[], value: unknown, unit: Unit = 's'): unknown => {
  const wanted = types(schemas)
  const inner = (key: string | number) => schemas.flatMap((one) => innerSchemas(one, key))
  if (typeof value === 'object' && value !== null) {
    if (Array.isArray(value)) return listFor(schemas, value, unit)
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, convert(inner(key), item, unit)]))
  }
  const isNumber = wanted.has('integer') || wanted.has('number')
  if (typeof value === 'number' && isNumber && !isDuration(schemas)) return value
  const text = String(value)
  if (wanted.has('array')) return listFor(schemas, listOf(value), unit)
  if (wanted.has('object') && !wanted.has('string') && !wanted.has('boolean'))
    return Object.fromEntries(pairsOf(text).pairs.map(([key, item]) => [key, convert(inner(key), item, unit)]))
  return scalarFor(schemas, wanted, text, unit)
}

const isDuration = (schemas: readonly JsonSchema[]): boolean =>
  schemas.flatMap(branches).some(({ pattern }) => pattern === DURATION)

const listFor = (schemas: readonly JsonSchema[], items: readonly unknown[], unit: Unit): unknown => {
  const [first, ...more] = items
  if (first !== undefined && more.length === 0 && types(schemas).has('string')) return wordOf(first)
  return items.map((item, i) =>
    convert(
      schemas.flatMap((one) => innerSchemas(one, i)),
      item,
      unit,
    ),
  )
}

const scalarFor = (schemas: readonly JsonSchema[], wanted: ReadonlySet<unknown>, text: string, unit: Unit): unknown => {
  const same = known(schemas).find((one) => plain(one) === plain(text))
  if (same !== undefined) return same
  const truth = booleanOf(text)
  if (wanted.has('boolean') && truth !== undefined) return truth
  if (isDuration(schemas)) {
    const found = millisecondsOf(text, unit)
    return found === undefined ? text : durationText(found)
  }
  const isNumber = wanted.has('integer') || wanted.has('number')
  return isNumber && !wanted.has('string') && /^[+-]?\d+(?:\.\d+)?$/.test(text.trim()) ? Number(text) : text
}
