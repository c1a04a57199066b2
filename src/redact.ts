/** Removes secrets from events and reports before anybody is told of them. */
import { RE2JS } from 're2js'
import { z } from 'zod'
import type { Report, StepReport } from './action.ts'
import { type FalcoEvent, type FieldValue, parseEvent, textOf } from './event.ts'
import { type Preset, PRESETS } from './redact-presets.ts'

/** Longer ones may take seconds to compile. */
const MAX_LENGTH = 2_000

/** Shorter values of a field are not looked for in texts: they may stand there for anything. */
const MIN_VALUE = 4

const compile = (pattern: string): RE2JS => {
  if (pattern.length > MAX_LENGTH) throw new Error(`a regular expression is at most ${MAX_LENGTH} characters`)
  return RE2JS.compile(pattern)
}

/** What is wrong with an expression, undefined when nothing is. */
const problemOf = (pattern: string): string | undefined => {
  try {
    return compile(pattern).matcher('').find() ? 'must not match an empty text' : undefined
  } catch (error) {
    return `is not an expression of RE2: ${(error as Error).message}`
  }
}

const pattern = () =>
  z.string().superRefine((text, context) => {
    const message = problemOf(text)
    if (message) context.addIssue({ code: 'custom', message })
  })

const PRESET_NAMES = Object.keys(PRESETS) as [keyof typeof PRESETS]

