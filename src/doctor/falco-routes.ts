/** Whether Falco sends its alerts to where our inputs are. Pure. */
import type { ConfigOptions } from '../config/index.ts'
import { addressText, type Listener } from '../config/listen.ts'
import { inputOf } from '../options.ts'
import type { FalcoFile } from './falco-file.ts'
import { about, type Finding } from './finding.ts'

const { ok, warn, fail } = about('falco')

type Options = Pick<ConfigOptions, 'inputs' | 'listen'>

interface HttpInput {
  readonly id: string
  readonly settings: Readonly<Record<string, unknown>>
}

const httpInputs = ({ inputs }: Options): HttpInput[] =>
  inputs
    .map(inputOf)
    .filter(({ plugin }) => plugin.type === 'http')
    .map(({ id, config }) => ({ id, settings: (config ?? {}) as HttpInput['settings'] }))

export const routeFindings = (falco: FalcoFile, options: Options): readonly Finding[] => [
  ...httpFindings(falco, options),
  ...fileFindings(falco, options),
]

// ── http_output ─────────────────────────────────────────────────────────────────────────────────────────────────────

const httpFindings = (falco: FalcoFile, options: Options): Finding[] => {
  const inputs = httpInputs(options)
  if (inputs.length === 0) return []
  const at = (path: string): string => falco.place(`http_output.${path}`)
  if (falco.get('http_output.enabled') !== true) {
    const remedy = 'http_output: {enabled: true, url: "http://HOST:2801/"}'
    return [warn('http_output', `Falco posts nothing, and ${inputs[0]?.id} waits for it`, remedy, at('enabled'))]
  }
  const text = falco.get('http_output.url')
  const url = typeof text === 'string' ? URL.parse(text.replaceAll(/^["']|["']$/g, '')) : null
  if (!url) return [fail('http_output.url', 'it is no address', 'url: "http://HOST:2801/"', at('url'))]
  return [...targetFindings(url, at('url'), inputs, options), ...connectionFindings(falco, url)]
}

const portOf = (url: URL): number => Number(url.port) || (url.protocol === 'https:' ? 443 : 80)

const targetFindings = (url: URL, place: string, inputs: readonly HttpInput[], { listen }: Options): Finding[] => {
  const listener = listen.find((one) => 'port' in one && one.port === portOf(url))
  if (!listener) {
    const ours = listen.map((one) => addressText(one)).join(', ')
    const message = `${url.host} is no port of ours (${ours}): right only where a service or proxy leads from there to here`
    return [warn('http_output.url', message, 'correct the port', place)]
  }
  const secure = url.protocol === 'https:'
  if (secure !== (listener.tls !== undefined)) {
    const speaks = secure ? 'plain HTTP' : 'TLS'
    const remedy = `write ${secure ? 'http' : 'https'}:// in the url`
    return [fail('http_output.url', `${addressText(listener)} speaks ${speaks}, and the url does not`, remedy, place)]
  }
  return [inputFinding(url, place, inputs, listener)]
}

const inputFinding = (url: URL, place: string, inputs: readonly HttpInput[], listener: Listener): Finding => {
  const served = inputs.filter(({ id }) => listener.inputs?.includes(id) ?? true)
  const input = served.find((one) => takes(one, url))
  if (!input) {
    const paths = served.map((one) => `${pathOf(one)}/`)
    const remedy = `post to ${[...new Set(paths)].join(' or ')}, or below it to /in/ and the secretPath`
    return fail('http_output.url', `no input takes events at its path`, remedy, place)
  }
  return isProved(input, url, listener)
    ? ok('http_output.url', `it leads to ${input.id} at ${addressText(listener)}`)
    : fail(
        'http_output.url',
        `${input.id} asks for a proof that Falco does not send: it sets no header`,
        `set inputs.${input.id}.secretPath and post to /in/ and it, or .basic and http://USER:PASSWORD@ in the url`,
        place,
      )
}

const textOf = (value: unknown, otherwise = ''): string => (typeof value === 'string' ? value : otherwise)

/** Without its last slash. */
const pathOf = ({ settings }: HttpInput): string => textOf(settings['path'], '/').replace(/\/+$/, '')

const isSecretPath = (input: HttpInput, { pathname }: URL): boolean => {
  const { secretPath } = input.settings as { secretPath?: string }
  return secretPath !== undefined && pathname === `${pathOf(input)}/in/${secretPath}`
}

const takes = (input: HttpInput, url: URL): boolean =>
  url.pathname.replace(/\/+$/, '') === pathOf(input) || isSecretPath(input, url) || input.settings['catchAll'] === true

/** Any one that is set is enough. */
const isProved = (input: HttpInput, url: URL, { tls }: Listener): boolean => {
  const { token, basic, hmac, secretPath, clientCertificates } = input.settings
  const asked = [token, basic, hmac, secretPath, clientCertificates].some((one) => one !== undefined)
  if (!asked) return true
  if (basic !== undefined && url.username !== '') return true
  return (
    isSecretPath(input, url) || (clientCertificates !== undefined && tls !== undefined && tls.clientAuth !== 'none')
  )
}

const connectionFindings = (falco: FalcoFile, url: URL): Finding[] => {
  const told = (path: string): unknown => falco.get(`http_output.${path}`)
  const at = (path: string): string => falco.place(`http_output.${path}`)
  const secure = url.protocol === 'https:'
  return [
    ...(told('keep_alive') === true
      ? []
      : [
          warn(
            'http_output.keep_alive',
            'a connection that the network dropped in silence is noticed late, and alerts on it are lost',
            'http_output: {keep_alive: true}',
            at('keep_alive'),
          ),
        ]),
    ...(secure && told('insecure') === true
      ? [
          warn(
            'http_output.insecure',
            'whoever stands between may read and swallow alerts',
            'http_output: {insecure: false, ca_cert: /path/ca.crt}',
            at('insecure'),
          ),
        ]
      : []),
  ]
}

/** A listener that asks for certificates gets none. */
export const certificateFindings = (falco: FalcoFile, { listen }: Options): readonly Finding[] => {
  const text = falco.get('http_output.url')
  const url = falco.get('http_output.enabled') === true && typeof text === 'string' ? URL.parse(text) : null
  if (url?.protocol !== 'https:' || falco.get('http_output.mtls') === true) return []
  const listener = listen.find((one) => 'port' in one && one.port === portOf(url))
  if (listener?.tls?.clientAuth !== 'require') return []
  const remedy = 'http_output: {mtls: true, client_cert: /path/client.crt, client_key: /path/client.key}'
  const message = `${addressText(listener)} takes nobody without a client certificate`
  return [fail('http_output.mtls', message, remedy, falco.place('http_output.mtls'))]
}

// ── file_output ─────────────────────────────────────────────────────────────────────────────────────────────────────

const fileFindings = (falco: FalcoFile, { inputs }: Options): Finding[] => {
  const paths = inputs
    .map(inputOf)
    .filter(({ plugin }) => plugin.type === 'file')
    .flatMap(({ config }) => [(config as { path: string | string[] }).path].flat())
  if (paths.length === 0) return []
  const at = (path: string): string => falco.place(`file_output.${path}`)
  if (falco.get('file_output.enabled') !== true) {
    const remedy = `file_output: {enabled: true, filename: ${paths[0]}}`
    const message = `Falco writes no file, and ${paths[0]} is waited for: right only where something else writes it`
    return [warn('file_output', message, remedy, at('enabled'))]
  }
  return [nameFinding(falco, paths, at('filename')), ...rotationFindings(falco, at('keep_alive'))]
}

const nameFinding = (falco: FalcoFile, paths: readonly string[], place: string): Finding => {
  const filename = textOf(falco.get('file_output.filename'))
  return paths.some((path) => path === filename || fits(path, filename))
    ? ok('file_output.filename', `${filename} is read`)
    : warn(
        'file_output.filename',
        `no input reads ${filename}`,
        `filename: ${paths[0]}, or correct the path of the input`,
        place,
      )
}

/** Whether a pattern could mean the file: a mount may give both another folder, so that the name alone counts. */
const fits = (pattern: string, file: string): boolean => {
  const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
  const source = nameOf(pattern)
    .replaceAll(/[.+^$()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
    .replaceAll(/\{([^}]*)\}/g, (_, list: string) => `(?:${list.replaceAll(',', '|')})`)
  return new RegExp(`^${source}$`).test(nameOf(file))
}

const rotationFindings = (falco: FalcoFile, place: string): Finding[] =>
  falco.get('file_output.keep_alive') === true
    ? [
        warn(
          'file_output.keep_alive',
          'after a rotation Falco goes on writing into the old file until it is told',
          'send it SIGUSR1 from logrotate, or file_output: {keep_alive: false}',
          place,
        ),
      ]
    : []
