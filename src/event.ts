/** The Falco event: parsed once, frozen. The only place that knows Falco's JSON. */
import { YarakError } from './errors.ts'
import { toJson } from './json.ts'

export { toJson } from './json.ts'

/** Severities as Falco spells them, most severe first. */
export const PRIORITIES = [
  'Emergency',
  'Alert',
  'Critical',
  'Error',
  'Warning',
  'Notice',
  'Informational',
  'Debug',
] as const

export type Priority = (typeof PRIORITIES)[number]

/** 7 for Emergency down to 0 for Debug: greater is more severe. */
export const severity = (priority: Priority): number => PRIORITIES.length - 1 - PRIORITIES.indexOf(priority)

const SPELLINGS: ReadonlyMap<string, Priority> = new Map([
  ...PRIORITIES.map((name) => [name.toLowerCase(), name] as const),
  ['info', 'Informational'],
  ['information', 'Informational'],
  ['warn', 'Warning'],
  ['err', 'Error'],
  ['crit', 'Critical'],
  ['emerg', 'Emergency'],
])

/** The priority that a text names, in any spelling Falco or its companions emit; undefined when it names none. */
export const parsePriority = (text: string): Priority | undefined => SPELLINGS.get(text.toLowerCase())

/** What a field can hold. Integers beyond 2^53 are bigints, so that no digit is lost. */
export type FieldValue =
  string | number | bigint | boolean | null | readonly FieldValue[] | { readonly [name: string]: FieldValue }

/** A Falco alert. Frozen; shared by every rule, action and output. */
export interface FalcoEvent {
  /** Given by the gateway: stable for replayable inputs, else a UUIDv7. */
  readonly id: string
  /** The sender's, as Falcosidekick writes it. */
  readonly uuid?: string
  readonly rule: string
  readonly priority: Priority
  /** RFC 3339 with every digit the sender gave. */
  readonly time: string
  readonly output: string
  /** `syscall` when the sender names none. */
  readonly source: string
  readonly hostname?: string
  readonly tags: readonly string[]
  /** `output_fields`, with exact integers. */
  readonly fields: Readonly<Record<string, FieldValue>>
  /** Members that are not Falco's, kept as they came. */
  readonly extra: Readonly<Record<string, FieldValue>>
  /** Which input it came by. */
  readonly input: string
  /** How the sender proved who it is; absent: not at all. */
  readonly authenticated?: string
  /** The cluster that its input, or its topic, is set to be of. */
  readonly cluster?: string
  /** Several clusters send by its input. */
  readonly shared?: true
  /** One field, with exact integers; undefined when absent. */
  field(name: string): FieldValue | undefined
  /** The event as Falco's JSON, members in Falcosidekick's order, every digit kept. */
  toJSON(): Record<string, unknown>
}

/** What {@link parseEvent} cannot read from the text. */
export interface EventOrigin {
  readonly id: string
  readonly input: string
  readonly authenticated?: string | undefined
  readonly cluster?: string | undefined
  readonly shared?: boolean | undefined
}

/**
 * Reads one Falco alert.
 * @param raw JSON text, its bytes, or a parsed object (whose numbers are taken as they are, bigints too)
 * @throws YarakError `invalid`, naming the member that is wrong; also beyond 100 levels of nesting, or 1,000 digits
 */
export const parseEvent = (raw: unknown, origin: EventOrigin): FalcoEvent => {
  const text = typeof raw === 'string' ? raw : raw instanceof Uint8Array ? DECODER.decode(raw) : undefined
  const data = text === undefined ? fromHost(raw) : parseJson(text)
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    throw invalid(`an event is a JSON object, not ${kindOf(data)}`)
  }
  return new ParsedEvent(data as Members, text, origin)
}

/** A host's object is its own, and may be anything: what we freeze is a copy. */
const fromHost = (raw: unknown): unknown => {
  if (typeof raw !== 'object' || raw === null) return raw
  try {
    return copied(raw, '', 0)
  } catch (cause) {
    if (cause instanceof YarakError) throw cause
    throw new YarakError('invalid', 'the members of the event cannot be read', { cause, permanent: true })
  }
}

