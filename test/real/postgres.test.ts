import { expect, test } from 'vitest'
import { converse } from './launch.ts'
import { postgres } from './postgres.ts'
import { describePart, running } from './vitest.ts'

/** StartupMessage of protocol 3.0 for a user. */
const startup = (user: string): Buffer => {
  const body = Buffer.from(`\0\x03\0\0user\0${user}\0\0`)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(body.length + 4)
  return Buffer.concat([length, body])
}

describePart(postgres, () => {
  const at = running(postgres)

  test('stores an event as JSON', async () => {
    const { query } = at()
    await query(`create table events (event jsonb); insert into events values ('{"rule":"x","priority":"Notice"}')`)
    expect(await query(`select event->>'rule', event->>'priority' from events`)).toBe('x|Notice\n')
    await expect(query('select nonsense')).rejects.toThrow('column "nonsense" does not exist')
  })

  test('wants a password by SCRAM', async () => {
    const { port, user } = at()
    const heard = await converse(port, startup(user), (bytes) => bytes.length > 9)
    expect(heard.toString('latin1')).toContain('SCRAM-SHA-256')
  })
})
