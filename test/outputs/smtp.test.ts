import fc from 'fast-check'
import { simpleParser } from 'mailparser'
import { afterEach, describe, expect, it } from 'vitest'
import { mailOf } from '../../outputs/_mail.ts'
import { addressOf, saslLines, type SmtpSettings } from '../../outputs/_smtp.ts'
import { smtp, smtpSettings } from '../../outputs/smtp.ts'
import type { Notice } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport, oddEvents, testIo } from '../../src/testing.ts'
import { falcosidekickSent } from './_falcosidekick.ts'
import { fakeSmtp, type FakeSmtp } from './_fake-smtp.ts'

const NEVER = new AbortController().signal

type Settings = Parameters<typeof smtp>[0]

let server: FakeSmtp | undefined
afterEach(async () => {
  await server?.close()
  server = undefined
})

/** The output on a server of its own. */
const opened = async (settings: Partial<Settings> = {}) => {
  const fake = await fakeSmtp()
  server = fake
  const io = testIo()
  const given = { hostPort: `127.0.0.1:${fake.port}`, tls: false, from: 'falco@example.com', to: 'a@example.com' }
  const sender = await smtp.open(smtp.config.parse({ ...given, ...settings }), io)
  return { fake, io, sender }
}

/** The mail that arrives for a notice. */
const arrived = async (notice: Notice, settings: Partial<Settings> = {}) => {
  const { fake, sender } = await opened(settings)
  await sender.send([notice], NEVER)
  await sender.close?.()
  return { fake, source: fake.mails[0] ?? '', mail: await simpleParser(fake.mails[0] ?? '') }
}

/** Of one of Falcosidekick's mails: subject and plain text. */
const partsOf = (body: string) => {
  const subject = /^Subject: ([\s\S]*?)\r\nFrom: /.exec(body)?.[1] ?? ''
  const text = /charset="UTF-8"\r\n\r\n([\s\S]*?)(?:\r\n)*--4t74weu9byeSdJTM/.exec(body)?.[1] ?? ''
  return { subject, text: text.replaceAll('\r\n', '\n') }
}

const CUT = '[...]'

/** Falcosidekick's text with the intended differences: no empty lines of what is not there, no Go. */
const expected = (text: string, { event }: Notice): string[] =>
  text
    .replace(/^Output: [\s\S]*?(?=^Rule: )/m, `Output: ${event.output.replace('\n', '\n  ')}\n`)
    .replace(/^Tags: .*$/m, event.tags.length > 0 ? `Tags: ${event.tags.join(', ')}` : '')
    .replace(/^Time: .*$/m, `Time: ${event.time}`)
    .replace(/^ka\.req: .*$/m, 'ka.req: {"z":{"a":[1,2.5,1000]},"b":"<x>"}')
    .replace(/^proc\.args: .*$/m, 'proc.args: ["a",["b",null,1]]')
    .split('\n')
    .filter((line) => line !== 'Hostname: ' && line !== '' && !line.endsWith('<no value>') && !line.includes(CUT))

