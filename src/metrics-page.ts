/** How metrics are written for Prometheus, and for whom in which form. */
import type { Labels } from './series.ts'

/**
 * `text`: Prometheus' own, version 0.0.4. `openmetrics`: OpenMetrics 1.0.0, which has exemplars.
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 * @see https://prometheus.io/docs/specs/om/open_metrics_spec/
 */
export type Format = 'text' | 'openmetrics'

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
}

export type FamilyType = 'counter' | 'gauge' | 'summary' | 'histogram'

/** One line. */
export interface Sample {
  /** Of its name; default none. */
  readonly suffix?: string
  /** Written: see {@link writeLabels}. */
  readonly labels: string
  readonly value: number
  /** Only OpenMetrics has it; `at` in milliseconds since the epoch. */
  readonly exemplar?: { readonly labels: string; readonly value: number; readonly at: number }
}

/** A metric with all its lines. The name of a counter ends in `_total`. */
export interface Family {
  readonly name: string
  readonly help: string
  readonly type: FamilyType
  readonly samples: readonly Sample[]
}

/**
 * @param more families that are written already, in the text format, e.g. those of the peers: all of them counters
 * @returns all lines, with what has to be at the end
 */
export const writePage = (families: readonly Family[], format: Format, more = ''): string => {
  const lines = families.flatMap((family) => linesOf(family, format)).map((line) => `${line}\n`)
  return format === 'text' ? `${lines.join('')}${more}` : `${lines.join('')}${withoutTotal(more)}# EOF\n`
}

/** In OpenMetrics a counter is called without `_total`, and only its lines have it. */
const withoutTotal = (text: string): string => text.replaceAll(/^(# (?:HELP|TYPE) \w+?)_total /gm, '$1 ')

const linesOf = ({ name, help, type, samples }: Family, format: Format): string[] => {
  const isOpen = format === 'openmetrics'
  const called = isOpen && type === 'counter' ? name.replace(/_total$/, '') : name
  return [
    `# HELP ${called} ${isOpen ? escape(help) : escapeHelp(help)}`,
    `# TYPE ${called} ${type}`,
    ...samples.map((sample) => `${lineOf(name, sample)}${isOpen ? exemplarOf(sample) : ''}`),
  ]
}

const lineOf = (name: string, { suffix = '', labels, value }: Sample): string =>
  `${name}${suffix}${labels === '' ? '' : `{${labels}}`} ${numberText(value)}`

const exemplarOf = ({ exemplar }: Sample): string =>
  exemplar ? ` # {${exemplar.labels}} ${numberText(exemplar.value)} ${(exemplar.at / 1_000).toFixed(3)}` : ''

/** What is between the braces. */
export const writeLabels = (labels: Labels): string => {
  let text = ''
  for (const name in labels) text += `${text === '' ? '' : ','}${name}="${escape(labels[name] ?? '')}"`
  return text
}

const numberText = (value: number): string =>
  Math.abs(value) === Infinity ? (value > 0 ? '+Inf' : '-Inf') : `${value}`

/** The text format escapes no quotes here. */
const escapeHelp = (text: string): string => text.replaceAll('\\', String.raw`\\`).replaceAll('\n', String.raw`\n`)

const escape = (text: string): string => escapeHelp(text).replaceAll('"', String.raw`\"`)

/** A family in the text format, line by line. */
export const page = (
  name: string,
  help: string,
  type: 'counter' | 'gauge',
  series: readonly (readonly [Labels, number])[],
): string[] =>
  linesOf(
    { name, help, type, samples: series.map(([labels, value]) => ({ labels: writeLabels(labels), value })) },
    'text',
  )

/**
 * The form that a client would rather have. OpenMetrics only when it is named, in a version that we speak, and the text
 * format is not liked better.
 * @param accept the header `Accept`
 * @see https://www.rfc-editor.org/rfc/rfc9110#name-accept
 */
export const formatOf = (accept = ''): Format => {
  const ranges = accept.split(',').map(rangeOf)
  const open = ranges
    .filter(({ type, version }) => type === 'application/openmetrics-text' && [undefined, '1.0.0'].includes(version))
    .reduce((best, { quality }) => Math.max(best, quality), 0)
  return open > 0 && open >= qualityOfText(ranges) ? 'openmetrics' : 'text'
}

interface Range {
  readonly type: string
  readonly version: string | undefined
  readonly quality: number
}

const rangeOf = (text: string): Range => {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim().toLowerCase())
  const parameters = new Map(rest.map((part) => part.split('=', 2).map(bare) as [string, string | undefined]))
  const quality = Number(parameters.get('q') ?? 1)
  return { type, version: parameters.get('version'), quality: quality >= 0 && quality <= 1 ? quality : 0 }
}

const bare = (text: string): string => text.trim().replaceAll('"', '')

/** The most specific range counts. */
const qualityOfText = (ranges: readonly Range[]): number => {
  for (const wanted of ['text/plain', 'text/*', '*/*']) {
    const found = ranges.filter(({ type, version }) => type === wanted && [undefined, '0.0.4'].includes(version))
    if (found.length > 0) return Math.max(...found.map(({ quality }) => quality))
  }
  return 0
}
