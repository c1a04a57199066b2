/** What a claim tells of a response, so that another process can go on with it. Pure. */
import { z } from 'zod'
import { YarakError } from './errors.ts'
import type { Begun } from './past.ts'
import type { Report, StepReport } from './plugin.ts'

export interface Facts {
  /** The span of the response. */
  readonly traceparent?: string | undefined
  /** By step: those that were about to change something. */
  readonly begun: Readonly<Record<string, Begun>>
  /** By step. */
  readonly ended: Readonly<Record<string, StepReport>>
  /** The response ended. */
  readonly report?: Report | undefined
}

export const NO_FACTS: Facts = { begun: {}, ended: {} }

/** Characters of what is only for people, and of what later steps may use. */
const TEXT = 1_000
const VALUE = 8_192

/** Bytes of all facts; annotations may take 256 KiB. */
const WHOLE = 200 * 1024

const short = (text: string): string => (text.length > TEXT ? `${text.slice(0, TEXT)}…` : text)

/** A value that is too long, or was redacted, is left out: a later step that needs it fails rather than use a part. */
const kept = <K extends keyof StepReport>(key: K, clean: StepReport, step: StepReport): Partial<StepReport> => {
  const text = JSON.stringify(clean[key] ?? null)
  return clean[key] !== undefined && text.length <= VALUE && text === JSON.stringify(step[key])
    ? { [key]: clean[key] }
    : {}
}

/**
 * A step's report as it is told to others.
 * @param clean the same, with what is secret redacted
 */
export const stepFact = (step: StepReport, clean: StepReport): StepReport => {
  const { objects: _objects, output: _output, artifacts: _artifacts, ...rest } = clean
  return {
    ...rest,
    summary: short(clean.summary),
    ...(clean.error && { error: { ...clean.error, message: short(clean.error.message) } }),
    ...kept('objects', clean, step),
    ...kept('output', clean, step),
    ...kept('artifacts', clean, step),
  }
}

type Shape = (step: StepReport) => StepReport

const whole: Shape = (step) => step
const bare: Shape = ({ objects: _objects, output: _output, artifacts: _artifacts, ...step }) => step
const mute: Shape = (step) => ({
  ...bare(step),
  summary: '',
  ...(step.error && { error: { ...step.error, message: '' } }),
})

/** The facts as text. Of many long ones, what later steps may use is left out, and then what is only for people. */
export const factsText = (facts: Facts): string => {
  let text = ''
  for (const shape of [whole, bare, mute]) {
    text = JSON.stringify(shaped(facts, shape))
    if (Buffer.byteLength(text) <= WHOLE) break
  }
  return text
}

const shaped = ({ report, ended, ...facts }: Facts, shape: Shape): Facts => ({
  ...facts,
  ended: Object.fromEntries(Object.entries(ended).map(([id, step]) => [id, shape(step)])),
  ...(report && { report: { ...report, steps: report.steps.map(shape) } }),
})

const step = z.looseObject({ id: z.string(), action: z.string(), outcome: z.string(), summary: z.string() })

const shape = z.object({
  traceparent: z.string().optional(),
  begun: z.record(z.string(), z.looseObject({})),
  ended: z.record(z.string(), step),
  report: z.looseObject({ id: z.string(), outcome: z.string(), steps: z.array(step) }).optional(),
})

/** @throws YarakError `failed` for a text that {@link factsText} did not write: what was done is not known then */
export const readFacts = (text: string): Facts => {
  try {
    return shape.parse(JSON.parse(text)) as unknown as Facts
  } catch (cause) {
    throw new YarakError('failed', 'the facts of a claim cannot be read', { cause, permanent: true })
  }
}