describe('what a mail says', () => {
  it('is what the text part of Falcosidekick says', () => {
    for (const { notice, requests } of falcosidekickSent('smtp').exchanges) {
      const theirs = partsOf(requests[0]?.body ?? '')
      const ours = mailOf(notice)
      const isLong = theirs.text.includes(CUT)
      const lines = ours.text.split('\n').filter((line) => line !== '' && !line.endsWith('… [cut]'))
      expect(lines).toEqual(expected(theirs.text, notice).filter((line) => !isLong || !line.startsWith('Output: ')))
      if (!isLong) expect(ours.subject).toBe(theirs.subject.replaceAll(/\s+/g, ' ').trim())
    }
  })

  it('of a report is what was done, how long it took, its trace and how to undo it', () => {
    const steps = aReport().steps.map((step) => ({ ...step, undoable: true }))
    const report = aReport({ outcome: 'failed', steps })
    const { subject, text, html } = mailOf(aNotice({ report, traceUrl: 'https://jaeger.example.com/trace/4b?a=1&b=2' }))
    expect(subject).toBe('[failed] Shell in a container')
    expect(text).toBe(`Steps: kubernetes:label: succeeded, labelled default/web-1
  kubernetes:terminate: succeeded
Response: ${report.id}
Rule: Shell in a container
Outcome: failed
Mode: enforce
Target: pod/default/web-1
Event: A shell was spawned in a container with an attached terminal (user=root command=bash pod=web-1)
Duration: 42 ms
Trace: https://jaeger.example.com/trace/4b?a=1&b=2
Undo: yarak responses undo ${report.id}
Time: ${report.startedAt}
`)
    expect(html).toContain('<a href="https://jaeger.example.com/trace/4b?a=1&amp;b=2">')
    expect(html).toContain('#e20b0b')
  })

  it('of a digest is how many alerts there were', () => {
    const digest = { count: 12, first: '2026-01-31T12:00:00Z', last: '2026-01-31T12:01:00Z' }
    const { subject, text } = mailOf(aNotice({ digest, event: anEvent({ output: 'x'.repeat(500) }) }))
    expect(subject).toMatch(/… \[cut\] \(12 alerts\)$/)
    expect(subject).toHaveLength(200)
    expect(text).toContain('Alerts: 12 from 2026-01-31T12:00:00Z to 2026-01-31T12:01:00Z\n')
  })

  it('lets no value pass for another field, nor for markup', () => {
    const output = 'a\nRule: harmless\r\n</td><script>alert(1)</script>'
    const fields = { 'x\nPriority: Debug': '"><img src=x>', trace: 'https://evil.example' }
    const { text, html } = mailOf(aNotice({ event: anEvent({ output, output_fields: fields }) }))
    expect(text.match(/^Rule: /gm)).toHaveLength(1)
    expect(text.match(/^Priority: /gm)).toHaveLength(1)
    expect(html).not.toMatch(/<script|<img|<a /)
    expect(html).toContain('&lt;script&gt;')
  })

  it('is bounded, whatever the event says', () => {
    const output_fields = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`f${i}`, 'v'.repeat(9_000)]))
    const { text, html } = mailOf(aNotice({ event: anEvent({ output: 'x'.repeat(1_000_000), output_fields }) }))
    expect(text.length).toBeLessThan(100_000)
    expect(html.length).toBeLessThan(200_000)
    expect(text).toContain('cut: 300 more fields\n')
  })

  it('has well-formed lines for anything', () => {
    const text = fc.string({
      unit: fc.constantFrom('<', '&', '"', '\n', '\r', '\u2028', '\u202e', '\ud800', 'x', '\0'),
    })
    fc.assert(
      fc.property(text, text, fc.dictionary(text, text, { maxKeys: 5 }), (output, hostname, output_fields) => {
        const made = mailOf(aNotice({ event: anEvent({ output, hostname, output_fields }) }))
        expect(made.subject).toMatch(/^[^\p{Cc}\u2028\u202e]{1,200}$/u)
        expect(made.text).toMatch(/^[^\u0000-\u0009\u000b-\u001f\u2028\u202e]*$/)
        for (const line of made.text.split('\n').filter(Boolean)) expect(line).toMatch(/^( {2}|[^:]*: |--Fields--$)/)
        expect(made.html.replaceAll(/<\/?(!doctype|meta|p|strong|table|tr|td|br)\b[^<>]*>/g, '')).not.toMatch(/[<>]/)
        expect([made.text, made.html, made.subject].every((one) => one.isWellFormed())).toBe(true)
      }),
      { numRuns: 60 },
    )
  })
})

