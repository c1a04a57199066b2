/** The setting `listen`: where the gateway listens, and what is served there to whom. */
import { z } from 'zod'

/** A place to listen at. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string }

/** TLS of a listener. The files are PEM, and are read again when they change. */
export interface TlsSettings {
  readonly certFile: string
  readonly keyFile: string
  /** The authorities of client certificates. */
  readonly caFile?: string | undefined
  /** `request` takes a connection without a certificate too, and leaves it to the inputs what it may do. */
  readonly clientAuth: 'none' | 'request' | 'require'
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
}

/** An address, and how it is served: by default everything, to everybody, in plain text. */
export type Listener = Address & {
  readonly tls?: TlsSettings | undefined
  /** Only the routes of these inputs; health and metrics all the same. */
  readonly inputs?: readonly string[] | undefined
  /** Only these paths. */
  readonly paths?: readonly string[] | undefined
  /** All but these paths. */
  readonly exceptPaths?: readonly string[] | undefined
  /** Default {@link MAX_CONNECTIONS}. */
  readonly maxConnections?: number | undefined
}

/** How many connections a listener holds at once when it does not say; further ones are closed as they come. */
export const MAX_CONNECTIONS = 2_000

const ADDRESS = 'must be host:port such as 127.0.0.1:2801 or [::]:2801, or unix:/path'

/**
 * The address that a text names; undefined when it names none. Port 0 takes any free port.
 * @example parseAddress('[::]:2801') // { host: '::', port: 2801 }
 */
export const parseAddress = (text: string): Address | undefined => {
  if (text.startsWith('unix:')) return text.length > 5 ? { path: text.slice(5) } : undefined
  const [, six, four, digits] = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([\w.-]+)):(\d{1,5})$/.exec(text) ?? []
  const host = six ?? four
  const port = Number(digits)
  return host !== undefined && port <= 65_535 ? { host, port } : undefined
}

/** The text of an address. */
export const addressText = (address: Address): string =>
  'path' in address
    ? `unix:${address.path}`
    : `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`

const CLIENTS = { none: [], request: ['client certificate asked for'], require: ['client certificate required'] }

/**
 * A listener as people read it.
 * @example listenerText(listener) // 'https://0.0.0.0:2801 (client certificate required, inputs http/falco)'
 */
export const listenerText = (listener: Listener): string => {
  const { tls, inputs, paths, exceptPaths } = listener
  const facts = [
    ...CLIENTS[tls?.clientAuth ?? 'none'],
    ...(inputs ? [inputs.length > 0 ? `inputs ${inputs.join(' ')}` : 'no inputs'] : []),
    ...(paths ? [`only ${paths.join(' ')}`] : []),
    ...(exceptPaths ? [`all but ${exceptPaths.join(' ')}`] : []),
  ]
  return `${tls ? 'https://' : ''}${addressText(listener)}${facts.length > 0 ? ` (${facts.join(', ')})` : ''}`
}

const address = z.string(ADDRESS).refine((text) => parseAddress(text) !== undefined, ADDRESS)

const file = () => z.string().min(1)

const tls = z
  .strictObject({
    certFile: file().describe('Certificate of this server and its intermediates, PEM. Read again when it changes.'),
    keyFile: file().describe('Its private key without a passphrase, PEM. Read again when it changes.'),
    caFile: file().optional().describe('Authorities that sign client certificates, PEM. Read again when it changes.'),
    clientAuth: z
      .enum(['none', 'request', 'require'])
      .optional()
      .describe('Whether clients show a certificate. Default `require` with `caFile`, else `none`.'),
    minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).default('TLSv1.2').describe('The oldest version spoken.'),
  })
  .refine(({ clientAuth = 'none', caFile }) => clientAuth === 'none' || caFile !== undefined, {
    path: ['clientAuth'],
    message: 'needs caFile: the authorities of the certificates',
  })

const path = z
  .string()
  .regex(/^\/(?:[^*]*\/)?(?:\*|[^*]*)$/, 'must be a path such as /healthz, or /admin/* for all below /admin')
const paths = () => z.array(path).min(1)

const listener = z
  .strictObject(
    {
      address: address.describe('`host:port`, `[::]:port` or `unix:/path`.'),
      tls: tls.optional().describe('Serve HTTPS. Paths of files are relative to this file.'),
      inputs: z.array(z.string()).optional().describe('Serve only these inputs here, by id. Default all.'),
      paths: paths().optional().describe('Answer only these paths here; `/x/*` is all below `/x`.'),
      exceptPaths: paths().optional().describe('Answer all but these paths here.'),
      maxConnections: z
        .int()
        .min(1)
        .default(MAX_CONNECTIONS)
        .describe('Connections at once; further ones are closed as they come.'),
    },
    { error: ({ code }) => (code === 'invalid_type' ? ADDRESS : undefined) },
  )
  .refine(({ paths, exceptPaths }) => !paths || !exceptPaths, {
    path: ['exceptPaths'],
    message: 'does not go together with paths',
  })

const toListeners = (given: string | z.output<typeof adminListener> | z.output<typeof listener>): Listener[] => {
  const {
    address: text,
    tls,
    ...more
  }: Partial<z.output<typeof listener>> & { address: string } = typeof given === 'string' ? { address: given } : given
  const at = parseAddress(text)
  const secured = tls && { ...tls, clientAuth: tls.clientAuth ?? (tls.caFile === undefined ? 'none' : 'require') }
  return at ? [{ ...at, ...more, ...(secured && { tls: secured }) }] : []
}

const adminListener = z.strictObject(
  {
    address: address.describe('`host:port`, `[::]:port` or `unix:/path`.'),
    tls: tls.optional().describe('Serve HTTPS. Paths of files are relative to this file.'),
  },
  { error: ({ code }) => (code === 'invalid_type' ? `${ADDRESS}, or off` : undefined) },
)

const adminAddress = z
  .string(`${ADDRESS}, or off`)
  .refine((text) => text === 'off' || parseAddress(text) !== undefined, `${ADDRESS}, or off`)

/** Where the admin routes are: `off` gives no listener. */
export const adminListenSetting = z
  .union([adminAddress, z.array(z.union([address, adminListener]), `${ADDRESS}, or off`).min(1), adminListener])
  .transform((given): Listener[] => [given].flat().flatMap(toListeners))

/** One listener or a list, each an address text or a map. */
export const listenSetting = z
  .union([address, z.array(z.union([address, listener]), ADDRESS), listener])
  .transform((given): Listener[] => [given].flat().flatMap(toListeners))
  .prefault('127.0.0.1:2801')
