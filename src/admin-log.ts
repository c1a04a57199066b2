/** The routes about the log: how much each part of it tells, while the gateway runs. */
import type { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { z } from 'zod'
import { YarakError } from './errors.ts'
import type { AdminEnv } from './admin-gate.ts'
import type { Levels } from './log-levels.ts'

const change = z.strictObject({
  area: z
    .string()
    .regex(/^[\w.:/-]{1,100}$/)
    .optional(),
  level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).nullable(),
})

/** Bytes that a body may have. */
const MOST = 4 * 1024

/** Mounts `GET` and `PUT /admin/log`; both answer with what {@link Levels.get} gives. */
export const mountLog = (app: Hono<AdminEnv>, levels: Pick<Levels, 'get' | 'set'> | undefined): void => {
  const able = () => {
    if (levels) return levels
    throw new YarakError('unavailable', 'the log of this gateway is not its own')
  }
  const onError = (): never => {
    throw new YarakError('too_large', `the body is larger than ${MOST} bytes`)
  }
  app.get('/admin/log', (c) => c.json(able().get()))
  app.put('/admin/log', bodyLimit({ maxSize: MOST, onError }), async (c) => {
    const { area, level } = changeOf(await c.req.text())
    c.set('did', { target: area ?? 'all', why: `level ${level ?? 'as at the start'}` })
    able().set(area, level ?? undefined)
    return c.json(able().get())
  })
}

const changeOf = (text: string): z.output<typeof change> => {
  const { success, data } = change.safeParse(parse(text))
  if (success) return data
  throw new YarakError(
    'invalid',
    'the body must be {"area": "journal", "level": "debug"}; null is the level of the start',
  )
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
