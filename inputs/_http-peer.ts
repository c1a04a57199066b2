/** Who is at the other end of a connection, and who is the client behind proxies. */
import type { IncomingHttpHeaders } from 'node:http'
import { BlockList, isIP, type Socket } from 'node:net'
import { type PeerCertificate, TLSSocket } from 'node:tls'

export interface Peer {
  /** Undefined when it is not known, e.g. over a unix socket. */
  readonly address: string | undefined
  /** The address is one of this machine alone. */
  readonly loopback: boolean
  /** Over a unix socket: only this machine can send. */
  readonly unix: boolean
  /** What the verified client certificate names; undefined without one. */
  readonly names: ReadonlySet<string> | undefined
}

/** Nothing is known. */
export const NOBODY: Peer = { address: undefined, loopback: false, unix: false, names: undefined }

export const peerOf = (socket: Socket): Peer => {
  const address = plain(socket.remoteAddress)
  return {
    address,
    loopback: isLoopback(address),
    unix: socket.remoteAddress === undefined && isOfUnixServer(socket),
    names: socket instanceof TLSSocket && socket.authorized ? namesOf(socket.getPeerCertificate()) : undefined,
  }
}

/** A TCP socket that was reset has no remote address either: only the server's own address tells what it is. */
const isOfUnixServer = (socket: Socket): boolean => {
  const { server } = socket as { server?: { address?(): unknown } }
  return typeof server?.address?.() === 'string'
}

/** IPv4 in the clothes of IPv6 as IPv4. */
const plain = (address: string | undefined): string | undefined => address?.replace(/^::ffff:(?=\d+\.)/i, '')

/**
 * What a certificate names: common names, alternative names, and the full subject (see {@link subjectName}).
 * A connection may be authorized without one, e.g. by a pre-shared key: then nothing is named.
 */
const namesOf = (certificate: PeerCertificate): ReadonlySet<string> | undefined => {
  if (!(certificate as Partial<PeerCertificate>).raw) return undefined
  const parts = Object.entries(certificate.subject as Record<string, string | string[]>).flatMap(([name, values]) =>
    [values].flat().map((value) => [name, value] as const),
  )
  const common = parts.filter(([name]) => name === 'CN').map(([, value]) => value)
  const whole = subjectKey(parts.map(([name, value]) => `${name}=${value}`))
  return new Set([...common, ...alternativeNames(certificate.subjectaltname ?? ''), whole])
}

/** `DNS:a, URI:b`; a value with a comma or a quote is written as a JSON string. */
const alternativeNames = (text: string): string[] =>
  [...text.matchAll(/(?:^|, )(?:DNS|URI|email):("(?:[^"\\]|\\.)*"|[^,"]*)/g)].map(([, value = '']) =>
    value.startsWith('"') ? (JSON.parse(value) as string) : value,
  )

/** A setting as {@link Peer.names} has it: `O=Acme, CN=falco` is a full subject, in any order; the rest is a name. */
export const subjectName = (text: string): string =>
  /^[A-Za-z]+=/.test(text) ? subjectKey(text.split(/\s*,\s*(?=[A-Za-z]+=)/)) : text

const subjectKey = (parts: readonly string[]): string => `subject\n${[...parts].sort().join('\n')}`

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8)
LOOPBACK.addAddress('::1', 'ipv6')

const includes = (list: BlockList, address: string): boolean =>
  list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4')

export const isLoopback = (address: string | undefined): boolean =>
  address !== undefined && isIP(address) !== 0 && includes(LOOPBACK, address)

/** Signs of a proxy: the connection's own address is not the sender's then. */
const PROXY = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via'] as const

export const isProxied = (headers: IncomingHttpHeaders): boolean => PROXY.some((name) => headers[name] !== undefined)

/** A web page can make the browser of this machine send: that proves nothing. */
export const isBrowser = (headers: IncomingHttpHeaders): boolean =>
  headers.origin !== undefined || headers['sec-fetch-site'] !== undefined

export interface Client {
  /** Undefined when it cannot be told. */
  readonly address: string | undefined
  /** The address was told by a trusted proxy. */
  readonly forwarded: boolean
}

/**
 * The client behind trusted proxies: the right-most address of `X-Forwarded-For` that is not a trusted one.
 * @param networks such as `10.0.0.0/8`
 */
export const createClientOf = (networks: readonly string[]) => {
  const trusted = new BlockList()
  for (const network of networks) {
    const [address = '', prefix] = network.split('/')
    const type = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (prefix === undefined) trusted.addAddress(address, type)
    else trusted.addSubnet(address, Number(prefix), type)
  }
  return (address: string | undefined, headers: IncomingHttpHeaders): Client => {
    if (networks.length === 0 || address === undefined || !includes(trusted, address))
      return { address, forwarded: false }
    const hops = listed(headers['x-forwarded-for']).map(hopAddress)
    const at = hops.findLastIndex((hop) => hop === undefined || !includes(trusted, hop))
    return hops.length === 0 ? { address, forwarded: false } : { address: hops[Math.max(at, 0)], forwarded: true }
  }
}

const listed = (header: string | string[] | undefined): string[] =>
  [header ?? []].flat().join(',').split(',').filter(Boolean)

/** An address, maybe with a port: `192.0.2.1:5678`, `[2001:db8::1]:5678`. */
const hopAddress = (text: string): string | undefined => {
  const hop = text.trim()
  const [, bracketed] = /^\[([^\]]+)\](?::\d+)?$/.exec(hop) ?? []
  const bare = plain(bracketed ?? (isIP(hop) === 6 ? hop : hop.replace(/:\d+$/, '')))
  return bare !== undefined && isIP(bare) !== 0 ? bare : undefined
}
