import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createNats, nats } from '../../outputs/nats.ts'
import type { NatsMessage } from '../../outputs/_nats.ts'
import { type YarakError } from '../../src/plugin.ts'
import { aNotice, anEvent } from '../../src/testing.ts'
import { createFakeLink, NEVER, opened } from './_link.ts'
import { speak } from './_tcp.ts'

const rigged = async (settings: object = {}, maxPayload = 1_048_576) => {
  const fake = createFakeLink<NatsMessage, { maxPayload: number }>({ maxPayload })
  const output = await opened(createNats(fake.driver), { hostPort: 'nats://nats:4222', ...settings })
  return { fake, ...output }
}

const subjectOf = async (rule: string, settings: object = {}) => {
  const { fake, send } = await rigged(settings)
  await send(aNotice({ event: anEvent({ rule, priority: 'Critical' }) }))
  return fake.sent[0]?.subject
}

describe('the subject', () => {
  it.each([
    ['Terminal shell in container', 'falco.critical.terminal_shell_in_container'],
    ['  <Write> below /etc!! ', 'falco.critical.write_below_etc'],
    ['a.b > c.*', 'falco.critical.a_b_c'],
    ['規則 🦉', 'falco.critical._'],
    ['$&', 'falco.critical._'],
    ['x'.repeat(9_000), `falco.critical.${'x'.repeat(256)}`],
  ])('of the rule %j', async (rule, subject) => {
    expect(await subjectOf(rule)).toBe(subject)
  })

  it('is made of the template', async () => {
    expect(await subjectOf('A b', { subjectTemplate: 'x.<rule>.<rule>.<priority>' })).toBe('x.a_b.a_b.critical')
    expect(await subjectOf('A b', { subjectTemplate: 'alerts' })).toBe('alerts')
  })

  it('is one that can be published to, whatever the rule', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', minLength: 1, maxLength: 400 }), async (rule) => {
        expect(await subjectOf(rule)).toMatch(/^falco\.critical\.[a-z0-9_]{1,256}$/)
      }),
      { numRuns: 50 },
    )
  })
})

describe('a message', () => {
  it('has the id of its notice, and its place in the trace', async () => {
    const { fake, send } = await rigged()
    await send(aNotice())
    expect(fake.sent[0]).toMatchObject({ id: aNotice().id, headers: { traceparent: aNotice().traceparent } })
  })

  it('is cut to what the server takes, headers included', async () => {
    const { fake, send } = await rigged({}, 8_192)
    await send(aNotice({ event: anEvent({ output: 'x'.repeat(20_000) }) }))
    const { data = '' } = fake.sent[0] ?? {}
    expect(Buffer.byteLength(data)).toBeLessThanOrEqual(8_192 - 1_024)
    expect(JSON.parse(data)).toMatchObject({ truncated: true })
  })
})

describe('the settings', () => {
  it.each([
    ['nats:4222', ['nats:4222']],
    ['tls://nats.example.com:4222', ['tls://nats.example.com:4222']],
    [
      ['nats://a:1', 'nats://[::1]:2'],
      ['nats://a:1', 'nats://[::1]:2'],
    ],
  ])('take the address %j', (hostPort, taken) => {
    expect(nats.config.parse({ hostPort }).hostPort).toEqual(taken)
  })

  it.each([
    [{}, /hostPort is required/],
    [{ hostPort: 'nats://user:pass@nats:4222' }, /without credentials/],
    [{ hostPort: 'http://nats:4222' }, /nats:\/\/host:port/],
    [{ hostPort: [] }, /hostPort/],
    [{ hostPort: 'n:1', subjectTemplate: 'falco.>' }, /without spaces and wildcards/],
    [{ hostPort: 'n:1', subjectTemplate: 'falco..<rule>' }, /without spaces and wildcards/],
    [{ hostPort: 'n:1', subjectTemplate: 'a b' }, /without spaces and wildcards/],
    [{ hostPort: 'n:1', password: 'p' }, /password needs a username/],
    [{ hostPort: 'n:1', stream: 'A.B' }, /name of a stream/],
  ])('refuse %j', (config, message) => {
    expect(() => nats(config as never)).toThrow(message)
  })
})

