/** The places that the settings of an output name. */
import type { TlsOptions } from '../http-settings.ts'
import { type Endpoint, placeText } from './connect.ts'

/** Schemes, with the port that goes without saying; the secure ones speak TLS from the first byte on. */
const SCHEMES: Readonly<Record<string, { readonly port: number; readonly secure?: true }>> = {
  'http:': { port: 80 },
  'https:': { port: 443, secure: true },
  'amqp:': { port: 5_672 },
  'amqps:': { port: 5_671, secure: true },
  'mqtt:': { port: 1_883 },
  'tcp:': { port: 1_883 },
  'mqtts:': { port: 8_883, secure: true },
  'ssl:': { port: 8_883, secure: true },
  'ws:': { port: 80 },
  'wss:': { port: 443, secure: true },
  'nats:': { port: 4_222 },
  'tls:': { port: 4_222 },
}

/** What an address names; undefined when its scheme is not known. */
export const endpointOf = (url: URL, tls: TlsOptions = {}): Endpoint | undefined => {
  const scheme = SCHEMES[url.protocol]
  if (!scheme || url.hostname === '') return undefined
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return { host, port: Number(url.port) || scheme.port, ...(scheme.secure && { tls }) }
}

/** Settings that hold an address, whatever the output. */
const ADDRESSES = ['url', 'broker', 'hostPort', 'address', 'forwarder', 'brokers', 'servers']

/** Those that speak TLS from the first byte on where `tls` is set; the others agree on it first. */
const DIRECT: ReadonlySet<string> = new Set(['kafka', 'redis', 'logstash', 'syslog', 'mqtt'])

const PORTS: Readonly<Record<string, number>> = { redis: 6_379, nats: 4_222 }

interface Settings {
  readonly host?: unknown
  readonly address?: unknown
  readonly port?: unknown
  readonly protocol?: unknown
  readonly tls?: TlsOptions | undefined
}

/**
 * @param type of the output
 * @example endpointsIn('redis', { address: 'redis:6379' }) // [{ endpoint: { host: 'redis', port: 6379 }, text: 'redis:6379' }]
 */
export const endpointsIn = (type: string, config: unknown): { endpoint: Endpoint; text: string }[] => {
  const settings = (config ?? {}) as Settings & Readonly<Record<string, unknown>>
  const texts = ADDRESSES.flatMap((key) => settings[key] ?? []).flatMap((text) =>
    typeof text === 'string' ? text.split(',') : [],
  )
  const host = settings.host ?? settings.address
  const { port } = settings
  const own =
    typeof host === 'string' && typeof port === 'number'
      ? [{ host, port }]
      : texts.flatMap((text) => parsed(text.trim(), type, settings))
  const tls = settings.tls && DIRECT.has(type) ? settings.tls : undefined
  const udp = type.endsWith('statsd') || (type === 'syslog' && settings.protocol === 'udp' && !tls)
  return own
    .map((one): Endpoint => ({ ...(tls && { tls }), ...one, ...(udp && { udp }) }))
    .map((endpoint) => ({ endpoint, text: placeText(endpoint) }))
}

const parsed = (text: string, type: string, { tls = {} }: Settings): Endpoint[] => {
  if (text.includes('://')) {
    const url = URL.canParse(text) ? endpointOf(new URL(text), tls) : undefined
    return url ? [url] : []
  }
  const [, six, name, port] = /^(?:\[([\da-fA-F:.]+)\]|([^\s:/@[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  const [host, at] = [six ?? name, Number(port ?? PORTS[type])]
  return host !== undefined && at > 0 ? [{ host, port: at }] : []
}
