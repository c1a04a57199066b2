/** Compares two ways of doing the same, one after the other in turn, so that a noisy machine harms both alike. */

/** One way: gives a rate, greater is better, in the unit of its row. */
export type Measure = () => Promise<number>

export interface Row {
  readonly name: string
  /** What the ratio is: ours over the anchor. */
  readonly what: string
  /** Of the rates, e.g. `events/s`. */
  readonly unit: string
  /** The least ratio we want. */
  readonly goal: number
  /** Why it cannot run here; undefined: it can. */
  missing?(): string | undefined
  /** Starts what both need. */
  open(): Promise<Opened>
}

export interface Opened {
  readonly ours: Measure
  readonly anchor: Measure
  close(): Promise<void>
}

export interface Result {
  readonly name: string
  readonly what: string
  readonly unit: string
  readonly goal: number
  readonly ours: number
  readonly anchor: number
  /** Median, least and greatest of the rounds. */
  readonly ratio: readonly [number, number, number]
}

/** Rounds are measured anchor, ours, anchor, ours, ...; the first of each warms up and does not count. */
export const compare = async (row: Row, rounds: number, told: (line: string) => void): Promise<Result> => {
  const { ours, anchor, close } = await row.open()
  try {
    const rates: [number, number][] = []
    for (let round = 0; round <= rounds; round++) {
      const pair: [number, number] = [await anchor(), await ours()]
      told(
        `${row.name} ${round === 0 ? 'warm-up' : `${round}/${rounds}`}: ${pair.map(short).join(' and ')} ${row.unit}`,
      )
      if (round > 0) rates.push(pair)
    }
    const ratios = rates.map(([theirs, own]) => own / theirs).toSorted((a, b) => a - b)
    const { name, what, unit, goal } = row
    return {
      name,
      what,
      unit,
      goal,
      anchor: median(rates.map(([rate]) => rate)),
      ours: median(rates.map(([, rate]) => rate)),
      ratio: [median(ratios), ratios[0] ?? Number.NaN, ratios.at(-1) ?? Number.NaN],
    }
  } finally {
    await close()
  }
}

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

/** @example short(12_345) // '12.3k' */
export const short = (rate: number): string =>
  rate >= 1_000_000
    ? `${(rate / 1_000_000).toPrecision(3)}M`
    : rate >= 1_000
      ? `${(rate / 1_000).toPrecision(3)}k`
      : rate >= 10
        ? rate.toFixed(0)
        : rate.toPrecision(3)
