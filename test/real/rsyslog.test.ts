import { createSocket } from 'node:dgram'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { until } from './part.ts'
import { rsyslog } from './rsyslog.ts'
import { describePart, running } from './vitest.ts'

const message = (text: string) => `<131>1 2026-01-02T03:04:05Z node-1 falco 1 - - ${text}`

describePart(rsyslog, () => {
  const at = running(rsyslog)

  const received = (text: string) =>
    until(
      'the message',
      async () =>
        at()
          .messages()
          .find((one) => one.text === text),
      10_000,
    )

  const expected = { facility: 'local0', severity: 'err', host: 'node-1', program: 'falco' }

  test('writes what comes over TCP, with either framing', async () => {
    const counted = message('{"rule":"counted"}')
    const socket = connect(at().tcpPort, at().host)
    socket.end(`${message('{"rule":"line"}')}\n${counted.length} ${counted}`)
    expect(await received('{"rule":"line"}')).toMatchObject(expected)
    expect(await received('{"rule":"counted"}')).toMatchObject(expected)
  })

  test('writes what comes over UDP', async () => {
    const socket = createSocket('udp4')
    socket.send(message('{"rule":"datagram"}'), at().udpPort, at().host, () => socket.close())
    expect(await received('{"rule":"datagram"}')).toMatchObject(expected)
  })
})
