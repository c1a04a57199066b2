/** How far inputs are behind their sources, as they tell it. */
import type { Counters } from './counters.ts'

type Labels = Readonly<Record<string, string>>

/** Notes the lag of one part of a source, e.g. of a partition. */
export type NoteLag = (labels: Labels, value: number) => void

/** Parts of sources; what comes beyond is not shown. */
const MAX_PARTS = 10_000

/** The gauge `yarak_input_lag`. */
export const createLag = (counters: Pick<Counters, 'gauge'>): NoteLag => {
  const parts = new Map<string, readonly [Labels, number]>()
  counters.gauge('yarak_input_lag', 'What the source of an input still holds, by input and part.', () => parts.values())
  return (labels, value) => {
    const key = Object.values(labels).join('\0')
    if (parts.has(key) || parts.size < MAX_PARTS) parts.set(key, [labels, value])
  }
}
