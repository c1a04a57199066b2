/** What the commands about responses work on: a running gateway, or the journal and the cluster themselves. */
import type { ResponsePage } from '../admin-responses.ts'
import type { Audit } from '../audit.ts'
import { YarakError } from '../errors.ts'
import { createGateway, type Gateway } from '../gateway.ts'
import type { ResponseQuery, StoredResponse, Undone } from '../journal/index.ts'
import { inspectJournal } from '../journal/inspect.ts'
import { createLog } from '../log.ts'
import type { Undoable } from '../plugin.ts'
import { type Admin, type AtRest, findAdmin, type PlaceFlags, queryText } from './admin-client.ts'
import { gatewayOptions } from './load.ts'
import { openAudit } from './open-audit.ts'
import type { Terminal } from './terminal.ts'

/** Either kind of place. Each call rejects with what is wrong, for people. */
export interface History {
  page(query: ResponseQuery & { readonly limit: number }): Promise<ResponsePage>
  /** What can be taken back, asked of the cluster. */
  undoable(): Promise<readonly Undoable[]>
  undo(id: string, step: string | undefined): Promise<readonly Undone[]>
}

/** The running gateway when one answers, else the file that it left, and the cluster. */
export const findHistory = async (flags: PlaceFlags, terminal: Terminal): Promise<History> => {
  const found = await findAdmin(flags, terminal)
  return 'admin' in found ? running(found.admin) : atRest(found, terminal)
}

const running = ({ ask }: Admin): History => ({
  page: (query) => ask('GET', `responses?${queryText(query)}`),
  undoable: async () => (await ask<{ undoable: readonly Undoable[] }>('GET', 'undoable')).undoable,
  undo: async (id, step) =>
    (
      await ask<{ undone: readonly Undone[] }>(
        'POST',
        `responses/${encodeURIComponent(id)}/undo?${queryText({ step })}`,
      )
    ).undone,
})

const atRest = (place: AtRest, terminal: Terminal): History => ({
  async page(query) {
    const responses = inspectJournal(place.path, (journal) => journal.responses(query))
    const last = responses.length === query.limit ? responses.at(-1) : undefined
    return { responses, ...(last && { next: last.seq }) }
  },
  undoable: () => withGateway(place, terminal, undefined, (gateway) => gateway.undoable()),
  async undo(id, step) {
    const audit = openAudit(place.options, errorLog(terminal))
    try {
      return await withGateway(place, terminal, audit, (gateway) => gateway.undo(id, step))
    } finally {
      await audit?.close()
    }
  },
})

const errorLog = ({ err, tty }: Terminal) => createLog({ level: 'error', stream: { write: err, isTTY: tty } })

/** A gateway that takes nothing in, for its connection to the cluster. */
const withGateway = async <T>(
  { options, plugins }: AtRest,
  terminal: Terminal,
  audit: Audit | undefined,
  work: (gateway: Gateway) => Promise<T>,
): Promise<T> => {
  const gateway = createGateway({
    ...gatewayOptions(options),
    ...(audit && { audit }),
    ...{ inputs: [], outputs: [], undoing: plugins.actions, env: terminal.env, log: errorLog(terminal) },
  })
  try {
    return await work(gateway)
  } finally {
    await gateway.stop({ deadline: 0 })
  }
}

/** Responses asked for at a time. */
const PAGE = 500

/** The latest first. */
export const allOf = async (history: History, query: ResponseQuery, limit = Infinity): Promise<StoredResponse[]> => {
  const all: StoredResponse[] = []
  for (let before: number | undefined = Infinity; before !== undefined && all.length < limit;) {
    const cursor = before === Infinity ? {} : { before }
    const page: ResponsePage = await history.page({ ...query, ...cursor, limit: Math.min(PAGE, limit - all.length) })
    all.push(...page.responses)
    before = page.next
  }
  return all
}

/**
 * The response whose id begins so.
 * @throws YarakError `not_found` when there is none, or several
 */
export const oneOf = async (history: History, id: string): Promise<StoredResponse> => {
  const [found, other] = await allOf(history, { id }, 2)
  if (!found) throw new YarakError('not_found', `there is no response ${id} in the journal`)
  if (!other || found.report.id === id) return found
  throw new YarakError('not_found', `the ids of several responses begin with ${id}`)
}
