/** The series of one metric, by labels, and no more of them than it may have. */

export type Labels = Readonly<Record<string, string>>

export interface OneSeries<T> {
  readonly labels: Labels
  readonly value: T
}

export interface SeriesSet<T> {
  /**
   * The series of these labels, made when there is none. Once there are `max` of them, what is new is the one series
   * whose every label is `overflow`. The labels of one metric must always have the same names in the same order.
   */
  at(labels: Labels): OneSeries<T>
  all(): readonly OneSeries<T>[]
}

/** Characters of a label's value that are kept. */
const LONGEST = 200

/** What is below the values of some labels. */
interface Node<T> {
  readonly next: Map<string, Node<T>>
  series?: OneSeries<T>
}

const newNode = <T>(): Node<T> => ({ next: new Map() })

export const createSeries = <T>(max: number, make: () => T): SeriesSet<T> => {
  const all: OneSeries<T>[] = []
  const root = newNode<T>()
  /** Value by value, so that no key has to be made of them. */
  const find = (labels: Labels): OneSeries<T> | undefined => {
    let node: Node<T> | undefined = root
    for (const name in labels) node = node?.next.get(labels[name] as string)
    return node?.series
  }
  const open = (labels: Labels): OneSeries<T> => {
    const series = { labels, value: make() }
    nodeOf(root, labels).series = series
    all.push(series)
    return series
  }
  const enter = (given: Labels): OneSeries<T> => {
    const labels = boundLabels(given)
    const found = find(labels)
    if (found) return found
    if (all.length < max) return open(labels)
    const over = overflowOf(labels)
    return find(over) ?? open(over)
  }
  return { at: (labels) => find(labels) ?? enter(labels), all: () => all }
}

const nodeOf = <T>(root: Node<T>, labels: Labels): Node<T> => {
  let node = root
  for (const value of Object.values(labels)) {
    const below = node.next.get(value) ?? newNode<T>()
    node.next.set(value, below)
    node = below
  }
  return node
}

/** A value as a label can have it: at most 200 characters, and well-formed. */
export const boundValue = (value: string): string => value.slice(0, LONGEST).toWellFormed()

const boundLabels = (labels: Labels): Labels =>
  Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, boundValue(value)]))

const overflowOf = (labels: Labels): Labels => Object.fromEntries(Object.keys(labels).map((name) => [name, 'overflow']))

/**
 * What a gauge reads, bounded as counters are. Series of the same labels add up, and so do those that are too many: under
 * `overflow`.
 */
export const boundReading = (
  read: Iterable<readonly [Labels, number]>,
  max: number,
): readonly (readonly [Labels, number])[] => {
  const sums = new Map<string, [Labels, number]>()
  for (const [given, value] of read) {
    const labels = boundLabels(given)
    const kept = sums.size < max || sums.has(JSON.stringify(labels)) ? labels : overflowOf(labels)
    const found = sums.get(JSON.stringify(kept))
    if (found) found[1] += value
    else sums.set(JSON.stringify(kept), [kept, value])
  }
  return [...sums.values()]
}
