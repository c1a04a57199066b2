/** Who sends: what a request proves, and what the input asks for. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { Socket } from 'node:net'
import { YarakError } from '../src/plugin.ts'
import type { Ask } from './_http-ask.ts'
import {
  createClientOf,
  isBrowser,
  isLoopback,
  isProxied,
  NOBODY,
  type Peer,
  peerOf,
  subjectName,
} from './_http-peer.ts'
import type { Settings } from './_http-settings.ts'

export interface Sender {
  /** How it proved who it is; see EmitOptions in src/plugin.ts. */
  readonly authenticated?: string
  /** Its address, behind trusted proxies. */
  readonly client?: string
}

export interface Door {
  /**
   * Who the headers and the connection prove the sender to be.
   * `unproven`: only a signature over the body can still tell.
   * @throws YarakError `unauthorized` when one of the configured proofs is needed and none was given
   */
  admit(ask: Ask): Sender & { readonly unproven?: true }
  /**
   * Checks the signature over the body as it was sent.
   * @throws YarakError `unauthorized`
   */
  verify(ask: Ask, raw: Buffer): void
  /** What goes with a 401. */
  readonly challenge: Readonly<Record<string, string>>
}

type Proof = (ask: Ask, peer: Peer) => boolean

export const createDoor = (settings: Settings): Door => {
  const { token, basic, hmac, secretPath, clientCertificates, trust } = settings
  const subjects = clientCertificates?.subjects?.map(subjectName)
  const proofs = new Map<string, Proof>()
  if (token !== undefined) proofs.set('bearer', shows('Bearer', token))
  if (basic) proofs.set('basic', showsBasic(`${basic.username}:${basic.password}`))
  if (secretPath !== undefined) proofs.set('path', showsPath(secretPath))
  if (clientCertificates)
    proofs.set('mtls', (_ask, { names }) => !!names && (subjects?.some((one) => names.has(one)) ?? true))
  const challenges = [...(token !== undefined ? ['Bearer'] : []), ...(basic ? ['Basic realm="yarak"'] : [])]
  const isNeeded = proofs.size > 0 || hmac !== undefined
  const clientOf = createClientOf(settings.trustedProxies)
  const peers = new WeakMap<Socket, Peer>()

  /** A kept-alive connection is asked once who is at its other end. */
  const peer = (socket: Socket | undefined): Peer => {
    if (!socket) return NOBODY
    const known = peers.get(socket) ?? peerOf(socket)
    peers.set(socket, known)
    return known
  }

  const denied = (): YarakError =>
    new YarakError('unauthorized', 'the sender did not prove who it is', {
      permanent: true,
      reason: challenges.length > 0 ? 'unauthorized' : 'forbidden',
    })

  /** Without a proof being asked for: what the connection itself says. */
  const placed = (
    { headers }: Ask,
    { loopback, unix, names }: Peer,
    client: string | undefined,
    forwarded: boolean,
  ) => {
    if (names) return 'mtls'
    const direct = !isBrowser(headers) && (forwarded || !isProxied(headers))
    if (direct && (forwarded ? isLoopback(client) : loopback)) return 'loopback'
    if (direct && unix) return 'unix'
    return trust ? 'trust' : undefined
  }

  return {
    challenge: challenges.length > 0 ? { 'www-authenticate': challenges.join(', ') } : {},
    admit(ask) {
      const from = peer(ask.socket)
      const { address, forwarded } = clientOf(from.address, ask.headers)
      const client = address === undefined ? {} : { client: address }
      if (!isNeeded) {
        const authenticated = placed(ask, from, address, forwarded)
        return authenticated === undefined ? client : { ...client, authenticated }
      }
      for (const [authenticated, proof] of proofs) if (proof(ask, from)) return { ...client, authenticated }
      if (hmac && ask.headers[hmac.header] !== undefined) return { ...client, authenticated: 'hmac', unproven: true }
      throw denied()
    },
    verify(ask, raw) {
      if (!hmac) throw denied()
      const shown = String(ask.headers[hmac.header])
      const expected = `${hmac.prefix}${createHmac('sha256', hmac.secret).update(raw).digest('hex')}`
      if (!isEqual(shown.toLowerCase(), digest(expected.toLowerCase()))) throw denied()
    },
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** In a time that says nothing about where they differ, nor how long the secret is. */
const isEqual = (shown: string, expected: Buffer): boolean => timingSafeEqual(digest(shown), expected)

const shows = (scheme: string, secret: string): Proof => {
  const expected = digest(secret)
  const pattern = new RegExp(`^${scheme} +(.+)$`, 'i')
  return ({ headers }) => isEqual(pattern.exec(headers.authorization ?? '')?.[1] ?? '', expected)
}

/** libcurl sends the user and password of a URL this way. */
const showsBasic = (credentials: string): Proof => {
  const expected = digest(credentials)
  return ({ headers }) => {
    const [, shown = ''] = /^Basic +([\w+/=-]+)$/i.exec(headers.authorization ?? '') ?? []
    return isEqual(Buffer.from(shown, 'base64').toString('utf8'), expected)
  }
}

const showsPath = (secret: string): Proof => {
  const expected = digest(secret)
  return ({ token }) => token !== undefined && isEqual(token, expected)
}
