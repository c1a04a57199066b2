/** The routes about responses: what was done, and taking it back. */
import type { Context, Hono } from 'hono'
import { z } from 'zod'
import { YarakError } from './errors.ts'
import type { Gateway } from './gateway.ts'
import type { Journal, ResponseQuery, StoredResponse } from './journal/index.ts'
import type { Outcome } from './plugin.ts'

export interface ResponsesOptions {
  readonly journal: Pick<Journal, 'responses'>
  /** The gateway that takes changes back; without it that is refused as `unavailable`. */
  readonly gateway?: Pick<Gateway, 'undo' | 'undoable'> | undefined
}

/** What `GET /admin/responses` answers. */
export interface ResponsePage {
  readonly responses: readonly StoredResponse[]
  /** `before` of the next page; absent at the end. */
  readonly next?: number
}

const OUTCOMES = [
  'succeeded',
  'failed',
  'timed_out',
  'refused',
  'skipped',
  'gone',
  'unknown',
  'interrupted',
] as const satisfies readonly Outcome[]

const queries = z.strictObject({
  id: z.string().optional(),
  trace: z.string().optional(),
  rule: z.string().optional(),
  outcome: z.enum(OUTCOMES).optional(),
  before: z.coerce.number().int().min(1).optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
})

/** Mounts them; whoever may ask has been admitted already. */
export const mountResponses = (app: Pick<Hono, 'get' | 'post'>, { journal, gateway }: ResponsesOptions): void => {
  app.get('/admin/responses', async (c) => {
    const query = queryOf(c)
    const responses = await journal.responses(query)
    const last = responses.length === query.limit ? responses.at(-1) : undefined
    return c.json({ responses, ...(last && { next: last.seq }) } satisfies ResponsePage)
  })
  app.get('/admin/undoable', async (c) => c.json({ undoable: await able(gateway).undoable() }))
  app.post('/admin/responses/:id/undo', async (c) =>
    c.json({ undone: await able(gateway).undo(c.req.param('id'), c.req.query('step')) }),
  )
}

const queryOf = (c: Context): ResponseQuery & { readonly limit: number } => {
  const { success, data, error } = queries.safeParse(c.req.query())
  if (success)
    return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined)) as typeof data & {}
  const [issue] = error.issues
  throw new YarakError('invalid', `the query is wrong: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`)
}

const able = (gateway: ResponsesOptions['gateway']): NonNullable<ResponsesOptions['gateway']> => {
  if (gateway) return gateway
  throw new YarakError('unavailable', 'nothing is undone here')
}
