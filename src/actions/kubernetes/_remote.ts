/** The address at the other end of an event's connection. Pure. */
import { isIP } from 'node:net'
import { type FalcoEvent, YarakError } from '../../plugin.ts'

/**
 * The address at the other end of the event's connection: `fd.rip`, else `fd.sip`, as Falco Talon takes it.
 * @throws YarakError `refused` with the reason `no-remote-ip`
 */
export const remoteIp = (event: FalcoEvent): string => {
  const ip = addressIn(event.field('fd.rip')) ?? addressIn(event.field('fd.sip'))
  if (ip) return ip
  throw new YarakError('refused', 'the event has no address in fd.rip or fd.sip', {
    permanent: true,
    reason: 'no-remote-ip',
  })
}

/** Without a zone, which names an interface of one host. */
const addressIn = (value: unknown): string | undefined => {
  const ip = typeof value === 'string' ? value.replace(/^::ffff:(?=\d+\.)/i, '') : ''
  if (isIP(ip) === 0 || ip.includes('%')) return undefined
  return isIP(ip) === 6 ? shortest(ip) : ip
}

/** An address of version 6 may be written in many ways. */
const shortest = (ip: string): string => new URL(`http://[${ip}]`).hostname.slice(1, -1)

/** The range that holds only this address. */
export const onlyNet = (ip: string): string => `${ip}/${isIP(ip) === 6 ? 128 : 32}`

/** The most addresses that one policy denies: the oldest make room. */
const MAX_DENIED = 1000

/** Each address once, the newest last. */
export const denying = (before: readonly string[], net: string): string[] =>
  [...new Set(before.filter((one) => one !== net)), net].slice(-MAX_DENIED)
