import { expect, test } from 'vitest'
import { converse } from './launch.ts'
import { nats } from './nats.ts'
import { describePart, running } from './vitest.ts'

const subject = '$JS.API.STREAM.CREATE.EVENTS'
const stream = JSON.stringify({ name: 'EVENTS', subjects: ['falco.*'] })
const hello = 'CONNECT {"verbose":false}\r\n'

const publish = (to: string, reply: string, text: string) => `PUB ${to} ${reply} ${text.length}\r\n${text}\r\n`

describePart(nats, () => {
  const open = running(nats)
  const closed = running(nats, { username: 'falco', password: 'secret' })

  test('acknowledges an event once JetStream has it', async () => {
    const { port, monitorUrl } = open()
    const begin = `${hello}SUB answers.* 1\r\n${publish(subject, 'answers.stream', stream)}`
    await converse(port, begin, (heard) => heard.includes('stream_create_response'))
    const event = `${hello}SUB answers.* 1\r\n${publish('falco.shell', 'answers.event', '{"rule":"x"}')}`
    const heard = await converse(port, event, (bytes) => bytes.includes('"seq":1'))
    expect(heard.toString()).toContain('"stream":"EVENTS"')
    expect(await (await fetch(`${monitorUrl}/jsz`)).json()).toMatchObject({ streams: 1, messages: 1 })
  })

  test('asks for a password', async () => {
    const heard = await converse(closed().port, `${hello}PING\r\n`, (bytes) => bytes.includes('-ERR'))
    expect(heard.toString()).toContain("'Authorization Violation'")
    const login = 'CONNECT {"verbose":false,"user":"falco","pass":"secret"}\r\nPING\r\n'
    expect((await converse(closed().port, login, (bytes) => bytes.includes('PONG'))).toString()).toContain('PONG')
  })
})
