/** Parameters of other dialects, which have no Liquid. */
import { isTemplate } from '../settings.ts'

/** A parameter that is a template, in Liquid. */
export class Template {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

/** A value in which braces stand for themselves; a {@link Template} becomes its text. */
export const literal = (value: unknown): unknown => {
  if (value instanceof Template) return value.text
  if (isTemplate(value)) return value.replaceAll(/\{[{%]/g, '{% raw %}$&{% endraw %}')
  if (Array.isArray(value)) return value.map(literal)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, literal(inner)]))
}