/** What JSON would make of a value, but with its bigints; members that are undefined are left out. */
const copied = (value: unknown, name: string, depth: number): unknown => {
  if (typeof value !== 'object') {
    if (!SCALARS.has(typeof value) || (typeof value === 'number' && !Number.isFinite(value))) throw notJson(value, name)
    return value
  }
  if (value === null) return value
  if (depth > MAX_DEPTH) throw tooDeep()
  if (Array.isArray(value)) return Array.from(value, (inner, i) => copied(inner, `${name}[${i}]`, depth + 1))
  const { toJSON } = value as { toJSON?: unknown }
  if (typeof toJSON === 'function') return copied(toJSON.call(value), name, depth + 1)
  if (Object.prototype.toString.call(value) !== '[object Object]') throw notJson(value, name)
  const members = Object.entries(value).filter(([, inner]) => inner !== undefined)
  return Object.fromEntries(
    members.map(([key, inner]) => [key, copied(inner, name ? `${name}.${key}` : key, depth + 1)]),
  )
}

const SCALARS: ReadonlySet<string> = new Set(['string', 'number', 'boolean', 'bigint'])

const notJson = (value: unknown, name: string): YarakError => {
  const kind = typeof value === 'number' ? String(value) : Object.prototype.toString.call(value).slice(8, -1)
  return invalid(`${name || 'the event'} must be a JSON value, not ${kind}`)
}

/** Levels of nesting; an object of the Kubernetes audit log has about 20. */
const MAX_DEPTH = 100

const tooDeep = (): YarakError => invalid('the event is nested too deeply')

const kindOf = (value: unknown): string => {
  if (value === null || value === undefined) return String(value)
  return Array.isArray(value) ? 'an array' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

type Members = Record<string, FieldValue | undefined>

const DECODER = new TextDecoder()

const invalid = (message: string): YarakError => new YarakError('invalid', message, { permanent: true })

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    if (FALCO_LINE.test(text)) {
      throw invalid('this is a text line of Falco, not JSON: set json_output: true in falco.yaml')
    }
    throw new YarakError('invalid', 'the event is not valid JSON', { cause, permanent: true })
  }
}

/** How Falco starts a line of text output, in both of its time formats. */
const FALCO_LINE = new RegExp(
  String.raw`^\s*(?:\d{2}:\d{2}:\d{2}\.\d{1,9}|\d{4}-\d{2}-\d{2}T[\d:.]+(?:Z|[+-]\d{2}:?\d{2})): (?:${PRIORITIES.join('|')}|Info) `,
  'i',
)

