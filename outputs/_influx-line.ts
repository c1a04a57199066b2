/** Points in InfluxDB's line protocol. Pure. */
import { clip, printable } from './_text.ts'

/** A point: tags are indexed, fields are not. */
export interface Point {
  readonly measurement: string
  /** In this order. A name that comes again has its last value; an empty name or value makes no tag. */
  readonly tags: readonly (readonly [name: string, value: string])[]
  readonly fields: Readonly<Record<string, string | number>>
  /** RFC 3339. */
  readonly time: string
}

const UNITS = {
  ns: 1n,
  us: 1_000n,
  u: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
} as const

export type Precision = keyof typeof UNITS

export const PRECISIONS = Object.keys(UNITS) as [Precision, ...Precision[]]

/** Bytes that InfluxDB takes of measurement and tags together, less some; characters of a tag's value. */
const MAX_KEY = 60_000
const MAX_VALUE = 8_000
/** UTF-16 units of a text field, so that it is below 64 KiB. */
const MAX_TEXT = 20_000

/**
 * One line, without its end: one that no value can end or add anything to.
 *
 * Source: "Line protocol" of InfluxDB's documentation. Blanks and control characters of tags become `_`, as Falcosidekick
 * writes blanks; so does a backslash at the end, which cannot be written.
 * @example pointLine({ measurement: 'm', tags: [['a', 'b c']], fields: { value: 'x' }, time }, 's') // 'm,a=b_c value="x" 1769860800'
 */
export const pointLine = ({ measurement, tags, fields, time }: Point, precision: Precision): string => {
  const values = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? quoted(value) : value}`,
  )
  return `${[measurement, ...tagsWithin(tags)].join(',')} ${values.join(',')} ${timestamp(time, precision)}`
}

const tagsWithin = (tags: Point['tags']): string[] => {
  const named = new Map(tags.map(([name, value]) => [tagText(tagName(name)), tagText(clip(value, MAX_VALUE))]))
  let left = MAX_KEY
  return [...named].flatMap(([name, value]) => {
    const tag = `${name}=${value}`
    const fits = name !== '' && value !== '' && Buffer.byteLength(tag) < left
    if (fits) left -= Buffer.byteLength(tag) + 1
    return fits ? [tag] : []
  })
}

/** `time` and names that begin with `_` are InfluxDB's own. */
const tagName = (name: string): string => (name === 'time' || name.startsWith('_') ? `field_${name}` : name)

const tagText = (text: string): string =>
  text
    .toWellFormed()
    .replaceAll(/[\s\u0000-\u001f\u007f-\u009f]/g, '_')
    .replace(/\\+$/, '_')
    .replaceAll(/[,=]/g, String.raw`\$&`)

const quoted = (text: string): string =>
  `"${clip(text, MAX_TEXT, (whole) => printable(whole).replaceAll(/["\\]/g, String.raw`\$&`))}"`

/** Time since 1970, rounded down to the precision. */
const timestamp = (time: string, precision: Precision): bigint => {
  const seconds = BigInt(Math.floor(Date.parse(time) / 1_000))
  const digits = /\.(\d+)/.exec(time)?.[1] ?? ''
  return (seconds * UNITS.s + BigInt(digits.slice(0, 9).padEnd(9, '0'))) / UNITS[precision]
}
