/** The setting `admin`. */
import { z } from 'zod'
import { secret } from '../settings.ts'

export const adminSettings = z.strictObject({
  token: secret().optional().describe('Bearer token for `/admin`. Without one, only this machine may ask.'),
})
