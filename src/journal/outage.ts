/** While the disk fails: what comes is kept in memory, and what the file would have been told is remembered. */
import { memoryStore } from './memory-store.ts'
import { type Answers, type Batch, type KeptNotice, perform, type Read, type Write } from './protocol.ts'

export interface Outage {
  /**
   * Does a batch in memory.
   * @param disk answers what the file can still tell, e.g. when it is full but readable; undefined: nothing
   */
  run(batch: Batch, disk: (reads: readonly Read[]) => Promise<Answers | undefined>): Promise<Answers>
  /** What to write when the disk works again. */
  unwritten(): readonly Write[]
  /** There is no room in memory either. */
  full(): boolean
}

/** How many are remembered of what has ended, and of the dead letters. */
const MOST = 20_000

export const createOutage = (): Outage => {
  const memory = memoryStore(Date.now())
  const events = new Map<string, Write[]>()
  const redelivered = new Map<string, Write[]>()
  const notices = new Map<string, Write[]>()
  const letters = new Map<string, Write[]>()
  const undone = new Map<string, Write[]>()
  let ended = 0

  /**
   * What was begun in this outage and is over leaves nothing to write, but for the first of them: the file may hold what
   * was in the air when it failed. The report was told, and becomes no history.
   */
  const end = (of: Map<string, Write[]>, key: string, begun: Write[0], last: Write): void => {
    const wasBegun = of.get(key)?.some(([name]) => name === begun)
    if (wasBegun && ++ended > MOST) of.delete(key)
    else of.set(key, [last])
  }
  const remember = (write: Write): void => {
    switch (write[0]) {
      case 'accept':
        return append(events, write[1].id, write)
      case 'note':
        return append(events, write[1], write)
      case 'settle': {
        const [name, event, at, again] = write
        if (!again) return end(events, event, 'accept', [name, event, at, again, []])
        events.delete(event)
        return latest(redelivered, event, [name, event, at, again, []])
      }
      case 'keep':
        return append(notices, keyOf(write[1].output, write[1].id), write)
      case 'drop':
        return end(notices, keyOf(write[1], write[2]), 'keep', write)
      case 'bury':
        return latest(letters, String(write[1].id), write)
      case 'undone':
        return latest(undone, keyOf(write[1], write[2]), write)
    }
  }
  /** The file does not know yet what was dropped. */
  const withRoom = (read: Read): Read =>
    read[0] === 'kept' ? ['kept', read[1], read[2], read[3] + notices.size] : read
  const merge = (read: Read, mine: unknown, theirs: unknown): unknown => {
    if (theirs === undefined) return mine
    if (read[0] === 'pending') return theirs
    if (read[0] === 'responses')
      return [...(mine as unknown[]), ...(theirs as unknown[])].slice(0, read[1].limit ?? 100)
    if (read[0] === 'waiting') return sums(mine as Record<string, number>, theirs as Record<string, number>)
    const both = [...(theirs as KeptNotice[]), ...(mine as KeptNotice[])]
    const each = [...new Map(both.map((one) => [one.id, one])).values()]
    if (read[0] !== 'kept') return each
    return each.filter(({ output, id }) => notices.get(keyOf(output, id))?.[0]?.[0] !== 'drop').slice(0, read[3])
  }

  return {
    async run({ writes, reads }, disk) {
      for (const write of writes) {
        perform(memory, write)
        remember(write)
      }
      const legible = reads.filter(([name]) => LEGIBLE.has(name))
      const told = legible.length > 0 ? await disk(legible.map(withRoom)) : undefined
      return reads.map((read) => {
        if (read[0] === 'unbury') for (const id of read[1]) letters.delete(String(id))
        return merge(read, perform(memory, read), told?.[legible.indexOf(read)])
      })
    },
    unwritten: () => [events, redelivered, notices, letters, undone].flatMap((of) => [...of.values()].flat()),
    full: () => memory.space().full,
  }
}

/** What is asked of the file as well. */
const LEGIBLE: ReadonlySet<Read[0]> = new Set(['read', 'pending', 'kept', 'waiting', 'responses'])

const keyOf = (output: string, id: string): string => JSON.stringify([output, id])

const append = (of: Map<string, Write[]>, key: string, write: Write): void => {
  const before = of.get(key)
  if (before) before.push(write)
  else of.set(key, [write])
}

const latest = (of: Map<string, Write[]>, key: string, write: Write): void => {
  of.set(key, [write])
  const oldest = of.size > MOST ? of.keys().next().value : undefined
  if (oldest !== undefined) of.delete(oldest)
}

const sums = (a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries([...Object.keys(a), ...Object.keys(b)].map((key) => [key, (a[key] ?? 0) + (b[key] ?? 0)]))
