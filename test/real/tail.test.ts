/** The tests of the file input that take long: many more random lives than the unit tests have time for. */
import { describe, it } from 'vitest'
import { liveTogether } from '../inputs/_files-life.ts'
import { liveThrough } from '../inputs/_tail-life.ts'

describe('random lives', { timeout: 600_000 }, () => {
  it('of one log: 2,000 sequences', () => liveThrough(2_000))

  it('of folders of logs, found by patterns: 500 sequences', async () => {
    for (let i = 0; i < 10; i++) await liveTogether(50)
  })
})
