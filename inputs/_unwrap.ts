/** Takes Falco's alert out of what log shippers and brokers wrap around it. Pure. */
import { PRIORITIES } from '../src/plugin.ts'

/**
 * Where the alert is. `log`: Fluent Bit, Docker. `message`: Vector, Filebeat, Logstash. `data`: CloudEvents.
 * `auto`: any of them, or nothing around it. `none`: the text is taken as it is.
 */
export type UnwrapMode = 'auto' | 'log' | 'message' | 'data' | 'none'

/** `text`: the alert as it was written, every digit kept. `skipped`: something else that Falco or its log says. */
export type UnwrapResult = { readonly text: string } | { readonly skipped: 'not-an-alert' }

/** Wrappings around one alert: a shipper, the runtime's line, and a text that holds JSON. */
const LEVELS = 4

const SKIPPED: UnwrapResult = { skipped: 'not-an-alert' }

/**
 * What is no JSON, or broken, is given back as it is when it should be looked at: a line of Falco's text output (which
 * lacks `json_output: true`), an object that claims to be an alert. Any other plain text is taken for a log line.
 * @example
 * unwrap('{"log":"{\\"rule\\":\\"x\\",\\"priority\\":\\"Error\\"}\\n"}', 'auto') // { text: '{"rule":"x","priority":"Error"}' }
 * unwrap('{"message":"Falco initialized"}', 'auto') // { skipped: 'not-an-alert' }
 */
export const unwrap = (text: string, mode: UnwrapMode): UnwrapResult => {
  if (mode === 'none' || BARE.test(text)) return { text }
  return open(text, mode === 'auto' ? WRAPPERS : [mode], LEVELS, false)
}

const WRAPPERS = ['log', 'message', 'data'] as const

/**
 * The cheap check that nearly every alert passes: it begins as Falco and Falcosidekick begin one, which no shipper does.
 */
const BARE = /^\{(?:"hostname":"[^"\\]*",)?"(?:output|output_fields|priority|rule|uuid)":/

const open = (given: string, names: readonly string[], levels: number, wrapped: boolean): UnwrapResult => {
  const text = given.trim()
  if (text.startsWith('"') && levels > 0) return open(textIn(text) ?? '', names, levels - 1, true)
  if (!text.startsWith('{')) return isOther(text) ? SKIPPED : { text }
  const members = membersOf(text)
  if (!members) return { text }
  if (members.has('rule') && members.has('priority')) return { text }
  for (const value of levels > 0 ? names.flatMap((name) => members.get(name) ?? []) : []) {
    const found: UnwrapResult = /^["{]/.test(value) ? open(value, names, levels - 1, true) : SKIPPED
    if (found !== SKIPPED) return found
  }
  return CLAIMS.some((name) => members.has(name)) || !(wrapped || isLog(members)) ? { text } : SKIPPED
}

/** What only an alert has: without the rest of one it is a broken alert, not a line of a log. */
const CLAIMS = ['rule', 'priority', 'output_fields']

const isLog = (members: ReadonlyMap<string, string>): boolean =>
  [...WRAPPERS, 'msg'].some((name) => /^["{]/.test(members.get(name) ?? ''))

/** Neither JSON nor an alert as text. */
const isOther = (text: string): boolean => !text.startsWith('[') && !TEXT_ALERT.test(text)

/** A line of Falco's own log: `2026-01-31T12:00:00+0000: ` or `Sat Jan 31 12:00:00 2026: `, and what it says. */
export const isLogLine = (text: string): boolean => LOG_LINE.test(text) && !TEXT_ALERT.test(text)

const LOG_LINE = /^(?:\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d{4})|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4}): /

/** How Falco starts an alert as text, in both of its time formats. */
const TEXT_ALERT = new RegExp(
  String.raw`^(?:\d{2}:\d{2}:\d{2}\.\d{1,9}|\d{4}-\d{2}-\d{2}T[\d:.]+(?:Z|[+-]\d{2}:?\d{2})): (?:${PRIORITIES.join('|')}|Info) `,
  'i',
)

const textIn = (json: string): string | undefined => {
  try {
    const value: unknown = JSON.parse(json)
    return typeof value === 'string' ? value : undefined
  } catch {
    return undefined
  }
}

/** The members of an object as their texts, each to be cut out without a change; undefined when it is no object. */
const membersOf = (text: string): ReadonlyMap<string, string> | undefined => {
  const members = new Map<string, string>()
  for (let at = afterSpace(text, 1); text[at] === '"'; at = afterSpace(text, at + 1)) {
    const nameEnd = endOfString(text, at)
    const colon = afterSpace(text, nameEnd)
    if (text[colon] !== ':') return undefined
    const start = afterSpace(text, colon + 1)
    const end = endOfValue(text, start)
    if (end === undefined) return undefined
    members.set(text.slice(at + 1, nameEnd - 1), text.slice(start, end))
    at = afterSpace(text, end)
    if (text[at] === '}') return members
    if (text[at] !== ',') return undefined
  }
  return undefined
}

const afterSpace = (text: string, from: number): number => {
  let at = from
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\t' || text[at] === '\r') at++
  return at
}

/** Behind the closing quote of the string that opens at `from`; beyond the text when there is none. */
const endOfString = (text: string, from: number): number => {
  let quote = from
  do quote = text.indexOf('"', quote + 1)
  while (quote > 0 && isEscaped(text, quote))
  return quote < 0 ? text.length + 1 : quote + 1
}

const isEscaped = (text: string, quote: number): boolean => {
  let at = quote
  while (text[at - 1] === '\\') at--
  return (quote - at) % 2 === 1
}

const BRACKETS = /["{}[\]]/g
const SCALAR = /[^\s,{}[\]"]+/y

const endOfValue = (text: string, from: number): number | undefined => {
  if (text[from] === '"') return within(text, endOfString(text, from))
  if (text[from] === '{' || text[from] === '[') return endOfNested(text, from)
  const scalar = new RegExp(SCALAR)
  scalar.lastIndex = from
  return scalar.test(text) ? scalar.lastIndex : undefined
}

const within = (text: string, end: number): number | undefined => (end > text.length ? undefined : end)

const endOfNested = (text: string, from: number): number | undefined => {
  const brackets = new RegExp(BRACKETS)
  brackets.lastIndex = from
  let depth = 0
  for (let found = brackets.exec(text); found; found = brackets.exec(text)) {
    if (found[0] === '"') brackets.lastIndex = endOfString(text, found.index)
    else depth += found[0] === '{' || found[0] === '[' ? 1 : -1
    if (depth === 0) return brackets.lastIndex
  }
  return undefined
}