describe('a mail', () => {
  it('has the text beside the HTML, and headers that no robot answers', async () => {
    const { mail, fake } = await arrived(aNotice(), { from: 'Falco <falco@example.com>', to: 'a@e.com, b@e.com' })
    expect(mail).toMatchObject({
      subject: `[Notice] ${anEvent().output}`,
      date: new Date('2026-01-31T12:00:00Z'),
      messageId: `<${aNotice().id}@example.com>`,
      from: { value: [{ name: 'Falco', address: 'falco@example.com' }] },
      to: { value: [{ address: 'a@e.com' }, { address: 'b@e.com' }] },
    })
    expect(mail.headers.get('auto-submitted')).toBe('auto-generated')
    expect(mail.text).toContain('Rule: Terminal shell in container')
    expect(mail.html).toContain('<table')
    expect(fake.heard).toContain('MAIL FROM:<falco@example.com>')
    expect(fake.heard).toEqual(expect.arrayContaining(['RCPT TO:<a@e.com>', 'RCPT TO:<b@e.com>']))
  })

  it('is text alone where that is asked for', async () => {
    const { mail } = await arrived(aNotice(), { outputFormat: 'text' })
    expect(mail.html).toBe(false)
    expect(mail.text).toContain('Rule: Terminal shell in container')
  })

  it('has no header of an event, whatever that says', async () => {
    const evil = 'x\r\nBcc: evil@example.com\r\n\r\nbody\r\n.\r\nMAIL FROM:<evil@example.com>'
    const event = anEvent({ output: evil, rule: evil, hostname: evil, output_fields: { [evil]: evil } })
    const { mail, source, fake } = await arrived(aNotice({ event, report: aReport({ rule: evil }) }))
    expect([...mail.headers.keys()]).not.toContain('bcc')
    expect(source.split('\r\n\r\n')[0]).not.toMatch(/^bcc/im)
    expect(fake.heard.filter((line) => line.startsWith('MAIL'))).toEqual(['MAIL FROM:<falco@example.com>'])
    expect(fake.mails).toHaveLength(1)
  })

  it('is one for each notice, over one connection', async () => {
    const { fake, sender, io } = await opened()
    await sender.send([aNotice(), aNotice({ report: aReport() })], NEVER)
    await Promise.all(oddEvents().map(({ event }) => sender.send([aNotice({ event })], NEVER)))
    expect(fake.mails).toHaveLength(2 + oddEvents().length)
    expect(fake.connections).toBe(1)
    expect(io.spans[0]).toMatchObject({
      name: 'send 127.0.0.1',
      kind: 'client',
      attributes: { 'server.address': '127.0.0.1', 'server.port': fake.port },
    })
    await sender.close?.()
  })
})

