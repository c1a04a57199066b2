/** TLS of an output: Falcosidekick's `checkcert`, `mutualtls`, `tls` and files -> ours. */
import { join } from 'node:path'
import { booleanOf, textOf } from './convert.ts'
import type { Reader } from './outputs.ts'
import type { Found, Source } from './source.ts'

interface Part {
  readonly value: string | boolean
  readonly found: Found | undefined
}

type Tls = Record<string, Part>

/** Sets `http.tls` of an output by HTTP, else the output's own `tls`. */
export const putTls = (reader: Reader): void => {
  const { plugin, has, find, put, source } = reader
  const own = !plugin.http && has('tls')
  const tls = own ? ownTls(reader) : tlsOf(reader)
  const isOn = !own || truth(find('tls')) === true || truth(find('mutualtls')) === true
  if (!plugin.http && !own) return warnOf(reader)
  const name = plugin.http ? 'http.tls' : 'tls'
  if (own && isOn) put('tls', {}, find('tls') ?? find('mutualtls'))
  const caFile = tls['caFile']
  if (caFile?.found && plugin.http) source.warn(caFile.found, ONLY_THIS)
  if (isOn || tls['verify'])
    for (const [key, { value, found }] of Object.entries(tls)) put(`${name}.${key}`, value, found)
}

const ONLY_THIS =
  "servers are trusted by this file alone, where Falcosidekick adds it to the system's; add those that you need"

const truth = (found: Found | undefined): boolean | undefined =>
  found === undefined ? undefined : booleanOf(String(found.value))

const warnOf = ({ source, find }: Reader): void => {
  for (const key of ['checkcert', 'mutualtls']) {
    const found = find(key)
    if (found && truth(found) !== (key === 'checkcert'))
      source.warn(found, 'does nothing: this output has no TLS of its own')
  }
}

const tlsOf = ({ source, find }: Reader): Tls => {
  if (truth(find('mutualtls'))) return clientFiles(source)
  const check = find('checkcert')
  if (truth(check) === false) return { verify: { value: false, found: check } }
  const ca = source.find('tlsclient.cacertfile')
  return ca && ca.value !== '' ? { caFile: { value: textOf(ca, source.document), found: ca } } : {}
}

/** The files of all outputs with mutual TLS; each of its own key, else of the folder. */
const clientFiles = (source: Source): Tls => {
  const folder = source.find('mutualtlsfilespath')
  const from = folder && folder.value !== '' ? String(folder.value) : '/etc/certs'
  const part = (key: string, file: string): Part => {
    const found = source.find(`mutualtlsclient.${key}`)
    return found && found.value !== ''
      ? { value: String(found.value), found }
      : { value: join(from, file), found: folder }
  }
  return {
    certFile: part('certfile', 'client.crt'),
    keyFile: part('keyfile', 'client.key'),
    caFile: part('cacertfile', 'ca.crt'),
  }
}

const FILES = { certfile: 'certFile', keyfile: 'keyFile', cacertfile: 'caFile' } as const

/** Of an output that has files of its own. */
const ownTls = (reader: Reader): Tls => {
  const { find, source } = reader
  const files = Object.entries(FILES).flatMap(([key, name]): [string, Part][] => {
    const found = find(key)
    return found ? [[name, { value: textOf(found, source.document), found }]] : []
  })
  return { ...tlsOf(reader), ...Object.fromEntries(files) }
}
