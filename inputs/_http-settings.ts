/** The settings of the HTTP input. */
import { isIP } from 'node:net'
import { duration, secret, size, z } from '../src/plugin.ts'

const CIDR = /^([0-9a-f.:]+)(?:\/(\d{1,3}))?$/i

const isCidr = (text: string): boolean => {
  const [, address = '', prefix] = CIDR.exec(text) ?? []
  const version = isIP(address)
  return version !== 0 && Number(prefix ?? 0) <= (version === 4 ? 32 : 128)
}

const basic = z.strictObject({
  username: z
    .string()
    .regex(/^[^:]+$/, 'must not be empty, nor hold a colon')
    .describe('The user.'),
  password: secret().describe('The password.'),
})

const hmac = z.strictObject({
  secret: secret().describe('The key of HMAC-SHA256.'),
  header: z
    .string()
    .regex(/^[\w-]+$/, 'must be the name of a header')
    .toLowerCase()
    .default('x-hub-signature-256')
    .describe('The header that holds the signature, in hexadecimal.'),
  prefix: z.string().default('sha256=').describe('What stands before the signature.'),
})

const clientCertificates = z.strictObject({
  subjects: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe(
      'Whose certificates are taken: a common name, a DNS or URI name (`spiffe://...`), or the full subject as `CN=falco,O=Acme`. Default: every certificate that the listener verified.',
    ),
})

const rate = z.strictObject({
  perSecond: z.number().positive().describe('Events taken in a second, in the long run.'),
  burst: z.int().positive().optional().describe('Events taken at once after a pause. Default: those of one second.'),
})

export const config = z.strictObject({
  path: z.string().startsWith('/').default('/').describe('Where events are posted. Default `/`.'),
  token: secret().optional().describe('Bearer token that a sender may show. Falco itself cannot send one.'),
  basic: basic
    .optional()
    .describe('User and password that a sender may show. Falco sends those in its URL: `http://user:password@host`.'),
  hmac: hmac
    .optional()
    .describe("Key of a signature over the body as it was sent, before it is decompressed, as GitHub's webhooks do."),
  secretPath: secret()
    .regex(/^[\w.~-]{8,}$/, 'must be 8 or more of letters, digits and -._~')
    .optional()
    .describe('Events are also taken at `<path>/in/<this>`, for a sender that can only be told a URL, such as Falco.'),
  clientCertificates: clientCertificates
    .optional()
    .describe('A client certificate that the listener verified proves the sender.'),
  trust: z
    .boolean()
    .default(false)
    .describe('Takes every sender for authenticated when none of the above is set. Default false.'),
  trustedProxies: z
    .array(z.string().refine(isCidr, 'must be an address or a network such as 10.0.0.0/8'))
    .default([])
    .describe('Addresses and networks of proxies whose `X-Forwarded-For` is believed. Default none.'),
  unwrap: z
    .enum(['auto', 'log', 'message', 'data', 'none'])
    .default('auto')
    .describe(
      "Where Falco's JSON is in what log shippers post: in the member of this name, as an object or as text; or not wrapped at all. Default `auto`: wherever it is.",
    ),
  maxBody: size()
    .default(10 * 1024 * 1024)
    .describe('Largest body taken, compressed or not. Default 10MiB.'),
  maxLine: size()
    .default(1024 * 1024)
    .describe('Longest line taken of newline-delimited JSON. Default 1MiB.'),
  bodyTimeout: duration().prefault('10s').describe('How long a sender may take to send a body. Default 10s.'),
  concurrency: z
    .int()
    .positive()
    .default(256)
    .describe('Bodies that are read and accepted at the same time; others wait for up to a second. Default 256.'),
  rate: rate
    .optional()
    .describe('Beyond it the answer is 429. Falco does not send again: such an alert is lost. Default no limit.'),
  catchAll: z
    .boolean()
    .default(false)
    .describe('Takes events at every path that nothing else is served at, as Falcosidekick does. Default false.'),
  testEndpoint: z
    .boolean()
    .default(true)
    .describe('A POST to `/test` below the path makes a test event. Default true.'),
})

export type Settings = z.output<typeof config>
