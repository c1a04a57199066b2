/** Listening at an address, with further tries while somebody else holds it. */
import { chmodSync } from 'node:fs'
import { lstat, mkdir, rm } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { dirname } from 'node:path'
import { umask } from 'node:process'
import { backoff, pause } from '../backoff.ts'
import { type Address, addressText } from '../config/listen.ts'
import { messageOf, YarakError } from '../errors.ts'

export interface BindOptions {
  /** Made ready before each try, e.g. the certificates: a rejection is a failed try. */
  readonly prepare: () => void
  readonly stop: AbortSignal
  /** Only our own user may open a unix socket. Default false. */
  readonly isPrivate?: boolean
  /** Told of each failed try, and of the milliseconds until the next one. */
  readonly failed: (error: string, wait: number) => void
}

/** Resolves once the server listens, with its address: of port 0, the port that it got. Rejects when stopped before. */
export const bind = async (server: Server, address: Address, options: BindOptions): Promise<string> => {
  const text = addressText(address)
  for (let attempt = 1; ; attempt++) {
    if (options.stop.aborted) throw new YarakError('closing', `stopped before listening on ${text}`)
    try {
      options.prepare()
      if ('path' in address) await clearStale(address.path)
      await (options.isPrivate && 'path' in address ? listeningAlone(server, address) : listening(server, address))
      const bound = server.address()
      return typeof bound === 'object' && bound ? addressText({ host: bound.address, port: bound.port }) : text
    } catch (error) {
      const wait = backoff(attempt, 1_000, 30_000)
      options.failed(explain(error), wait)
      await pause(wait, options.stop)
    }
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the address is in use by another process',
  EADDRNOTAVAIL: 'this machine has no such address',
  EAFNOSUPPORT: 'this machine does not speak that address family',
  EACCES: 'permission denied',
  ENOENT: 'the folder does not exist',
  ENOTFOUND: 'the name is not known',
  EMFILE: 'too many files and connections are open',
}

/** Why a server cannot listen or take connections, in a few words. */
export const explain = (error: unknown): string => REASONS[(error as { code?: string }).code ?? ''] ?? messageOf(error)

/** Removes the socket file that a process left behind; never one that is still answered, and no other kind of file. */
const clearStale = async (path: string): Promise<void> => {
  const found = await lstat(path).catch(() => undefined)
  if (!found) return
  if (!found.isSocket()) throw new YarakError('config', 'there is a file of that name that is not a socket')
  if (await isAnswered(path)) throw Object.assign(new Error(path), { code: 'EADDRINUSE' })
  await rm(path, { force: true })
}

/** Only a refusal proves that nobody listens: a busy or forbidden socket is somebody's. */
const isAnswered = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'))
  })

const listening = (server: Server, address: Address): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen('path' in address ? { path: address.path } : placeOf(address), () => {
      server.off('error', reject)
      resolve()
    })
  })

/** Node makes the socket within the call, so nobody else may ever open it. */
const listeningAlone = async (server: Server, address: { readonly path: string }): Promise<void> => {
  await mkdir(dirname(address.path), { recursive: true, mode: 0o700 })
  const before = umask(0o177)
  const listens = listening(server, address)
  umask(before)
  // a default ACL of the folder goes before the umask
  if (server.listening) chmodSync(address.path, 0o600)
  await listens
}

/** Without a host Node listens on `::`, or on `0.0.0.0` where there is no IPv6. */
const placeOf = ({ host, port }: { readonly host: string; readonly port: number }) =>
  host === '::' ? { port } : { host, port }
