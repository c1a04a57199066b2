/** Mails to a real SMTP server: TLS, signing in, what arrives, an outage in the middle. */
import { expect, test } from 'vitest'
import { smtp as output } from '../../outputs/smtp.ts'
import { createGateway } from '../../src/index.ts'
import { aNotice, anEvent, aReport, testIo } from '../../src/testing.ts'
import { alert } from '../kit.ts'
import { until } from './part.ts'
import { proxyTo } from './proxy.ts'
import { smtp, type SmtpAddresses } from './smtp.ts'
import { describePart, running } from './vitest.ts'

const NEVER = new AbortController().signal

describePart(smtp, () => {
  const open = running(smtp)
  const closed = running(smtp, { username: 'falco', password: 'a-secret-word' })

  const settings = ({ host, port, ca }: SmtpAddresses) => ({
    hostPort: `${host}:${port}`,
    tls: { caFile: ca },
    from: 'Falco <falco@example.org>',
    to: 'a@example.org, b@example.org',
  })

  const sent = async (given: object, ...notices: readonly ReturnType<typeof aNotice>[]) => {
    const io = testIo()
    const sender = await output.open(output.config.parse(given), io)
    try {
      await sender.send(notices, NEVER)
    } finally {
      await sender.close?.()
    }
    return io
  }

  test('the event and the report arrive, over STARTTLS, signed in', async () => {
    const { username: user, password } = closed()
    const event = anEvent({ output: 'nöde <b>1</b> 🦉', tags: ['a', 'b'] })
    await sent({ ...settings(closed()), user, password }, aNotice({ event }), aNotice({ report: aReport() }))
    const [first, second] = closed().mails()
    expect(first).toMatchObject({
      from: 'falco@example.org',
      to: ['a@example.org', 'b@example.org'],
      subject: '[Notice] nöde <b>1</b> 🦉',
      text: expect.stringContaining('Output: nöde <b>1</b> 🦉\n'),
      html: expect.stringContaining('nöde &lt;b&gt;1&lt;/b&gt; 🦉'),
    })
    expect(second).toMatchObject({
      subject: '[succeeded] Shell in a container',
      text: expect.stringContaining('Trace: 4bf92f3577b34da6a3ce929d0e0e4736\n'),
    })
  })

  test.each(['plain', 'login'])('signs in by %s, and not with a wrong password', async (authMechanism) => {
    const { username: user, password } = closed()
    const before = closed().mails().length
    const given = { ...settings(closed()), authMechanism, user }
    await expect(sent({ ...given, password: 'another-word' }, aNotice())).rejects.toMatchObject({
      ...{ code: 'failed', permanent: true, reason: '535' },
      message: expect.not.stringContaining('another-word') as string,
    })
    expect(closed().mails()).toHaveLength(before)
    await sent({ ...given, password }, aNotice())
    expect(closed().mails()).toHaveLength(before + 1)
  })

  test('a server that asks for a name takes nothing without', async () => {
    await expect(sent(settings(closed()), aNotice())).rejects.toMatchObject({ permanent: true, reason: '530' })
  })

  test('a certificate of nobody that is trusted is refused, and the mail waits', async () => {
    const before = open().mails().length
    await expect(sent({ ...settings(open()), tls: true }, aNotice())).rejects.toMatchObject({
      code: 'unavailable',
      permanent: false,
    })
    expect(open().mails()).toHaveLength(before)
    await sent({ ...settings(open()), tls: { verify: false } }, aNotice())
    await sent({ ...settings(open()), tls: false }, aNotice())
    expect(open().mails()).toHaveLength(before + 2)
  })

  test('no event adds a header, a recipient or a mail', async () => {
    const before = open().mails().length
    const evil = '\r\nBcc: evil@example.org\r\nContent-Type: text/html\r\n\r\n<h1>x</h1>\r\n.\r\nQUIT\r\n'
    const event = anEvent({ output: evil, rule: evil, hostname: evil, tags: [evil], output_fields: { [evil]: evil } })
    await sent(settings(open()), aNotice({ id: evil, event }), aNotice({ event, report: aReport({ rule: evil }) }))
    const mails = open().mails().slice(before)
    expect(mails).toHaveLength(2)
    for (const { source, to } of mails) {
      expect(to).toEqual(['a@example.org', 'b@example.org'])
      const [head = ''] = source.split(/\r?\n\r?\n/)
      expect(head.match(/^content-type:/gim)).toHaveLength(1)
      expect(head).not.toMatch(/^bcc:/im)
    }
  })

  test('over an outage every mail arrives', async () => {
    const proxy = await proxyTo(open().port)
    const mail = output({ ...settings(open()), hostPort: `127.0.0.1:${proxy.port}` })
    const gateway = createGateway({ outputs: [{ output: mail, timeout: '5s' }] })
    const emit = (from: number) =>
      Promise.all(Array.from({ length: 10 }, (_, i) => gateway.emit(alert({ output: `mail ${from + i}` }))))
    const arrived = () =>
      new Set(
        open()
          .mails()
          .flatMap(({ subject }) => /mail \d+/.exec(subject)?.[0] ?? []),
      )
    const receipts = await emit(0)
    await until('the first mails', async () => arrived().size === 10 || undefined)
    await proxy.stop()
    receipts.push(...(await emit(10)))
    await until('a failure', async () => (gateway.health().outputs[0]?.lastError ? true : undefined))
    expect(arrived().size).toBe(10)
    const again = await proxyTo(open().port, proxy.port)
    await Promise.all(receipts.map(({ done }) => done))
    expect(arrived().size).toBe(20)
    await gateway.stop()
    await again.stop()
  })
})