describe('a server', () => {
  const refusing = async (say: FakeSmtp['say'], settings: Partial<Settings> = {}) => {
    const { fake, io, sender } = await opened(settings)
    fake.say = say
    const send = () => sender.send([aNotice()], NEVER)
    return { fake, io, sender, send }
  }

  it.each([
    ['421 4.7.0 try again later', /^MAIL/, false, '421'],
    ['450 4.2.1 busy', /^RCPT/, false, '450'],
    ['451 4.3.0 no disk', /^\.$/, false, '451'],
    ['550 5.1.1 no such user', /^RCPT/, true, '550'],
    ['552 5.3.4 too big', /^\.$/, true, '552'],
    ['554 5.7.1 rejected', /^DATA/, true, '554'],
  ])('that says %s is understood, and taken up anew', async (said, at, permanent, reason) => {
    const { fake, send } = await refusing((line) => (at.test(line) ? said : undefined))
    await expect(send()).rejects.toMatchObject({ code: 'failed', permanent, reason })
    fake.say = undefined
    await send()
    expect(fake.mails.at(-1)).toContain('Subject: ')
    expect(fake.connections).toBe(2)
  })

  it('that refuses some recipients has delivered to the others', async () => {
    const say = (line: string) => (line.includes('b@e.com') ? '550 5.1.1 no such user' : undefined)
    const { send, fake, io } = await refusing(say, { to: ['a@e.com', 'b@e.com', 'c@e.com'] })
    await send()
    expect(fake.mails).toHaveLength(1)
    expect(io.lines).toEqual([
      { level: 'warn', message: 'recipients were refused', fields: { refused: ['b@e.com'], recipients: 3 } },
    ])
  })

  it.each(['hello', 'EHLO', 'MAIL', 'DATA', '.'])('that goes away at %s is tried again', async (at) => {
    const { fake, send } = await refusing((line) => (line.startsWith(at) ? 'cut' : undefined))
    await expect(send()).rejects.toMatchObject({ code: 'unavailable', permanent: false })
    fake.say = undefined
    await send()
    expect(fake.mails.length).toBeGreaterThan(0)
  })

  it('that went away between two mails is connected to again', async () => {
    const { fake, send } = await refusing(undefined)
    await send()
    fake.drop()
    await send().catch(() => send())
    expect(fake.mails).toHaveLength(2)
    expect(fake.connections).toBe(2)
  })

  it('that is not there is unavailable', async () => {
    const { fake, send } = await refusing(undefined)
    await fake.close()
    server = undefined
    await expect(send()).rejects.toMatchObject({ code: 'unavailable', reason: 'esocket', permanent: false })
  })

  it.each(['hello', 'EHLO', 'MAIL', '.'])(
    'that hangs at %s is left at once, and no other mail waits for it',
    async (at) => {
      const { fake, sender } = await refusing((line, connection) =>
        connection === 1 && line.startsWith(at) ? 'hang' : undefined,
      )
      const stop = new AbortController()
      const first = sender.send([aNotice()], stop.signal)
      const second = sender.send([aNotice({ event: anEvent({ output: 'second' }) })], NEVER)
      setTimeout(() => stop.abort(), 50)
      await expect(first).rejects.toMatchObject({ code: 'interrupted' })
      await second
      expect(fake.mails.at(-1)).toContain('second')
      await sender.close?.()
    },
  )

  it('without STARTTLS gets nothing, unless TLS is off', async () => {
    const say = (line: string) => (line === 'STARTTLS' ? '502 5.5.1 not here' : undefined)
    const { send, fake } = await refusing(say, { tls: true, user: 'u', password: 'a-secret-word' })
    await expect(send()).rejects.toMatchObject({
      permanent: false,
      reason: 'etls',
      message: expect.stringContaining('STARTTLS'),
    })
    expect(fake.heard.join()).not.toMatch(/AUTH|MAIL/)
  })

  it('that does not accept the password is told of without it', async () => {
    const say = (line: string) => (line.startsWith('AUTH') ? '535 5.7.8 a-secret-word is wrong' : undefined)
    const { send, fake } = await refusing(say, { user: 'u', password: 'a-secret-word' })
    const error = await send().catch((reason: Error) => reason)
    expect(error).toMatchObject({ permanent: true, reason: '535', message: expect.stringContaining('*** is wrong') })
    expect(fake.heard.join()).not.toContain('MAIL')
  })

  it('that quotes how we sign in is told of without that', async () => {
    const say = (line: string) => (line.startsWith('AUTH') ? `500 5.5.1 what is ${line}?` : undefined)
    const { send } = await refusing(say, { user: 'u', password: 'p4ss' })
    await expect(send()).rejects.toMatchObject({
      message: expect.stringContaining('what is AUTH PLAIN ***?') as string,
    })
  })

  it('that cannot check the password now is asked again', async () => {
    const { send } = await refusing((line) => (line.startsWith('AUTH') ? '454 4.7.0 later' : undefined), {
      user: 'u',
      password: 'p',
    })
    await expect(send()).rejects.toMatchObject({ permanent: false, reason: '454' })
  })

  it.each<[Partial<Settings>, string[], string[]]>([
    [{ user: 'u', password: 'p', identity: 'i' }, [], ['AUTH PLAIN aQB1AHA=']],
    [
      { authMechanism: 'login', user: 'u', password: 'p' },
      ['334 VXNlcm5hbWU6', '334 UGFzc3dvcmQ6'],
      ['AUTH LOGIN', 'dQ==', 'cA=='],
    ],
    [{ authMechanism: 'external', identity: 'falco' }, [], ['AUTH EXTERNAL ZmFsY28=']],
    [{ authMechanism: 'external' }, [], ['AUTH EXTERNAL =']],
    [{ authMechanism: 'anonymous', trace: 'falco@example.com' }, [], ['AUTH ANONYMOUS ZmFsY29AZXhhbXBsZS5jb20=']],
    [{ authMechanism: 'none', user: 'u', password: 'p' }, [], []],
    [{}, [], []],
  ])('is signed in to with %j', async (settings, asks, lines) => {
    const waiting = [...asks]
    const isOfSignIn = (line: string) => lines.includes(line)
    const { send, fake } = await refusing((line) => (isOfSignIn(line) ? waiting.shift() : undefined), settings)
    await send()
    expect(fake.heard.slice(1, 1 + lines.length)).toEqual(lines)
    expect(fake.heard[1 + lines.length]).toMatch(/^MAIL/)
  })

  it('that refuses a token is heard out', async () => {
    const settings = { authMechanism: 'oauthbearer', user: 'u', token: 'a-secret-token' } as const
    const say = (line: string) =>
      line.startsWith('AUTH OAUTHBEARER')
        ? '334 eyJzdGF0dXMiOiI0MDEifQ=='
        : line === 'AQ=='
          ? '535 5.7.8 no'
          : undefined
    const { send, fake } = await refusing(say, settings)
    await expect(send()).rejects.toMatchObject({ permanent: true, reason: '535' })
    expect(fake.heard.filter((line) => !line.startsWith('EHLO'))).toEqual([expect.stringMatching(/^AUTH/), 'AQ=='])
  })
})

