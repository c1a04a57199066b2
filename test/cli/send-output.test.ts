import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { folder, ROOT, yarak } from './_kit.ts'

const files = folder()

const left: (() => void)[] = []
afterEach(() => {
  for (const close of left.splice(0)) close()
})

/** A server that keeps what it gets. */
const server = async (status = 200, body = ''): Promise<{ url: string; got: { url: string; body: string }[] }> => {
  const got: { url: string; body: string }[] = []
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    got.push({ url: request.url ?? '', body: await text(request) })
    response.writeHead(status).end(body)
  }
  const made = createServer((request, response) => void take(request, response))
  made.listen(0, '127.0.0.1')
  await once(made, 'listening')
  left.push(() => void made.close())
  return { url: `http://127.0.0.1:${(made.address() as AddressInfo).port}`, got }
}

const config = (outputs: string): string => files.write('yarak.yaml', `version: 1\noutputs:\n${outputs}`)

describe('send --output', () => {
  it('tells the output of a sample, past its filters, and says how long it took', async () => {
    const { url, got } = await server()
    const file = config(`  webhook/a: { address: '${url}/hook', minimumPriority: emergency }\n`)
    const { code, out, err } = await yarak(['send', '--output', 'webhook/a', '--config', file])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(/^webhook\/a took it after \d+ ms\n$/)
    expect(got).toHaveLength(1)
    expect(JSON.parse(got[0]?.body ?? '')).toMatchObject({ rule: 'Terminal shell in container' })
  })

  it('tells of an alert of your own, and of a response to it with a link to its trace', async () => {
    const { url, got } = await server()
    const file = config(`  webhook: { address: '${url}' }\ntraceUrl: 'http://jaeger:16686/trace/{traceId}'\n`)
    const alert = files.write(
      'alert.json',
      '{"rule":"Mine","priority":"Error","time":"2026-01-31T12:00:00Z","output":"o"}',
    )
    const { code } = await yarak(['send', alert, '--output', 'webhook', '--report', '--config', file])
    expect(code).toBe(0)
    expect(JSON.parse(got[0]?.body ?? '')).toMatchObject({
      rule: 'Mine',
      response: { outcome: 'succeeded' },
      trace_url: 'http://jaeger:16686/trace/4bf92f3577b34da6a3ce929d0e0e4736',
    })
  })

  it('with --dry-run shows the request, secrets masked, and sends nothing', async () => {
    const { url, got } = await server()
    const file = config(
      `  webhook: { address: '${url}/secret-path-1234', headers: { x-api-key: secret-value-1 } }\n` +
        `  slack: { webhookUrl: '${url}/secret-path-5678' }\n`,
    )
    const { code, out } = await yarak(['send', '--output', 'webhook', '--dry-run', '--config', file])
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({ method: 'POST', url: '***', body: { rule: 'Terminal shell in container' } })
    expect(out).not.toMatch(/secret-/)
    const slack = await yarak(['send', '--output', 'slack', '--dry-run', '--report', '--config', file])
    expect(slack.out).toContain('[succeeded] Shell in a container')
    expect(slack.out).not.toMatch(/secret-/)
    expect(got).toEqual([])
  })

  it('says why the output did not take it, whether that may pass, and exits with 1', async () => {
    const [busy, wrong] = await Promise.all([server(503, 'later'), server(400, 'no such channel')])
    const file = config(`  webhook/busy: { address: '${busy.url}' }\n  webhook/wrong: { address: '${wrong.url}' }\n`)
    const one = await yarak(['send', '--output', 'webhook/busy', '--config', file])
    expect(one).toMatchObject({ code: 1, out: '' })
    expect(one.err).toMatch(
      /^yarak: webhook\/busy did not take it: .* answered 503: later \(the gateway would try again\)\n$/,
    )
    const other = await yarak(['send', '--output', 'webhook/wrong', '--config', file])
    expect(other.err).toContain('answered 400: no such channel (trying again would not help)')
  })

  it('shows what a server says as a terminal does not obey it', async () => {
    const { url } = await server(400, 'no \u001b[2J\u202e such')
    const file = config(`  webhook: { address: '${url}' }\n`)
    const { err } = await yarak(['send', '--output', 'webhook', '--config', file])
    expect(err).toContain('no \\u001b[2J\\u202e such')
  })

  it('with --dry-run masks secrets also in the form that they have in an address', async () => {
    const plugin = files.write(
      'keyed.ts',
      `import { defineHttpOutput, secret, z } from '${pathToFileURL(resolve(ROOT, 'src/plugin.ts')).href}'
export const keyed = defineHttpOutput({
  type: 'keyed',
  summary: 'Has its key in the address.',
  config: z.strictObject({ key: secret().describe('A key.'), hook: secret().describe('An address.') }),
  request: (_notice, { key, hook }) => ({
    url: 'http://127.0.0.1:1/x?key=' + encodeURIComponent(key),
    body: { hook: new URL(hook).pathname },
  }),
})
`,
    )
    const settings = `{ key: 'a+b/c=', hook: 'https://example.com/hooks/t0k3n-of-all' }`
    const file = config(`  keyed: ${settings}\nplugins: ['${plugin}']\n`)
    const { code, out, err } = await yarak(['send', '--output', 'keyed', '--dry-run', '--config', file])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(JSON.parse(out)).toMatchObject({ url: 'http://127.0.0.1:1/x?key=***', body: { hook: '/hooks/***' } })
  })

  it('names the outputs that there are, and refuses flags without one', async () => {
    const file = config(`  stdout: {}\n  webhook: { address: 'http://127.0.0.1:1' }\n`)
    const one = await yarak(['send', '--output', 'slack', '--config', file])
    expect(one).toMatchObject({
      code: 1,
      err: 'yarak: no output slack is configured; there are stdout, webhook\n',
    })
    expect((await yarak(['send', '--dry-run'])).err).toBe('yarak: --dry-run and --report go with --output\n')
  })
})
