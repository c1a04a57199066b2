/** The routes for those who look after a running gateway: dead letters, responses, journal, outputs, health, and the log. */
import { type Context, Hono } from 'hono'
import { z } from 'zod'
import { type AdminEnv, createGate, type GateOptions } from './admin-gate.ts'
import { mountLog } from './admin-log.ts'
import { mountResponses, type ResponsesOptions } from './admin-responses.ts'
import { asYarakError, YarakError } from './errors.ts'
import type { Journal, LetterQuery, StoredLetter } from './journal/index.ts'
import type { Health, OutputHealth } from './health.ts'
import type { Levels } from './log-levels.ts'

export interface AdminOptions extends ResponsesOptions, GateOptions {
  readonly journal: Pick<Journal, 'letters' | 'unbury' | 'stats' | 'responses'>
  /** How the outputs are. Default none. */
  readonly outputs?: () => readonly OutputHealth[]
  /** Tries a dead letter again. When it resolves the letter is removed, when it rejects it stays. */
  replay(letter: StoredLetter): Promise<{ readonly outcome: string }>
  /** How everything is. Default nothing is told. */
  readonly health?: () => Health
  /** The levels of the log. Default they cannot be changed. */
  readonly levels?: Pick<Levels, 'get' | 'set'>
}

/** A dead letter in a list: its body only by its length. */
export type LetterSummary = Omit<StoredLetter, 'body'> & { readonly length: number }

/** What `GET /admin/dlq` answers. */
export interface LetterPage {
  readonly letters: readonly LetterSummary[]
  /** `after` of the next page; absent at the end. */
  readonly next?: number
}

/** What became of a letter that was tried again. */
export type Replayed =
  | { readonly id: number; readonly outcome: string }
  | { readonly id: number; readonly error: string; readonly message: string }

/**
 * The routes below `/admin`. Answers are JSON, an error is `{ error, message }`. `GET` needs the role `view`, anything else
 * `operate` and is one line of the audit record.
 *
 * - `GET /admin/dlq?kind&from&reason&after&limit`: dead letters, oldest first; see {@link LetterPage}
 * - `GET /admin/dlq/:id`: one, with its body
 * - `DELETE /admin/dlq/:id`, or `DELETE /admin/dlq` with a filter or `all=true`: `{ removed }`
 * - `POST /admin/dlq/:id/replay`, or `POST /admin/dlq/replay` with a filter or `all=true`: see {@link Replayed}
 * - `GET /admin/outputs`: `{ outputs }`, each with its queue, its breaker and its last error
 * - `GET /admin/health`: as `/readyz` tells it, but for the listeners, and with 200 in any case
 * - `GET /admin/log`: `{ level, levels }`; `PUT /admin/log` changes one by `{ area?, level }`, `null` takes a change back
 * - `GET /admin/journal`: its state and what is in it
 * - `GET /admin/responses?id&trace&rule&outcome&before&limit`: responses, the latest first; an id may be its beginning; see
 *   {@link ResponsePage}
 * - `GET /admin/undoable`: `{ undoable }`, the changes that can be taken back
 * - `POST /admin/responses/:id/undo?step`: `{ undone }`, what became of each change
 *
 * Those for many take the first `limit` of them (default 100, at most 1,000) after the id `after`.
 * @example
 * const app = mountAdmin({ journal, gateway, replay: gateway.replay, clients: [{ name: 'ci', role: 'view', token }] })
 */