/** JSON.parse that keeps integers beyond 2^53 as bigints, from the digits in the text. */
const parseExact = (text: string): unknown =>
  JSON.parse(text, ((_key: string, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' && isUnsafe(value) && context?.source ? exactNumber(value, context.source) : value) as (
    key: string,
    value: unknown,
  ) => unknown) as unknown

/** Digits of an integer; reading a bigint of millions would hold up everything else. */
const MAX_DIGITS = 1_000

const exactNumber = (value: number, source: string): number | bigint => {
  const isInteger = /^-?\d+$/.test(source)
  if (isInteger ? source.length > MAX_DIGITS : !Number.isFinite(value)) {
    throw invalid(`the number ${source.slice(0, 20)}${source.length > 20 ? '...' : ''} is too large`)
  }
  return isInteger ? BigInt(source) : value
}

const isUnsafe = (value: number): boolean =>
  !Number.isSafeInteger(value) && (Number.isInteger(value) || !Number.isFinite(value))

const hasUnsafe = (value: unknown): boolean =>
  typeof value === 'number'
    ? isUnsafe(value)
    : typeof value === 'object' && value !== null && Object.values(value).some(hasUnsafe)

const FALCO_MEMBERS = new Set([
  'uuid',
  'output',
  'message',
  'priority',
  'rule',
  'time',
  'output_fields',
  'source',
  'tags',
  'hostname',
])

class ParsedEvent implements FalcoEvent {
  readonly id: string
  readonly input: string
  declare readonly authenticated?: string
  declare readonly cluster?: string
  declare readonly shared?: true
  declare readonly uuid?: string
  declare readonly hostname?: string
  readonly rule: string
  readonly priority: Priority
  readonly time: string
  readonly output: string
  readonly source: string
  readonly tags: readonly string[]
  readonly #plain: Members
  readonly #text: string | undefined
  #exact: Members | undefined

  constructor(data: Members, text: string | undefined, origin: EventOrigin) {
    this.id = origin.id
    this.input = origin.input
    if (origin.authenticated !== undefined) this.authenticated = origin.authenticated
    if (origin.cluster !== undefined) this.cluster = origin.cluster
    if (origin.shared) this.shared = true
    this.rule = requiredText(data, 'rule')
    this.priority = priorityOf(data)
    this.time = timeOf(data)
    this.source = optionalText(data, 'source') || 'syscall'
    this.tags = tagsOf(data)
    const hostname = optionalText(data, 'hostname')
    if (hostname) this.hostname = hostname
    const uuid = optionalText(data, 'uuid')
    if (uuid) this.uuid = uuid
    const fields = data.output_fields ?? NOTHING
    if (typeof fields !== 'object' || Array.isArray(fields)) throw invalid(`output_fields must be an object`)
    Object.freeze(this.tags)
    this.#plain = data
    this.#text = text
    if (isBeyondDoubles(data)) this.#members()
    this.output = optionalText(data, 'output') || optionalText(data, 'message') || composed(this.rule, this.fields)
    Object.freeze(this)
  }

  get fields(): Readonly<Record<string, FieldValue>> {
    return (this.#members().output_fields ?? NOTHING) as Readonly<Record<string, FieldValue>>
  }

  get extra(): Readonly<Record<string, FieldValue>> {
    const known = Object.entries(this.#members()).filter(([name]) => !FALCO_MEMBERS.has(name))
    return Object.freeze(Object.fromEntries(known)) as Readonly<Record<string, FieldValue>>
  }

  field(name: string): FieldValue | undefined {
    const fields = this.#plain.output_fields as Members | null | undefined
    if (fields == null || !Object.hasOwn(fields, name)) return undefined
    const value = fields[name]
    const asItIs = typeof value === 'object' ? value === null : typeof value !== 'number' || !isUnsafe(value)
    return asItIs ? value : this.fields[name]
  }

  toJSON(): Record<string, unknown> {
    return {
      ...(this.uuid && { uuid: this.uuid }),
      output: this.output,
      ...(this.#plain.message && { message: this.#plain.message }),
      priority: this.priority,
      rule: this.rule,
      time: this.time,
      output_fields: this.fields,
      source: this.source,
      ...(this.tags.length > 0 && { tags: this.tags }),
      ...(this.hostname && { hostname: this.hostname }),
      ...this.extra,
    }
  }

  /**
   * The exact members, parsed a second time only when an integer lost digits the first time. They are frozen when they
   * are first shown: of most events nobody sees more than a few texts.
   */
  #members(): Members {
    if (this.#exact) return this.#exact
    const exact = this.#text !== undefined && hasUnsafe(this.#plain) ? parseExact(this.#text) : this.#plain
    deepFreeze(exact)
    return (this.#exact = exact as Members)
  }
}

const NOTHING: Members = Object.freeze({})
const NO_TAGS: readonly string[] = Object.freeze([])

const requiredText = (data: Members, name: string): string => {
  const text = optionalText(data, name)
  if (!text) throw invalid(`${name} is ${data[name] == null ? 'missing' : 'empty'}`)
  return text
}

const optionalText = (data: Members, name: string): string => {
  const value = data[name]
  if (value === undefined || value === null) return ''
  if (typeof value !== 'string') throw invalid(`${name} must be a string, not ${kindOf(value)}`)
  return value
}

const priorityOf = (data: Members): Priority => {
  const text = requiredText(data, 'priority')
  const priority = parsePriority(text)
  if (!priority) throw invalid(`priority ${JSON.stringify(text.slice(0, 40))} is not one of ${PRIORITIES.join(', ')}`)
  return priority
}

/** RFC 3339. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,18})?(?:Z|[+-]\d\d:\d\d)$/

/** The same in lower case, with a space, or with an offset without a colon, as strftime writes it. */
const LOOSE_TIME = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2}(?:\.\d{1,18})?)(Z|[+-]\d{2}:?\d{2})$/i

const tidied = (text: string): string | undefined => {
  const [, date, clock, offset = ''] = LOOSE_TIME.exec(text) ?? []
  const zone = offset.length === 5 ? `${offset.slice(0, 3)}:${offset.slice(3)}` : offset.toUpperCase()
  return zone && `${date}T${clock}${zone}`
}

const timeOf = (data: Members): string => {
  const text = requiredText(data, 'time')
  const time = TIME.test(text) ? text : tidied(text)
  if (!time || !isOnTheCalendar(time)) {
    throw invalid(`time ${JSON.stringify(text.slice(0, 40))} is not RFC 3339, e.g. 2026-01-31T12:00:00.123456789Z`)
  }
  return time
}

/** Date.parse alone takes the 30th of February for the 2nd of March, and takes longer. */
const isOnTheCalendar = (time: string): boolean =>
  isDay(twoDigits(time, 0) * 100 + twoDigits(time, 2), twoDigits(time, 5), twoDigits(time, 8)) &&
  twoDigits(time, 14) < 60 &&
  twoDigits(time, 17) < 60 &&
  (twoDigits(time, 11) < 24 || MIDNIGHT.test(time)) &&
  (time.endsWith('Z') || (twoDigits(time, time.length - 5) < 24 && twoDigits(time, time.length - 2) < 60))

/** The end of a day. */
const MIDNIGHT = /T24:00:00(?!\.\d*[1-9])/

const isDay = (year: number, month: number, day: number): boolean =>
  day >= 1 && day <= (month === 2 && !isLeap(year) ? 28 : (DAYS[month] ?? 0))

const DAYS = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

const isLeap = (year: number): boolean => (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0

const twoDigits = (text: string, at: number): number => (text.charCodeAt(at) - 48) * 10 + text.charCodeAt(at + 1) - 48

const tagsOf = (data: Members): readonly string[] => {
  const tags = data.tags ?? NO_TAGS
  if (!Array.isArray(tags)) throw invalid(`tags must be an array of strings`)
  const wrong = tags.findIndex((tag) => typeof tag !== 'string')
  if (wrong >= 0) throw invalid(`tags[${wrong}] must be a string`)
  return tags as readonly string[]
}

/** What Falco would have said with `json_include_output_property`: the rule, and the fields that have a value. */
const composed = (rule: string, fields: Members): string => {
  const parts = Object.entries(fields).flatMap(([name, value]) => (value === null ? [] : [`${name}=${textOf(value)}`]))
  return parts.length > 0 ? `${rule} (${parts.join(' ')})` : rule
}

/** A field as text, for messages: strings as they are, the rest as JSON. */
export const textOf = (value: FieldValue | undefined): string =>
  typeof value === 'string'
    ? value
    : value === undefined || value === null
      ? ''
      : typeof value === 'object'
        ? toJson(value)
        : String(value)

/** Whether it holds a number that no double can hold; of all events, so without a list of the members of each object. */
const isBeyondDoubles = (value: unknown, depth = 0): boolean => {
  if (typeof value !== 'object' || value === null) return value === Infinity || value === -Infinity
  if (depth > MAX_DEPTH) throw tooDeep()
  let found = false
  if (Array.isArray(value)) for (const inner of value) found = isBeyondDoubles(inner, depth + 1) || found
  else for (const name in value) found = isBeyondDoubles((value as Members)[name], depth + 1) || found
  return found
}

const deepFreeze = (value: unknown): void => {
  if (typeof value !== 'object' || value === null) return
  Object.freeze(value)
  for (const inner of Object.values(value)) deepFreeze(inner)
}