describe('settings', () => {
  const base = { hostPort: 'smtp.example.com:587', from: 'f@e.com', to: 'a@e.com' }

  it.each([
    [{ hostPort: 'smtp.example.com' }, /hostPort: must be host:port/],
    [{ hostPort: 'smtp://e.com:25' }, /host:port/],
    [{ from: 'falco' }, /from: must be a mail address/],
    [{ from: 'f@e.com\r\nBcc: x@e.com' }, /mail address/],
    [{ to: '' }, /must name a recipient/],
    [{ to: ['a@e.com', 'b'] }, /mail address/],
    [{ authMechanism: 'oauthbearer' }, /oauthbearer needs a token/],
    [{ authMechanism: 'cram-md5' }, /authMechanism must be one of/],
    [{ tls: { caFile: 'ca.pem', other: 1 } }, /tls/],
  ])('%j are refused', (settings, message) => {
    expect(() => smtp({ ...base, ...settings } as Settings)).toThrow(message)
  })

  it.each([
    ['a@e.com,b@e.com', ['a@e.com', 'b@e.com']],
    [' Ann <a@e.com> , b@e.com,', ['Ann <a@e.com>', 'b@e.com']],
  ])('recipients %j are read as %j', (to, list) => {
    expect(smtp.config.parse({ ...base, to })).toMatchObject({ to: list, tls: true, authMechanism: 'plain' })
  })

  it.each([
    ['smtp.example.com:587', true, { host: 'smtp.example.com', port: 587, secure: false, requireTLS: true }],
    ['smtp.example.com:465', true, { port: 465, secure: true, requireTLS: true, ignoreTLS: false }],
    ['smtp.example.com:465', false, { secure: false, requireTLS: false, ignoreTLS: true }],
    ['relay:25', { verify: false }, { host: 'relay', port: 25, secure: false, requireTLS: true }],
    ['[2001:db8::1]:587', true, { host: '2001:db8::1', port: 587 }],
  ])('%s with TLS %j is connected to as it says', (hostPort, tls, address) => {
    expect(addressOf(smtpSettings(smtp.config.parse({ ...base, hostPort, tls })))).toMatchObject(address)
  })

  it('a token is told as RFC 7628 says, whatever the name', () => {
    const settings = { host: 'h', port: 587, authMechanism: 'oauthbearer', user: 'a=b,c', token: 't' }
    const [line = ''] = saslLines(settings as unknown as SmtpSettings) ?? []
    const said = Buffer.from(line.split(' ')[2] ?? '', 'base64').toString()
    expect(said).toBe('n,a=a=3Db=2Cc,\u0001host=h\u0001port=587\u0001auth=Bearer t\u0001\u0001')
  })

  it('shows the mail before it is sent', () => {
    expect(smtp.preview?.(aNotice(), smtp.config.parse(base))).toMatchObject({
      to: ['a@e.com'],
      subject: `[Notice] ${anEvent().output}`,
    })
  })
})
