/** A text that the user writes with values of the event in it, e.g. `messageFormat` of a chat output. */
import { z } from 'zod'
import { messageOf } from './errors.ts'
import { type FieldValue, textOf } from './event.ts'
import type { Notice } from './plugin.ts'
import { type CompiledTemplate, createTemplates } from './template.ts'

/** Two of the same text are equal; in JSON it is its text. */
export class MessageTemplate {
  readonly text: string
  readonly #compiled: CompiledTemplate

  constructor(text: string, compiled: CompiledTemplate) {
    this.text = text
    this.#compiled = compiled
  }

  /**
   * The text for the event of a notice. A value that is not there is empty.
   * @throws YarakError `failed` when Liquid cannot render it
   */
  render({ event, cluster }: Pick<Notice, 'event' | 'cluster'>): string {
    const value = this.#compiled.render({ event, ...(cluster !== undefined && { cluster }) }, 'empty')
    return textOf(value as FieldValue | undefined)
  }

  toJSON(): string {
    return this.text
  }
}

/**
 * A setting that is a Liquid template over the event: `{{ rule }}`, `{{ priority }}`, `{{ k8s.pod.name }}`,
 * `{{ fields["proc.args"] }}`.
 * @param escape makes a value safe where the text goes, so that no event can add markup; the template's own text is left as
 * it is. Default: values stay as they are
 * @example z.strictObject({ messageFormat: messageTemplate(escapeSlack).optional().describe('...') })
 */
export const messageTemplate = (escape?: (value: string) => string) => {
  const templates = createTemplates(escape)
  return z.string().transform((text, context): MessageTemplate => {
    try {
      return new MessageTemplate(text, templates.compile(text))
    } catch (error) {
      context.addIssue({ code: 'custom', message: messageOf(error) })
      return z.NEVER
    }
  })
}
