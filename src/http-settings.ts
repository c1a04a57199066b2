/** The settings that every output has that sends by HTTP. */
import { z } from 'zod'

/** RFC 9110, 5.6.2: the characters of a header's name. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

/** Visible ASCII, Latin-1, spaces and tabs: what a header may hold without injecting another. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** Further request headers. Values are secrets. */
export const requestHeaders = () =>
  z.record(
    z.string().regex(HEADER_NAME, 'must be the name of an HTTP header'),
    z.string().regex(HEADER_VALUE, 'must be one line of a header').meta({ secret: true }),
  )

/** The settings of every output that sends by HTTP, in its section `http`. */
export const httpSettings = z.strictObject({
  headers: requestHeaders().default({}).describe("Further request headers; they replace the output's own."),
  tls: z
    .strictObject({
      caFile: z
        .string()
        .min(1)
        .optional()
        .describe("PEM file of who signed the server's certificate, in place of the system's list."),
      certFile: z.string().min(1).optional().describe('PEM file of a client certificate.'),
      keyFile: z.string().min(1).optional().describe('PEM file of its key.'),
      verify: z.boolean().default(true).describe("Check the server's certificate. Default true."),
    })
    .optional()
    .describe('TLS of the connection.'),
  proxy: z
    .url({ protocol: /^https?$/, error: 'must be an http or https address' })
    .meta({ secret: true })
    .optional()
    .describe('Address of an HTTP proxy, also with name and password. Default: HTTPS_PROXY, HTTP_PROXY and NO_PROXY.'),
  compression: z
    .enum(['none', 'gzip'])
    .default('none')
    .describe('Compresses request bodies; the server must take that. Default none.'),
  denyPrivate: z
    .boolean()
    .default(false)
    .describe(
      'Refuses to connect to loopback, link-local and private addresses, e.g. the metadata service of a cloud.',
    ),
})

/** {@link httpSettings}, checked; of what is not given the default holds. */
export type HttpConnection = Partial<z.output<typeof httpSettings>>

/** TLS of a destination. Files are read when the first connection is made. */
export interface TlsOptions {
  readonly caFile?: string | undefined
  readonly certFile?: string | undefined
  readonly keyFile?: string | undefined
  /** Check the server's certificate. Default true. */
  readonly verify?: boolean | undefined
}
