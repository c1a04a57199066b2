import { createHmac } from 'node:crypto'
import { defineAction, duration, type HttpRequest, type Result, secret, toJson, z } from '../plugin.ts'
import { AS_WRITTEN, fixed } from './_fixed.ts'
import { cut } from './_text.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

const headerName = z.string().regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'must be the name of a header')

/** No control characters: with a line break in it, a value would become a second header. */
const headerValue = secret().regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'must be one line of Latin-1 text')

const sign = z.strictObject({
  secret: secret().describe('The key.'),
  header: headerName
    .default('x-hub-signature-256')
    .describe('The header that holds the signature. Default x-hub-signature-256.'),
  algorithm: z
    .enum(['sha256', 'sha384', 'sha512', 'sha1'])
    .default('sha256')
    .describe('Hash of the HMAC. Default sha256.'),
})

const params = z
  .strictObject({
    method: z.enum(METHODS).default('POST').describe('Default POST.'),
    url: z
      .string()
      .refine(isHttp, 'must be an http or https URL without user and password, spaces and /../')
      .describe('Where to.'),
    headers: z.record(headerName, headerValue).default({}).describe('Headers to send. Values are never printed.'),
    body: z
      .union([z.string(), z.record(z.string(), z.unknown())])
      .optional()
      .describe('A text is sent as it is, a map as JSON. Default none.'),
    sign: sign
      .optional()
      .describe('Signs the body by HMAC, in hexadecimal after `<algorithm>=`, as webhooks of GitHub do. Default: not.'),
    expect: z
      .array(z.int().min(200).max(599))
      .default([])
      .describe('Statuses that count as a success. Default: 200 to 299.'),
    timeout: duration().prefault('10s').describe('Deadline of the exchange. Default 10s.'),
  })
  .refine(...fixed('method'))
  .refine(...fixed('sign'))
  .refine(hostIsFixed, {
    message: 'the host of url must be fixed text: an event may not choose whom the gateway talks to',
    when: () => true,
    params: AS_WRITTEN,
  })
  .refine(({ method, body }) => body === undefined || !isReading(method), 'a GET or HEAD request has no body')

type Params = z.output<typeof params>

/** What a URL parser would quietly drop, turn into a slash or walk up by; an author writes none of it. */
const SLIPPERY = /[\s\\]|\/(\.|%2e){1,2}([/?#]|$)/i

function isHttp(text: string): boolean {
  if (!URL.canParse(text) || SLIPPERY.test(text)) return false
  const url = new URL(text)
  return /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
}

/** Up to the path, what is written holds no template. */
function hostIsFixed(settings: unknown): boolean {
  const { url } = (settings ?? {}) as { readonly url?: unknown }
  return typeof url !== 'string' || !/\{[{%]/.test(url) || /^https?:\/\/[^/?#{]+[/?#]/.test(url)
}

const isReading = (method: string): boolean => method === 'GET' || method === 'HEAD'

/**
 * Sends one HTTP request; the answer's first 64 KiB are the step's output.
 * @example httpRequest({ url: 'https://firewall.example.com/block', body: { ip: '{{ fd.rip }}' } })
 */
export const httpRequest = defineAction({
  type: 'http:request',
  summary: 'Sends one HTTP request.',
  notes: [
    'Write values of the event into a path or a query with `| url`, which percent-encodes them. The host is fixed text: whoever writes the event could otherwise choose whom the gateway talks to, also inside its own network.',
    'The input `http` checks signatures as `sign` makes them by default: set the same secret as its `hmac`.',
    'Redirections are not followed.',
  ].join('\n'),
  config: params,
  changes: ({ method }) => (isReading(method) ? 'nothing' : 'reversible'),
  example: {
    method: 'POST',
    url: 'https://firewall.example.com/block',
    headers: { authorization: 'Bearer ${env:FIREWALL_TOKEN}' },
    body: { ip: '{{ fd.rip }}' },
  },
  async run(settings, step): Promise<Result> {
    const { status, body } = await step.http(requestOf(settings), step.signal)
    return {
      summary: `${settings.method} ${new URL(settings.url).origin} answered ${status}`,
      objects: { status: String(status) },
      ...(body && { output: cut(body) }),
    }
  },
})

const requestOf = ({ method, url, headers, body, sign, timeout, expect }: Params): HttpRequest => {
  const text = typeof body === 'object' ? toJson(body) : body
  const type = typeof body === 'object' ? 'application/json; charset=utf-8' : 'text/plain; charset=utf-8'
  return {
    method,
    url,
    timeout,
    expect,
    headers: {
      ...(text !== undefined && { 'content-type': type }),
      ...lowerCased(headers),
      ...(sign && { [sign.header.toLowerCase()]: signature(sign, text ?? '') }),
    },
    ...(text !== undefined && { body: text }),
  }
}

/** Over the bytes that are sent, so that the other side need not know how they were made. */
const signature = ({ algorithm, secret }: z.output<typeof sign>, text: string): string =>
  `${algorithm}=${createHmac(algorithm, secret).update(text).digest('hex')}`

const lowerCased = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
