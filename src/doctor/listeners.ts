/** Whether the gateway can listen where it is to, and who may send there. */
import { X509Certificate } from 'node:crypto'
import { accessSync, constants, lstatSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { readCertificates } from '../config/certificates.ts'
import { type Files, systemFiles } from '../config/files.ts'
import { addressText, type Listener, type TlsSettings } from '../config/listen.ts'
import { inputOf } from '../options.ts'
import type { Input, Use } from '../plugin.ts'
import { explain } from '../serve/bind.ts'
import type { Findings, Patient } from './context.ts'
import { about, type Finding, timeOf } from './finding.ts'

const { ok, warn, fail } = about('listeners')

/** How long before its end a certificate is warned of, in milliseconds. */
export const SOON = 30 * 86_400_000

export const listenerFindings = async ({ options, running }: Patient): Promise<Findings> => {
  const inputs = options.inputs.map(inputOf)
  const all = options.listen.map(async (listener) => [
    await addressFinding(listener, running?.listens(listener) ?? false),
    ...(listener.tls ? certificateFindings(addressText(listener), listener.tls) : []),
    ...openFindings(listener, inputs),
  ])
  return (await Promise.all(all)).flat()
}

const addressFinding = async (listener: Listener, ours: boolean): Promise<Finding> => {
  const address = addressText(listener)
  if (ours) return ok(address, 'the gateway listens there')
  try {
    await ('path' in listener ? tryPath(listener.path) : tryPort(listener))
    return ok(address, 'it is free')
  } catch (error) {
    const { code } = error as { code?: string }
    return fail(address, `cannot listen there: ${explain(error)}`, remedyFor(code, listener))
  }
}

const remedyFor = (code: string | undefined, listener: Listener): string => {
  if ('path' in listener) return 'give listen: another path, in a folder that the account may write'
  if (code === 'EADDRINUSE')
    return `ss -ltnp 'sport = :${listener.port}' shows who has it; or set listen: to another port`
  if (code === 'EACCES') return 'set listen: to a port above 1023'
  return 'set listen: to an address of this machine, or 0.0.0.0 for all'
}

const tryPort = ({ host, port }: { readonly host: string; readonly port: number }): Promise<void> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve()))
  })

/** A socket that nobody answers is removed at the start of a gateway. */
const tryPath = async (path: string): Promise<void> => {
  accessSync(dirname(path), constants.W_OK)
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found && !found.isSocket()) throw new Error('there is a file of that name that is not a socket')
}

const certificateFindings = (address: string, tls: TlsSettings, files: Files = systemFiles()): Finding[] => {
  const name = `${address} certificate`
  const { pems, faults } = readCertificates(tls, files)
  const wrong = faults.map(({ setting, message }) =>
    fail(name, `${tls[setting] ?? setting} ${message}`, `renew the file of listen.tls.${setting}`),
  )
  if (wrong.length > 0 || !pems) return wrong
  const leaf = new X509Certificate(pems.cert)
  return [lifeFinding(name, leaf, tls.certFile), namesFinding(name, leaf, tls.certFile)]
}

const lifeFinding = (name: string, { validToDate }: X509Certificate, file: string): Finding => {
  const left = validToDate.getTime() - Date.now()
  const day = validToDate.toISOString().slice(0, 10)
  return left > SOON
    ? ok(name, `valid until ${day}, and the key fits`)
    : warn(name, `${file} ends in ${timeOf(left)}, on ${day}`, 'renew it: the gateway reads the files again by itself')
}

const namesFinding = (name: string, { subjectAltName }: X509Certificate, file: string): Finding =>
  subjectAltName === undefined
    ? fail(name, `${file} names no host, so that clients refuse it`, 'issue it with a subjectAltName')
    : ok(name, `for ${subjectAltName.replaceAll(/\b(?:DNS|IP Address|URI):/g, '')}`)

const LOOPBACK = /^(?:127\.|localhost$|::1$)/

/** Inputs that take events of everybody at an address that others reach. */
const openFindings = (listener: Listener, inputs: readonly Use<Input>[]): Finding[] => {
  if ('path' in listener || LOOPBACK.test(listener.host) || listener.tls?.clientAuth === 'require') return []
  const address = addressText(listener)
  const served = inputs.filter(({ id, plugin }) => plugin.routes && (listener.inputs?.includes(id) ?? true))
  return served.flatMap(({ id, config }) => {
    const settings = (config ?? {}) as Readonly<Record<string, unknown>>
    if (['token', 'basic', 'hmac', 'secretPath', 'clientCertificates'].some((key) => settings[key] !== undefined))
      return [ok(`${address} senders`, `${id} asks who sends`)]
    const remedy = `set inputs.${id}.secretPath or .basic (Falco sends no header), or tls.caFile of the listener`
    return settings['trust'] === true
      ? [warn(`${address} senders`, `${id} trusts everybody who reaches it`, remedy)]
      : [fail(`${address} senders`, `${id} takes events of everybody who reaches it`, remedy)]
  })
}
