/** The files of a listener's TLS: read, and checked to be of use together. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { messageOf } from '../errors.ts'
import type { Files } from './files.ts'
import type { TlsSettings } from './listen.ts'
import type { Severity } from './problems.ts'

/** The texts of the files. */
export interface Pems {
  readonly cert: string
  readonly key: string
  readonly ca?: string
}

type FileSetting = 'certFile' | 'keyFile' | 'caFile'

/** One thing wrong with the file of a setting. */
export interface CertificateFault {
  readonly setting: FileSetting
  readonly message: string
  readonly severity: Severity
}

export interface CertificateFiles {
  /** Undefined when any fault is an error. */
  readonly pems: Pems | undefined
  readonly faults: readonly CertificateFault[]
}

/**
 * Reads the files of a listener's TLS and says all that is wrong with them. Never throws for what stands in a file.
 * @example const { pems, faults } = readCertificates(listener.tls, systemFiles())
 */
export const readCertificates = (tls: TlsSettings, files: Files): CertificateFiles => {
  const faults: CertificateFault[] = []
  const fault = (setting: FileSetting, message: string, severity: Severity = 'error'): undefined =>
    void faults.push({ setting, message, severity })
  const read = <T>(setting: FileSetting, parse: (text: string) => T): { text: string; parsed: T } | undefined => {
    try {
      const text = files.read(tls[setting] ?? '')
      return { text, parsed: parse(text) }
    } catch (error) {
      return fault(setting, error instanceof NotPem ? error.message : `cannot be read: ${messageOf(error)}`)
    }
  }
  const cert = read('certFile', certificatesIn)
  const key = read('keyFile', privateKeyIn)
  const ca = tls.caFile === undefined ? undefined : read('caFile', certificatesIn)
  const [leaf] = cert?.parsed ?? []
  if (leaf && key && !leaf.checkPrivateKey(key.parsed)) fault('keyFile', 'is not the key of the certificate')
  if (leaf) for (const message of datesOf(leaf)) fault('certFile', message, 'warning')
  if (!cert || !key || faults.some(({ severity }) => severity === 'error')) return { pems: undefined, faults }
  const pems = { cert: cert.text, key: key.text, ...(ca && { ca: ca.text }) }
  try {
    createSecureContext({ ...pems, minVersion: tls.minVersion })
  } catch (error) {
    fault('certFile', `cannot be used: ${messageOf(error)}`)
    return { pems: undefined, faults }
  }
  return { pems, faults }
}

/** A file that was read and does not hold what it should. */
class NotPem extends Error {}

const BLOCK = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^]*?-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g

const certificatesIn = (text: string): X509Certificate[] => {
  const blocks = text.match(BLOCK)
  if (!blocks) throw new NotPem('holds no certificate in PEM')
  try {
    return blocks.map((block) => new X509Certificate(block))
  } catch {
    throw new NotPem('holds a broken certificate')
  }
}

const privateKeyIn = (text: string): KeyObject => {
  try {
    return createPrivateKey(text)
  } catch {
    const locked = /\bENCRYPTED\b/.test(text)
    throw new NotPem(locked ? 'needs a passphrase; give the key without one' : 'holds no private key in PEM')
  }
}

const datesOf = ({ validFromDate, validToDate }: X509Certificate): string[] => [
  ...(validToDate.getTime() < Date.now() ? [`expired on ${validToDate.toISOString()}`] : []),
  ...(validFromDate.getTime() > Date.now() ? [`is valid only from ${validFromDate.toISOString()}`] : []),
]
