/** The certificates of a listener, read again while it runs: a renewed pair needs no restart. */
import type { Server } from 'node:tls'
import { readCertificates } from '../config/certificates.ts'
import type { Files } from '../config/files.ts'
import type { TlsSettings } from '../config/listen.ts'
import { YarakError } from '../errors.ts'
import type { Log } from '../plugin.ts'

export interface CertificateOptions {
  readonly tls: TlsSettings
  readonly files: Files
  readonly log: Log
  /** How the log names the listener. */
  readonly address: string
  /** Milliseconds between two looks at the files. */
  readonly every: number
}

export interface Certificates {
  /** Takes the files into use. Throws a line for people when they cannot be used. */
  load(): void
  /** Looks at the files from now on; gives what ends it. */
  watch(): () => void
}

/**
 * The files are compared by their text, not by a watcher's word: so a symlink of a mounted secret that is swapped is
 * seen as well. A pair that cannot be used is told once, and the one before stays.
 */
export const createCertificates = (server: Server, options: CertificateOptions): Certificates => {
  const { tls, files, log, address, every } = options
  let seen = ''
  /** Takes the files into use when they are not those seen last. */
  const take = (): boolean => {
    const { pems, faults } = readCertificates(tls, files)
    const now = JSON.stringify(pems ?? faults)
    if (now === seen) return false
    seen = now
    if (!pems) throw new YarakError('config', faults.map(({ setting, message }) => `${setting} ${message}`).join('; '))
    for (const { setting, message } of faults)
      log.warn('a certificate is used all the same', { address, setting, why: message })
    server.setSecureContext({ ...pems, minVersion: tls.minVersion })
    return true
  }
  const look = (): void => {
    try {
      if (take()) log.info('the certificate was renewed', { address })
    } catch (error) {
      log.error('a renewed certificate cannot be used, the one before stays', {
        address,
        error: (error as Error).message,
      })
    }
  }
  return {
    load() {
      seen = ''
      take()
    },
    watch() {
      const timer = setInterval(look, every)
      return () => clearInterval(timer)
    },
  }
}
