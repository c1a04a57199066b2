/** The setting `log`. */
import { z } from 'zod'

export const logSettings = z.strictObject({
  level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('The least that is logged.'),
  format: z.enum(['auto', 'json', 'pretty']).default('auto').describe('`auto` is `pretty` on a terminal, else `json`.'),
})
