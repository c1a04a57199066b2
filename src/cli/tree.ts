/** Traces on a terminal. */
import pc from 'picocolors'
import { drawTrace, type Paint, PLAIN, type SpanRecord } from '../trace-tree.ts'
import type { Terminal } from './terminal.ts'

export const paintOf = ({ colours }: Pick<Terminal, 'colours'>): Paint => {
  if (!colours.out) return PLAIN
  const { green, red, dim, bold } = pc.createColors(true)
  return { ok: green, bad: red, dim, bold }
}

/** A trace as a tree, as wide as the terminal at most. */
export const treeText = (spans: readonly SpanRecord[], terminal: Pick<Terminal, 'colours' | 'columns'>): string =>
  `${drawTrace(spans, paintOf(terminal), terminal.columns?.())}\n`
