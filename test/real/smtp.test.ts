import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { smtp } from './smtp.ts'
import { describePart, running } from './vitest.ts'

const mail = 'Subject: Shell in a container\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<b>n\u00f6de</b>\r\n.\r\n'

/** Says each line once the reply to the one before has come, and gives all replies. */
const talk = async (port: number, lines: readonly string[]): Promise<string> => {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8')
  const waiting = ['EHLO client\r\n', ...lines, 'QUIT\r\n']
  let heard = ''
  for await (const text of socket as AsyncIterable<string>) {
    heard += text
    if (/^\d{3} .*\r\n$/m.test(text)) socket.write(waiting.shift() ?? '')
  }
  return heard
}

describePart(smtp, () => {
  const open = running(smtp)
  const closed = running(smtp, { username: 'falco', password: 'secret' })

  test('keeps a mail', async () => {
    const envelope = ['MAIL FROM:<falco@example.org>', 'RCPT TO:<a@example.org>', 'RCPT TO:<b@example.org>', 'DATA']
    const heard = await talk(open().port, [...envelope.map((line) => `${line}\r\n`), mail])
    expect(heard).toContain('250 STARTTLS')
    expect(open().mails()).toMatchObject([
      {
        from: 'falco@example.org',
        to: ['a@example.org', 'b@example.org'],
        subject: 'Shell in a container',
        html: '<b>n\u00f6de</b>\n',
      },
    ])
  })

  test('asks for a password', async () => {
    const login = (word: string) => `AUTH PLAIN ${Buffer.from(`\0falco\0${word}`).toString('base64')}\r\n`
    expect(await talk(closed().port, ['MAIL FROM:<x@example.org>\r\n'])).toContain('530 ')
    expect(await talk(closed().port, [login('wrong')])).toContain('535 ')
    expect(await talk(closed().port, [login('secret')])).toContain('235 ')
  })

  test('is the version that versions.ts names', () => {
    const manifest = readFileSync(join(smtp.cached()[0] ?? '', 'package.json'), 'utf8')
    expect(JSON.parse(manifest)).toMatchObject({ name: 'smtp-server', version: smtp.version })
  })
})
