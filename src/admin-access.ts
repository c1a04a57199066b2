/** Who may use the admin routes, and for what. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Socket } from 'node:net'
import { type PeerCertificate, TLSSocket } from 'node:tls'
import { YarakError } from './errors.ts'

/** `view`: look at everything; `operate`: change things, too. */
export type Role = 'view' | 'operate'

/** Who is known, and by what proof. */
export interface AdminClient {
  /** As the audit record names it. */
  readonly name: string
  readonly role: Role
  /** Shown as `Authorization: Bearer`. */
  readonly token?: string | undefined
  /** A common name, or a DNS, URI or mail name, of a client certificate that the listener verified. */
  readonly certificate?: string | undefined
}

export type Caller = Pick<AdminClient, 'name' | 'role'>

/** A request, as far as it tells who sends it. */
export interface Shown {
  readonly socket: Socket | undefined
  /** @param name in lower case */
  header(name: string): string | undefined
}

/** Who asks over a unix socket: who may open it is the matter of the file system, and Node does not tell who did. */
export const UNIX = 'unix'

const BY_SOCKET: Caller = { name: UNIX, role: 'operate' }

/**
 * Finds out who asks. A token counts before a certificate; a unix socket needs neither.
 * @throws YarakError `unauthorized` for whom nobody knows
 */
export const createAccess = (clients: readonly AdminClient[]): ((shown: Shown) => Caller) => {
  const tokens = clients.flatMap((client) =>
    client.token === undefined ? [] : [[sha256(client.token), client] as const],
  )
  return ({ socket, header }) => {
    if (isUnix(socket)) return BY_SOCKET
    const shown = header('authorization')
    if (shown === undefined) return byCertificate(clients, socket, header)
    const [, token] = /^Bearer (.+)$/i.exec(shown) ?? []
    const hash = sha256(token ?? '')
    // all are compared, so that the time tells nothing
    const [found] = tokens.filter(([one]) => timingSafeEqual(one, hash))
    if (found && token !== undefined) return found[1]
    throw new YarakError('unauthorized', 'the bearer token is wrong')
  }
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

/** A browser shows its certificate for any web page: only what no web page can send tells the two apart. */
const byCertificate = (
  clients: readonly AdminClient[],
  socket: Socket | undefined,
  header: Shown['header'],
): Caller => {
  const names = namesOf(socket)
  const found = clients.find(({ certificate }) => certificate !== undefined && names.has(certificate))
  if (!found) throw new YarakError('unauthorized', names.size > 0 ? STRANGER : 'the bearer token is missing')
  if (header('x-yarak-admin') === '1') return found
  throw new YarakError('unauthorized', 'a certificate needs the header x-yarak-admin: 1 beside it')
}

const STRANGER = 'no client of the settings has this certificate'

/** Not known by a missing address, which a reset TCP socket lacks too, but by where its server listens. */
const isUnix = (socket: Socket | undefined): boolean =>
  typeof (socket as { server?: { address?(): unknown } } | undefined)?.server?.address?.() === 'string'

const namesOf = (socket: Socket | undefined): ReadonlySet<string> => {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return new Set()
  // without a certificate it is an empty object
  const { subject, subjectaltname = '' } = socket.getPeerCertificate() as Partial<PeerCertificate>
  const common = (subject as Record<string, string | string[]> | undefined)?.['CN'] ?? []
  return new Set([...[common].flat(), ...alternativeNames(subjectaltname)])
}

/** `DNS:a, URI:b`; a value with a comma or a quote is written as a JSON string. */
const alternativeNames = (text: string): string[] =>
  [...text.matchAll(/(?:^|, )(?:DNS|URI|email):("(?:[^"\\]|\\.)*"|[^,"]*)/g)].map(([, value = '']) =>
    value.startsWith('"') ? (JSON.parse(value) as string) : value,
  )