/** The little of NATS's protocol that publishing takes. */
const server = (how: { maxPayload?: number; onConnect?: string; onPublish?: (subject: string) => string } = {}) => {
  const published: { subject: string; headers: string; body: string }[] = []
  const connects: Record<string, unknown>[] = []
  const info = { server_id: 'x', version: '2.9.10', proto: 1, headers: true, max_payload: how.maxPayload ?? 1_048_576 }
  const started = speak(
    (socket, data) => {
      for (let rest = data; ;) {
        const end = rest.indexOf('\r\n')
        if (end < 0) return rest
        const line = rest.subarray(0, end).toString()
        const [, subject = '', header = '', size = ''] = /^HPUB (\S+) (\d+) (\d+)/.exec(line) ?? []
        const next = end + 2 + (size ? Number(size) + 2 : 0)
        if (rest.length < next) return rest
        const body = rest.subarray(end + 2, next)
        rest = rest.subarray(next)
        if (line.startsWith('CONNECT ')) {
          connects.push(JSON.parse(line.slice(8)) as Record<string, unknown>)
          if (how.onConnect) socket.end(how.onConnect)
        }
        if (line === 'PING') socket.write('PONG\r\n')
        if (!subject) continue
        const answer = how.onPublish?.(subject) ?? ''
        if (answer === 'drop') return (socket.destroy(), Buffer.alloc(0))
        if (answer) socket.write(answer)
        const at = Number(header)
        published.push({ subject, headers: body.subarray(0, at).toString(), body: body.subarray(at, -2).toString() })
      }
    },
    (socket) => socket.write(`INFO ${JSON.stringify(info)}\r\n`),
  )
  return started.then((one) => Object.assign(one, { published, connects }))
}

const real = (port: number, more: object = {}) => opened(nats, { hostPort: `nats://127.0.0.1:${port}`, ...more })

describe('the client', () => {
  it('signs in, publishes with headers, and waits for the server', async () => {
    await using at = await server()
    const { send, sender } = await real(at.port, { username: 'u', password: 'p' })
    await send(aNotice(), aNotice({ event: anEvent({ rule: 'B' }) }))
    await sender.close?.()
    expect(at.connects).toMatchObject([{ user: 'u', pass: 'p', name: 'yarak' }])
    expect(at.published.map(({ subject }) => subject)).toEqual([
      'falco.notice.terminal_shell_in_container',
      'falco.notice.b',
    ])
    expect(at.published[0]?.headers).toContain(`traceparent: ${aNotice().traceparent}`)
    expect(JSON.parse(at.published[0]?.body ?? '')).toMatchObject({ uuid: anEvent().id })
  })

  it('signs in with a token', async () => {
    await using at = await server()
    const { send, sender } = await real(at.port, { token: 't0ken' })
    await send(aNotice())
    await sender.close?.()
    expect(at.connects).toMatchObject([{ auth_token: 't0ken' }])
  })

  it('tells of each message that the user may not publish', async () => {
    await using at = await server({
      onPublish: (subject) =>
        subject.endsWith('.b') ? `-ERR 'Permissions Violation for Publish to "${subject}"'\r\n` : '',
    })
    const { send, sender } = await real(at.port)
    const notices = ['a', 'b', 'c'].map((rule) => aNotice({ event: anEvent({ rule }) }))
    await expect(send(...notices)).rejects.toMatchObject({
      code: 'failed',
      failed: [{ index: 1, permanent: false, reason: 'authorization' }],
    })
    await send(aNotice({ event: anEvent({ rule: 'd' }) }))
    expect(at.counts.connections).toBe(1)
    await sender.close?.()
  })

  it('gives up what the server never takes, however short', async () => {
    await using at = await server({ maxPayload: 64 })
    const { send, sender } = await real(at.port)
    await expect(send(aNotice())).rejects.toMatchObject({ permanent: true, reason: 'rejected' })
    await sender.close?.()
  })

  it('says when it is not let in', async () => {
    await using at = await server({ onConnect: "-ERR 'Authorization Violation'\r\n" })
    const { send } = await real(at.port, { username: 'u', password: 'hush-hush' })
    const error = await send(aNotice()).catch((reason: unknown) => reason as YarakError)
    expect(error).toMatchObject({ code: 'unavailable', reason: 'authentication', permanent: false })
    expect(String(error)).not.toContain('hush')
  })

  it('connects again after the connection was lost in the middle', async () => {
    let drops = 1
    await using at = await server({ onPublish: () => (drops-- > 0 ? 'drop' : '') })
    const { send, sender } = await real(at.port)
    await expect(send(aNotice())).rejects.toMatchObject({ code: 'unavailable', permanent: false })
    await send(aNotice())
    expect(at).toMatchObject({ counts: { connections: 2 }, published: { length: 1 } })
    await sender.close?.()
  })

  it('names a file of credentials that cannot be read', async () => {
    const { sender } = await real(1, { credsFile: '/nowhere/user.creds' })
    await expect(sender.send([aNotice()], NEVER)).rejects.toMatchObject({ code: 'config', reason: 'creds-file' })
  })

  it('lets go of a server that says nothing', async () => {
    await using at = await speak(() => Buffer.alloc(0))
    const { sender } = await real(at.port)
    const stop = new AbortController()
    const sending = sender.send([aNotice()], stop.signal)
    await expect.poll(() => at.counts.connections).toBe(1)
    stop.abort()
    await expect(sending).rejects.toMatchObject({ code: 'interrupted' })
  })
})