/** What is redacted. Default nothing. */
export const redactSettings = z
  .strictObject({
    fields: z
      .array(z.string().min(1))
      .default([])
      .describe(
        'Names of fields that are redacted whole, and of members inside of them; `*` is any text; in any case. Where the ' +
          'value of one, of 4 characters or more, also stands in the text of the event, it is redacted there. Default none.',
      ),
    patterns: z
      .array(pattern())
      .default([])
      .describe('Regular expressions of RE2: what they match is redacted, wherever it stands. Default none.'),
    presets: z
      .array(z.enum(PRESET_NAMES))
      .default([])
      .describe(
        '`tokens`: of AWS, GitHub, Google, Slack, JWT, `Authorization` headers, private keys; `passwords`: on command ' +
          'lines, in variables and addresses; `emails`. Default none.',
      ),
    replacement: z
      .string()
      .regex(/^[^\s"'\\]+$/, 'must be a word without quotes')
      .default('[redacted]')
      .describe('What stands there instead. Default [redacted].'),
  })
  .superRefine(({ patterns, replacement }, context) => {
    for (const [i, one] of patterns.entries()) {
      if (problemOf(one) !== undefined || !compile(one).matcher(replacement).find()) continue
      context.addIssue({ code: 'custom', path: ['patterns', i], message: 'must not match the replacement' })
    }
  })

export type RedactSettings = z.output<typeof redactSettings>

/** Takes secrets out. Called with an event it gives that very event when there is nothing to take out. */
export interface Redact {
  (event: FalcoEvent): FalcoEvent
  /** @param event what the report is about, as it came: the values of its redacted fields are looked for, too */
  report(report: Report, event?: FalcoEvent): Report
  /** By patterns and presets. */
  text(text: string): string
}

/**
 * Redacts output, fields, tags and members that are not Falco's, names inside of them included; rule, priority, time,
 * source, hostname and uuid stay. Pure; twice is as once; each match is found in time linear in the size of the text.
 * @example
 * const redact = createRedact(redactSettings.parse({ fields: ['proc.cmdline'], presets: ['tokens'] }))
 * redact(event).output // 'A shell was spawned (command=[redacted])'
 */
export const createRedact = (settings: RedactSettings): Redact => {
  const text = textRedactor(settings)
  const named = namesOf(settings.fields)
  const isIdle = settings.fields.length + settings.patterns.length + settings.presets.length === 0
  const about = { named, text, replacement: settings.replacement }
  return Object.assign((event: FalcoEvent) => (isIdle ? event : redactEvent(event, about)), {
    text,
    report: (report: Report, event?: FalcoEvent) => (isIdle ? report : redactReport(report, event, about)),
  })
}

interface About {
  readonly named: (name: string) => boolean
  readonly text: (text: string) => string
  readonly replacement: string
}

type Replace = (text: string) => string

const textRedactor = ({ patterns, presets, replacement }: RedactSettings): Replace => {
  const ofPresets = presets.flatMap((name) => PRESETS[name].map((one) => presetReplacer(one, replacement)))
  const all = [...ofPresets, ...patterns.map((one) => replacer(one, () => replacement))]
  const once: Replace = (text) => all.reduce((rest, replace) => replace(rest), text)
  return (text) => settled(text, once)
}

/** Times that a text is read, at most: what stands where a secret was can make another of what is beside it. */
const PASSES = 5

const settled = (text: string, replace: Replace): string => {
  let [before, after] = [text, replace(text)]
  for (let pass = 1; after !== before && pass < PASSES; pass++) [before, after] = [after, replace(after)]
  return after
}

const presetReplacer = ({ hint, patterns }: Preset, replacement: string): Replace => {
  const all = patterns.map((one) => replacer(one, ([before = '', after = '']) => `${before}${replacement}${after}`))
  return (text) => (hint.test(text) ? all.reduce((rest, replace) => replace(rest), text) : text)
}

const replacer = (pattern: string, put: (groups: readonly (string | undefined)[]) => string): Replace => {
  const expression = compile(pattern)
  const count = expression.groupCount()
  return (text) => expression.matcher(text).replaceAll((_whole, ...groups: string[]) => put(groups.slice(0, count)))
}

const namesOf = (fields: readonly string[]): ((name: string) => boolean) => {
  if (fields.length === 0) return () => false
  const each = fields.map((name) => name.split('*').map(RE2JS.quote).join('.*'))
  const expression = RE2JS.compile(`(?is)(?:${each.join('|')})`)
  return (name) => expression.testExact(name)
}

// ── values ──────────────────────────────────────────────────────────────────────────────────────────────────────────

type Fields = Readonly<Record<string, FieldValue>>

/** The same value when nothing in it is redacted. */
const redactValue = (value: FieldValue, about: About): FieldValue => {
  if (value === null || typeof value === 'boolean') return value
  if (isList(value)) return redactList(value, about)
  if (typeof value === 'object') return redactFields(value, about)
  const text = String(value)
  const redacted = about.text(text)
  return redacted === text ? value : redacted
}

const isList = (value: FieldValue): value is readonly FieldValue[] => Array.isArray(value)

const redactList = <T extends FieldValue>(list: readonly T[], about: About): readonly T[] => {
  const redacted = list.map((one) => redactValue(one, about))
  return redacted.some((one, i) => one !== list[i]) ? (redacted as unknown as readonly T[]) : list
}

const redactFields = (fields: Fields, about: About): Fields => {
  const members = Object.entries(fields)
  const redacted = members.map(([name, value]): [string, FieldValue] => [
    about.text(name),
    value !== null && about.named(name) ? about.replacement : redactValue(value, about),
  ])
  const isSame = redacted.every(([name, value], i) => name === members[i]?.[0] && value === members[i][1])
  return isSame ? fields : Object.fromEntries(redacted)
}

/** Texts of the values of all members that are redacted by name, the longest first. */
const secretsIn = (value: FieldValue, { named, replacement }: About): string[] => {
  const found = new Set<string>()
  const take = (inner: FieldValue): void => {
    if (typeof inner !== 'boolean') found.add(textOf(inner))
    if (typeof inner === 'object' && inner !== null) Object.values(inner).forEach(take)
  }
  const look = (inner: FieldValue): void => {
    if (typeof inner !== 'object' || inner === null) return
    if (Array.isArray(inner)) return inner.forEach(look)
    for (const [name, one] of Object.entries(inner)) (named(name) ? take : look)(one)
  }
  look(value)
  return [...found]
    .filter((text) => text.length >= MIN_VALUE && !replacement.includes(text))
    .sort((one, other) => other.length - one.length)
}

/** First the values, as a pattern may match a part of one. */
const redactText = (text: string, secrets: readonly string[], about: About): string =>
  about.text(secrets.reduce((rest, secret) => rest.replaceAll(secret, () => about.replacement), text))

// ── events and reports ──────────────────────────────────────────────────────────────────────────────────────────────

const secretsOf = ({ fields, extra }: FalcoEvent, about: About): string[] => secretsIn([fields, extra], about)

const redactEvent = (event: FalcoEvent, about: About): FalcoEvent => {
  const { output, fields, tags, extra } = event
  const { message } = event.toJSON()
  const secrets = secretsOf(event, about)
  const before = { output, message, output_fields: fields, tags, extra }
  const after = {
    output: redactText(output, secrets, about),
    message: typeof message === 'string' ? redactText(message, secrets, about) : message,
    output_fields: redactFields(fields, about),
    tags: redactList(tags, about),
    extra: redactFields(extra, about),
  }
  if (Object.entries(after).every(([name, value]) => value === before[name as keyof typeof before])) return event
  const { uuid, priority, rule, time, source, hostname } = event
  const { extra: others, ...members } = after
  return parseEvent({ ...others, uuid, priority, rule, time, source, hostname, ...members }, event)
}

const redactReport = (report: Report, event: FalcoEvent | undefined, about: About): Report => {
  const secrets = event ? secretsOf(event, about) : []
  const clean = (text: string): string => redactText(text, secrets, about)
  const steps = report.steps.map((step) => redactStep(step, clean))
  return steps.some((step, i) => step !== report.steps[i]) ? { ...report, steps } : report
}

const redactStep = (step: StepReport, clean: (text: string) => string): StepReport => {
  const { summary, output, error, objects } = step
  const redacted = {
    ...step,
    summary: clean(summary),
    ...(output !== undefined && { output: clean(output) }),
    ...(error && { error: { ...error, reason: clean(error.reason), message: clean(error.message) } }),
    ...(objects && { objects: Object.fromEntries(Object.entries(objects).map(([name, one]) => [name, clean(one)])) }),
  }
  return JSON.stringify(redacted) === JSON.stringify(step) ? step : redacted
}
