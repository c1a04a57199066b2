/** Whether a place can be connected to: its name, its port, its TLS. Nothing is sent. */
import { readFileSync } from 'node:fs'
import { lookup } from 'node:dns/promises'
import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { connect as connectSecure, type TLSSocket } from 'node:tls'
import type { TlsOptions } from '../http-settings.ts'
import { messageOf, YarakError } from '../errors.ts'
import { isPrivateAddress } from '../http-connection.ts'

/** A place that something is to be sent to. */
export interface Endpoint {
  readonly host: string
  readonly port: number
  /** Present: TLS from the first byte on, checked with these files. */
  readonly tls?: TlsOptions | undefined
  /** No connection can be made: only the name is looked up. */
  readonly udp?: boolean
  /** Private addresses are refused, as `http.denyPrivate` does. */
  readonly denyPrivate?: boolean | undefined
}

/** What was found there. */
export interface Reached {
  /** When the server's certificate ends; absent without TLS. */
  readonly validTo?: Date
}

export const placeText = ({ host, port }: Pick<Endpoint, 'host' | 'port'>): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`

/**
 * @throws YarakError `unavailable` with what is wrong: the name, the port, or the certificate
 * @example await reach({ host: 'smtp.example.org', port: 465, tls: {} }, signal)
 */
export const reach = async (endpoint: Endpoint, signal: AbortSignal): Promise<Reached> => {
  const { host, tls, udp, denyPrivate } = endpoint
  const addresses = await lookup(host, { all: true }).catch(() => {
    throw new YarakError('unavailable', `the name ${host} is not known`, { reason: 'dns' })
  })
  const open = denyPrivate ? addresses.filter(({ address }) => !isPrivateAddress(address)) : addresses
  if (open.length === 0)
    throw new YarakError('failed', `${host} is a private address, which http.denyPrivate forbids`, {
      reason: 'private-address',
    })
  if (udp) return {}
  return tls ? reachSecure(endpoint, tls, signal) : reachPlain(endpoint, signal)
}

const reachPlain = async (endpoint: Endpoint, signal: AbortSignal): Promise<Reached> => {
  const { host, port } = endpoint
  await opened(connectPlain({ host, port }), 'connect', endpoint, signal)
  return {}
}

const reachSecure = async (endpoint: Endpoint, tls: TlsOptions, signal: AbortSignal): Promise<Reached> => {
  const { host, port } = endpoint
  const { caFile, certFile, keyFile, verify } = tls
  const socket = connectSecure({
    ...{ host, port, rejectUnauthorized: verify !== false },
    ...(isIP(host) === 0 && { servername: host }),
    ...(caFile !== undefined && { ca: readFileSync(caFile) }),
    ...(certFile !== undefined && { cert: readFileSync(certFile) }),
    ...(keyFile !== undefined && { key: readFileSync(keyFile) }),
  })
  let validTo: Date | undefined
  socket.once('secureConnect', () => (validTo = socket.getPeerX509Certificate()?.validToDate))
  await opened(socket, 'secureConnect', endpoint, signal)
  return validTo ? { validTo } : {}
}

/** Resolves once the connection is there, and ends it. */
const opened = (
  socket: Socket | TLSSocket,
  event: 'connect' | 'secureConnect',
  endpoint: Endpoint,
  signal: AbortSignal,
): Promise<void> =>
  new Promise((resolve, reject) => {
    const abort = (): void => void socket.destroy(signal.reason as Error)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    socket.once(event, () => {
      resolve()
      socket.destroy()
    })
    socket.once('error', (error) => reject(explained(error, endpoint)))
    socket.once('close', () => signal.removeEventListener('abort', abort))
  })

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  EHOSTUNREACH: 'there is no way to it',
  ENETUNREACH: 'there is no way to its network',
  ECONNRESET: 'the connection was cut',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by nobody that is trusted',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by nobody that is trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by nobody that is trusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is signed by nobody that is trusted',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS',
}

const explained = (error: Error, endpoint: Endpoint): YarakError => {
  const { code } = error as { code?: unknown }
  // that of a DOMException, by which the time is over, is a number
  const reason = typeof code === 'string' ? code : 'network'
  return new YarakError('unavailable', `${placeText(endpoint)}: ${REASONS[reason] ?? messageOf(error)}`, {
    reason: reason.toLowerCase(),
  })
}
