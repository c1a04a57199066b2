/** How the HTTP requests of one output or action reach their server: TLS, proxy, and where they may not go. */
import { lookup as resolveName, type LookupAddress, type LookupOptions } from 'node:dns'
import { readFileSync } from 'node:fs'
import { BlockList, isIP, isIPv6 } from 'node:net'
import { type Dispatcher, Pool, ProxyAgent } from 'undici'
import { YarakError } from './errors.ts'
import type { TlsOptions } from './http-settings.ts'

/** What decides over a pool of connections. */
export interface Route {
  readonly tls?: TlsOptions | undefined
  readonly proxy?: string | undefined
  readonly denyPrivate?: boolean | undefined
}

const CONNECTIONS = 16

export const openPool = (origin: string, { tls, proxy, denyPrivate }: Route): Dispatcher => {
  // behind a proxy only what is written as an address can be judged
  if (denyPrivate) refusePrivateLiteral(origin)
  const connect = { ...(tls && tlsOptions(tls)), ...(denyPrivate && { lookup: publicOnly }) }
  if (proxy !== undefined)
    return new ProxyAgent({ uri: proxy, connections: CONNECTIONS, requestTls: connect, proxyTunnel: false })
  return new Pool(origin, { connections: CONNECTIONS, connect })
}

const tlsOptions = ({ caFile, certFile, keyFile, verify }: TlsOptions) => ({
  ...(caFile && { ca: readFileSync(caFile) }),
  ...(certFile && { cert: readFileSync(certFile) }),
  ...(keyFile && { key: readFileSync(keyFile) }),
  ...(verify === false && { rejectUnauthorized: false }),
})

/** RFC 6890: addresses that are no place of the public Internet. */
const PRIVATE = new BlockList()
for (const [net, bits] of [
  ...(['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'] as const),
  ...(['192.0.0.0/24', '192.168.0.0/16', '198.18.0.0/15', '224.0.0.0/4', '240.0.0.0/4'] as const),
].map((range) => range.split('/') as [string, string]))
  PRIVATE.addSubnet(net, Number(bits), 'ipv4')
for (const [net, bits] of ['::/127', 'fc00::/7', 'fe80::/10', 'ff00::/8', '64:ff9b:1::/48'].map(
  (range) => range.split('/') as [string, string],
))
  PRIVATE.addSubnet(net, Number(bits), 'ipv6')

/** An address in IPv6 that stands for one in IPv4 is judged as that. */
export const isPrivateAddress = (address: string): boolean => {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  const plain = mapped ?? address
  return PRIVATE.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4')
}

const refused = (host: string): YarakError =>
  new YarakError('failed', `${host} is a private address, which http.denyPrivate forbids`, {
    permanent: true,
    reason: 'private-address',
  })

const refusePrivateLiteral = (origin: string): void => {
  const host = new URL(origin).hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) && isPrivateAddress(host)) throw refused(host)
}

type Found = (error: Error | null, address: string | LookupAddress[], family?: number) => void

/** The name is resolved once, and what was judged is what is connected to. */
const publicOnly = (host: string, options: LookupOptions, found: Found): void => {
  resolveName(host, { ...options, all: true }, (error, addresses) => {
    if (error) return found(error, [])
    const allowed = addresses.filter(({ address }) => !isPrivateAddress(address))
    const [first] = allowed
    if (!first) return found(refused(host), [])
    if (options.all) found(null, allowed)
    else found(null, first.address, first.family)
  })
}

/**
 * The proxy that the environment names for an address, as curl reads it: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY` with names,
 * domains and `*`, also in lower case. Never for this machine itself.
 */
export const proxyFor = (url: URL, env: Readonly<Record<string, string | undefined>>): string | undefined => {
  const of = (name: string): string | undefined => env[name.toLowerCase()] || env[name] || undefined
  const proxy = url.protocol === 'https:' ? of('HTTPS_PROXY') : of('HTTP_PROXY')
  if (proxy === undefined) return undefined
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (host === 'localhost' || host === '::1' || /^127\./.test(host)) return undefined
  const exempt = (of('NO_PROXY') ?? '').split(',').map((one) => one.trim().toLowerCase())
  return exempt.some((one) => isExempt(one, host, url.port)) ? undefined : proxy
}

const isExempt = (entry: string, host: string, port: string): boolean => {
  if (entry === '*') return true
  const [, name = '', ownPort] = /^\*?\.?([^:]+?)(?::(\d+))?$/.exec(entry) ?? []
  return name !== '' && (ownPort === undefined || ownPort === port) && (host === name || host.endsWith(`.${name}`))
}
