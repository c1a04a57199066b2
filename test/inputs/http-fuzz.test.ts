import { describe, expect, it } from 'vitest'
import { fuzz } from './_http-fuzz.ts'

describe('random bodies', () => {
  it.each(['handle', 'embedded'] as const)(
    'never give a 5xx, a broken connection, or an event that is not counted, by way of %s',
    async (way) => {
      const { statuses, broken, received, rejected, settled, told } = await fuzz(way, 2_500, 20261123)
      expect(broken).toEqual([])
      expect(Object.keys(statuses).filter((status) => Number(status) >= 500)).toEqual([])
      expect(Object.values(statuses).reduce((all, n) => all + n, 0)).toBe(2_500)
      expect(received).toBe(rejected + settled)
      expect(told).toBe(settled)
      for (const status of [200, 400, 413, 415]) expect(statuses[status], String(status)).toBeGreaterThan(0)
    },
    60_000,
  )

  it('are all refused without the token, but for those that guessed it', async () => {
    const { statuses } = await fuzz('handle', 500, 1, { token: 's3cret' })
    expect(statuses[401]).toBeGreaterThan(400)
    expect(Object.keys(statuses).filter((status) => Number(status) >= 500)).toEqual([])
  })
})
