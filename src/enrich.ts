/** What is done to every event before anybody sees it: fields and tags are added, names and the output are rewritten. */
import { z } from 'zod'
import { messageOf } from './errors.ts'
import { type FalcoEvent, type FieldValue, parseEvent, PRIORITIES, textOf } from './event.ts'
import { createTemplates } from './template.ts'

const name = () => z.string().min(1)

/** The setting `enrich`. What is not set changes nothing. */
export const enrichSettings = z.strictObject({
  fields: z
    .record(name(), z.string())
    .default({})
    .describe('Fields that every event gets; they replace fields of the same name.'),
  templatedFields: z
    .record(name(), messageTemplateText())
    .default({})
    .describe('Fields whose value is a Liquid template over the event, such as `{{ fields["k8s.ns.name"] }}`.'),
  tags: z.array(name()).default([]).describe('Tags that every event gets.'),
  sortTags: z.boolean().default(false).describe('Sorts the tags of every event, as Falcosidekick does. Default false.'),
  bracketReplacer: z
    .string()
    .default('')
    .describe('Written for every `[` in names of fields, and every `]` is left out: `a[0]` with `_` is `a_0`.'),
  outputFormat: z
    .string()
    .default('')
    .describe(
      'Rewrites an output that begins with time and priority: `<timestamp>`, `<priority>`, `<output>`, `<custom_fields>`, ' +
        '`<templated_fields>` and `<tags>` are replaced. Default: the output stays.',
    ),
})

function messageTemplateText() {
  return z.string().superRefine((text, context) => {
    try {
      createTemplates().compile(text)
    } catch (error) {
      context.addIssue({ code: 'custom', message: messageOf(error) })
    }
  })
}

export type EnrichSettings = z.output<typeof enrichSettings>

/** Told of a field whose template failed; the event, by its id, goes on without it. */
export type EnrichFailed = (field: string, error: unknown, event: string) => void

/** The same event when there is nothing to do. Never throws. */
export type Enrich = (event: FalcoEvent) => FalcoEvent

type Fields = Record<string, unknown>

/** Falcosidekick's own order: `12:00:00.123456789: Warning ...`, with the time Falco writes and eight full names. */
const FALCO_OUTPUT = new RegExp(String.raw`[\d:]+\.\d+: (?:${PRIORITIES.join('|')}) `, 'i')

/**
 * Makes the function that enriches events.
 *
 * Source: `newFalcoPayload` of Falcosidekick 2.x (`handlers.go`): fields, then templates, which see those fields, then names,
 * then the output.
 * @example createEnrich({ tags: ['prod'] }, log)(event).tags // [...event.tags, 'prod']
 */
export const createEnrich = (given: z.input<typeof enrichSettings>, failed: EnrichFailed): Enrich => {
  const settings = enrichSettings.parse(given)
  const { fields, tags, sortTags, bracketReplacer, outputFormat } = settings
  const templates = createTemplates()
  const compiled = Object.entries(settings.templatedFields).map(
    ([field, text]) => [field, templates.compile(text)] as const,
  )
  const constant = Object.keys(fields).length > 0

  const templated = (event: FalcoEvent): Fields =>
    Object.fromEntries(
      compiled.flatMap(([field, template]): [string, string][] => {
        try {
          return [[field, textOf(template.render({ event }, 'empty') as FieldValue | undefined)]]
        } catch (error) {
          failed(field, error, event.id)
          return []
        }
      }),
    )

  const tagsOf = (event: FalcoEvent): readonly string[] => {
    const all = tags.length > 0 ? [...event.tags, ...tags] : event.tags
    return sortTags ? all.toSorted() : all
  }

  const changes = (event: FalcoEvent): Fields => {
    const seen =
      constant && compiled.length > 0 ? changed(event, { output_fields: { ...event.fields, ...fields } }) : event
    const made = templated(seen)
    const all = tagsOf(event)
    const merged = constant || compiled.length > 0 ? { ...event.fields, ...fields, ...made } : event.fields
    const renamed = bracketReplacer ? withoutBrackets(merged, bracketReplacer) : merged
    const output = outputFormat ? rewritten(event, outputFormat, fields, made, all) : event.output
    return {
      ...(renamed !== event.fields && { output_fields: renamed }),
      ...(!sameItems(all, event.tags) && { tags: all }),
      ...(output !== event.output && { output }),
    }
  }

  return (event) => {
    const changesOf = changes(event)
    return Object.keys(changesOf).length > 0 ? changed(event, changesOf) : event
  }
}

const changed = (event: FalcoEvent, members: Fields): FalcoEvent => parseEvent({ ...event.toJSON(), ...members }, event)

const sameItems = (some: readonly string[], others: readonly string[]): boolean =>
  some === others || (some.length === others.length && some.every((one, i) => one === others[i]))

const withoutBrackets = (fields: Fields, replacer: string): Fields =>
  Object.keys(fields).some((key) => key.includes('['))
    ? Object.fromEntries(
        Object.entries(fields).map(([key, value]) => [
          key.includes('[') ? key.replaceAll(']', '').replaceAll('[', () => replacer) : key,
          value,
        ]),
      )
    : fields

const pairsText = (fields: Fields): string =>
  Object.entries(fields)
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(' ')

/** The output after its format; another text than Falco's own stays. */
const rewritten = (
  { output, priority }: FalcoEvent,
  format: string,
  fields: Fields,
  templated: Fields,
  tags: readonly string[],
): string => {
  const [time = '', , ...rest] = output.split(' ')
  if (rest.length === 0 || !FALCO_OUTPUT.test(output)) return output
  const values: Readonly<Record<string, string>> = {
    timestamp: time.replace(/:$/, ''),
    priority,
    output: rest.join(' '),
    custom_fields: pairsText(fields),
    templated_fields: pairsText(templated),
    tags: tags.join(','),
  }
  const text = format.replaceAll(/<(\w+)>/g, (whole, word: string) => values[word] ?? whole)
  return [' ', '( )', '()', ' '].reduce((left, end) => (left.endsWith(end) ? left.slice(0, -end.length) : left), text)
}
