import { expect, it } from 'vitest'
import { fuzz } from '../inputs/_http-fuzz.ts'

it.each([1, 2, 3, 4])(
  '25,000 random bodies never give a 5xx, a broken connection, or an event that is not counted (seed %i)',
  async (seed) => {
    const { statuses, broken, received, rejected, settled, told } = await fuzz('handle', 25_000, seed)
    expect(broken).toEqual([])
    expect(Object.keys(statuses).filter((status) => Number(status) >= 500)).toEqual([])
    expect(Object.values(statuses).reduce((all, n) => all + n, 0)).toBe(25_000)
    expect(received).toBe(rejected + settled)
    expect(told).toBe(settled)
  },
)