export const mountAdmin = (options: AdminOptions): Hono => {
  const { journal } = options
  const app = new Hono<AdminEnv>()
  app.onError((error, c) => {
    const { code, message, status } = asYarakError(error)
    return c.json({ error: code, message }, status as 400)
  })
  app.notFound((c) => c.json({ error: 'not_found', message: `nothing is served at ${c.req.path}` }, 404))
  app.use('/admin/*', createGate(options))

  app.get('/admin/outputs', (c) => c.json({ outputs: options.outputs?.() ?? [] }))
  app.get('/admin/health', (c) => c.json(able(options.health)()))
  app.get('/admin/journal', async (c) => c.json(await journal.stats()))
  app.get('/admin/dlq', async (c) => {
    const query = queryOf(c)
    return c.json(pageOf(await journal.letters(query), query.limit))
  })
  app.delete('/admin/dlq', async (c) => {
    const letters = await journal.letters(chosenBy(c))
    return c.json({ removed: await journal.unbury(letters.map(({ id }) => id)) })
  })
  app.post('/admin/dlq/replay', async (c) => {
    const replayed: Replayed[] = []
    for (const letter of await journal.letters(chosenBy(c))) {
      replayed.push(await replay(letter, options).catch((error: unknown) => failed(letter.id, error)))
    }
    return c.json({ replayed })
  })
  app.get('/admin/dlq/:id', async (c) => c.json(await letterOf(c, journal)))
  app.delete('/admin/dlq/:id', async (c) => {
    const { id } = await letterOf(c, journal)
    return c.json({ removed: await journal.unbury([id]) })
  })
  app.post('/admin/dlq/:id/replay', async (c) => c.json(await replay(await letterOf(c, journal), options)))
  mountLog(app, options.levels)
  mountResponses(app as unknown as Hono, options)
  return app as unknown as Hono
}

const able = <T>(part: T | undefined): T => {
  if (part) return part
  throw new YarakError('unavailable', 'that is not told here')
}

const replay = async (letter: StoredLetter, options: AdminOptions): Promise<Replayed> => {
  if (letter.truncated)
    throw new YarakError('invalid', `only the beginning of ${letter.id} was kept: it cannot be replayed`)
  const { outcome } = await options.replay(letter)
  await options.journal.unbury([letter.id])
  return { id: letter.id, outcome }
}

const failed = (id: number, error: unknown): Replayed => {
  const { code, message } = asYarakError(error)
  return { id, error: code, message }
}

const pageOf = (letters: readonly StoredLetter[], limit: number): LetterPage => {
  const last = letters.length === limit ? letters.at(-1) : undefined
  return {
    letters: letters.map(({ body, ...letter }) => ({ ...letter, length: body.length })),
    ...(last && { next: last.id }),
  }
}

const letterOf = async (c: Context<AdminEnv>, journal: AdminOptions['journal']): Promise<StoredLetter> => {
  const id = Number(c.req.param('id'))
  const [letter] = Number.isSafeInteger(id) ? await journal.letters({ after: id - 1, limit: 1 }) : []
  if (letter?.id !== id) throw new YarakError('not_found', `there is no dead letter ${c.req.param('id')}`)
  return letter
}

// ── what is asked for ───────────────────────────────────────────────────────────────────────────────────────────────

const whole = z.coerce.number().int().min(0)

const queries = z.strictObject({
  kind: z.enum(['event', 'notice']).optional(),
  from: z.string().optional(),
  reason: z.string().optional(),
  after: whole.default(0),
  limit: whole.min(1).max(1_000).default(100),
  all: z.literal('true').optional(),
})

type Query = LetterQuery & { readonly limit: number }

const parse = (c: Context<AdminEnv>) => {
  const { success, data, error } = queries.safeParse(c.req.query())
  if (success) return data
  const [issue] = error.issues
  throw new YarakError('invalid', `the query is wrong: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`)
}

const queryOf = (c: Context<AdminEnv>): Query => {
  const { all: _all, ...query } = parse(c)
  return query
}

/** Changing many needs a choice, so that a forgotten filter changes nothing. */
const chosenBy = (c: Context<AdminEnv>): Query => {
  const { kind, from, reason, all } = parse(c)
  if ((kind ?? from ?? reason ?? all) === undefined)
    throw new YarakError('invalid', 'say which: kind, from, reason, or all=true')
  return queryOf(c)
}
