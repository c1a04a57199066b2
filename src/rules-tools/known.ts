/** What of a step can be known before it runs: its templates rendered as far as they go. */
import { messageOf } from '../errors.ts'
import type { Scope } from '../names.ts'
import { isTemplate } from '../settings.ts'
import type { Templates } from '../template.ts'

/** Settings with their templates rendered as far as that can be known. */
export interface Rendered {
  /** A template that needs what is not known yet stands as written. */
  readonly value: unknown
  /** Nothing in it waits for a step that has not run. */
  readonly known: boolean
  /** What would fail the step: a value that the event does not have. */
  readonly faults: readonly string[]
}

/** What only a run knows. */
const LATER = /(?<![\w."'-])(?:steps\.|context[.[]|response\.(?:id|trace)\b)/

/** Whether a text asks for something that only a run knows. */
export const asksLater = (text: string): boolean => LATER.test(text)

/** @example renderKnown({ labels: { alert: '{{ rule | slug }}' } }, { event }, createTemplates()).value */
export const renderKnown = (value: unknown, scope: Scope, templates: Templates): Rendered => {
  if (isTemplate(value)) return renderLeaf(value, scope, templates)
  if (typeof value !== 'object' || value === null) return { value, known: true, faults: [] }
  const inner = Object.entries(value).map(([key, one]) => [key, renderKnown(one, scope, templates)] as const)
  const rendered = inner.map(([key, one]) => [key, one.value] as const)
  return {
    value: Array.isArray(value) ? rendered.map(([, one]) => one) : Object.fromEntries(rendered),
    known: inner.every(([, { known }]) => known),
    faults: inner.flatMap(([, { faults }]) => faults),
  }
}

const renderLeaf = (text: string, scope: Scope, templates: Templates): Rendered => {
  if (asksLater(text)) return { value: text, known: false, faults: [] }
  try {
    return { value: templates.compile(text).render(scope), known: true, faults: [] }
  } catch (error) {
    return { value: text, known: true, faults: [messageOf(error)] }
  }
}
