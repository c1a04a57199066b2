/** Lists and macros by name, as the compiler of conditions looks them up. */
import { YarakError } from '../errors.ts'
import type { Entries, Entry } from './load-merge.ts'

/** What one kind of definition is made of. */
export interface Making<V> {
  readonly kind: 'list' | 'macro'
  /** Stands for one while it is made. */
  readonly nothing: V
  make(entry: Entry): V
  sizeOf(value: V): number
  /** The size that may be put into one condition. */
  readonly limit: number
}

/** How deep macros may stand in macros, and lists in lists. */
const MAX_DEPTH = 100

/** How much larger than the limit of one condition all of a kind may be together. */
const ALL = 20

/** Values that are made when they are first asked for, and that note who is. */
export class Named<V> extends Map<string, V> {
  /** How often one was asked for. */
  count = 0
  readonly #from: Entries
  readonly #making: Making<V>
  readonly #sizes = new Map<string, number>()
  readonly #asked = new Set<string>()
  /** Those being made, outermost first. */
  readonly #open: string[] = []
  /** What may still be put into the condition that is being read. */
  #room: number
  #total = 0

  constructor(from: Entries, making: Making<V>) {
    super([...from.keys()].map((name) => [name, making.nothing]))
    this.#from = from
    this.#making = making
    this.#room = making.limit
  }

  /** @throws YarakError `config` when it stands inside itself, or there is too much of it */
  override get(name: string): V | undefined {
    if (!this.has(name)) return undefined
    this.#asked.add(name)
    this.count++
    const { kind, limit } = this.#making
    if (this.#open.includes(name)) throw this.#error(`stands inside itself: ${[...this.#open, name].join(', ')}`)
    if (this.#open.length > MAX_DEPTH) throw this.#error(`holds more than ${MAX_DEPTH} others, each inside the next`)
    this.#ensure(name)
    this.#room -= this.#sizes.get(name) ?? 0
    if (this.#room < 0) throw new YarakError('config', `with its ${kind}s put in, it is too large`)
    if (this.#total > limit * ALL) throw new YarakError('config', `all ${kind}s together are too large`)
    return super.get(name)
  }

  /** Reads one condition. */
  within<T>(read: () => T): T {
    const room = this.#room
    this.#room = this.#making.limit
    try {
      return read()
    } finally {
      this.#room = room
    }
  }

  makeAll(): void {
    for (const name of this.#from.keys()) this.#ensure(name)
  }

  unused(): Entry[] {
    return [...this.#from.values()].filter(({ item }) => !this.#asked.has(item.name))
  }

  #ensure(name: string): void {
    const entry = this.#from.get(name)
    if (!entry || this.#sizes.has(name) || this.#open.includes(name)) return
    this.#open.push(name)
    const value = this.within(() => this.#making.make(entry))
    this.#open.pop()
    const size = this.#making.sizeOf(value)
    this.set(name, value)
    this.#sizes.set(name, size)
    this.#total += size
  }

  #error(message: string): YarakError {
    return new YarakError('config', `the ${this.#making.kind} ${this.#open[0] ?? ''} ${message}`)
  }
}
