/** What the commands about dead letters and the journal work on: a running gateway, or else the file that it left. */
import type { LetterPage, LetterSummary } from '../admin.ts'
import { YarakError } from '../errors.ts'
import type { JournalStats, LetterQuery, StoredLetter } from '../journal/index.ts'
import { inspectJournal, removeLetters } from '../journal/inspect.ts'
import { type Admin, findAdmin, type PlaceFlags, queryText } from './admin-client.ts'
import type { Terminal } from './terminal.ts'

export { placeOptions, type PlaceFlags } from './admin-client.ts'

/** Either kind of place. Each call rejects with what is wrong, for people. */
export interface Place {
  /** An address or a path, for people. */
  readonly name: string
  readonly running: boolean
  stats(): Promise<Omit<JournalStats, 'mode' | 'full' | 'maxSize'> & Partial<JournalStats>>
  page(query: LetterQuery): Promise<LetterPage>
  show(id: number): Promise<StoredLetter>
  remove(id: number): Promise<void>
  /** What became of it. */
  replay(id: number): Promise<string>
}

/** The running gateway when one answers, else its file. */
export const findPlace = async (flags: PlaceFlags, terminal: Terminal): Promise<Place> => {
  const found = await findAdmin(flags, terminal)
  return 'admin' in found ? running(found.admin) : atRest(found.path)
}

// ── a running gateway ───────────────────────────────────────────────────────────────────────────────────────────────

const running = ({ url, ask }: Admin): Place => ({
  name: url,
  running: true,
  stats: () => ask('GET', 'journal'),
  page: (query) => ask('GET', `dlq?${queryText(query)}`),
  show: (id) => ask('GET', `dlq/${id}`),
  remove: async (id) => void (await ask('DELETE', `dlq/${id}`)),
  replay: async (id) => (await ask<{ outcome: string }>('POST', `dlq/${id}/replay`)).outcome,
})

// ── a file ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const atRest = (path: string): Place => {
  const find = (id: number): StoredLetter => {
    const [letter] = inspectJournal(path, ({ letters }) => letters({ after: id - 1, limit: 1 }))
    if (letter?.id !== id) throw absent(id)
    return letter
  }
  return {
    name: path,
    running: false,
    stats: async () => inspectJournal(path, ({ counts, size }) => ({ size: size(), ...counts() })),
    page: async ({ limit = 100, ...query }) => {
      const letters = inspectJournal(path, (journal) => journal.letters({ ...query, limit }))
      const last = letters.length === limit ? letters.at(-1) : undefined
      return { letters: letters.map(summaryOf), ...(last && { next: last.id }) }
    },
    show: async (id) => find(id),
    async remove(id) {
      if (removeLetters(path, [id]) === 0) throw absent(id)
    },
    async replay() {
      throw new YarakError(
        'unavailable',
        'the gateway does not run: start it, since it is the gateway that tries again',
      )
    },
  }
}

const summaryOf = ({ body, ...letter }: StoredLetter): LetterSummary => ({ ...letter, length: body.length })

const absent = (id: number): YarakError => new YarakError('not_found', `there is no dead letter ${id}`)
