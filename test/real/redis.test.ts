import { expect, test } from 'vitest'
import { converse } from './launch.ts'
import { redis } from './redis.ts'
import { describePart, running } from './vitest.ts'

const lines = (count: number) => (heard: Buffer) => heard.toString().split('\r\n').length > count

describePart(redis, () => {
  const open = running(redis)
  const closed = running(redis, { username: 'falco', password: 'secret' })

  test('keeps a list', async () => {
    const heard = await converse(open().port, 'RPUSH events one\r\nLRANGE events 0 -1\r\n', lines(4))
    expect(heard.toString()).toBe(':1\r\n*1\r\n$3\r\none\r\n')
  })

  test('asks for a password', async () => {
    const { port, username, password, url } = closed()
    const heard = await converse(port, `PING\r\nAUTH ${username} ${password}\r\nPING\r\n`, lines(3))
    expect(heard.toString()).toBe('-NOAUTH Authentication required.\r\n+OK\r\n+PONG\r\n')
    expect(url).toBe(`redis://falco:secret@127.0.0.1:${port}`)
  })
})
