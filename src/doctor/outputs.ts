/** Whether the outputs can be reached. Nothing is sent, unless it is asked for. */
import { accessSync, constants } from 'node:fs'
import { dirname } from 'node:path'
import { whyNot } from '../config/files.ts'
import type { OutputUse } from '../config/index.ts'
import { proxyFor } from '../http-connection.ts'
import type { HttpConnection } from '../http-settings.ts'
import { deliverySettings } from '../delivery-settings.ts'
import type { Findings, Patient } from './context.ts'
import { type Endpoint, placeText, reach, type Reached } from './connect.ts'
import { endpointsIn, endpointOf } from './endpoints.ts'
import { about, type Finding, timeOf, words } from './finding.ts'
import { SOON } from './listeners.ts'
import { requestedBy } from './requested.ts'
import { within } from './within.ts'

const { ok, warn, fail, skip } = about('outputs')

/** Tells one output of a sample, as `yarak send --output` does. Rejects with what was wrong. */
export type SendSample = (id: string) => Promise<string>

/** @param send present: each output is told of a sample */
export const outputFindings = async (patient: Patient, send?: SendSample): Promise<Findings> => {
  const all = patient.options.outputs.map(async (given) => [
    ...(await placeFindings(given, patient)),
    ...(send ? [await sendFinding(given.output.id, send)] : []),
  ])
  return (await Promise.all(all)).flat()
}

const sendFinding = async (id: string, send: SendSample): Promise<Finding> => {
  try {
    return ok(`${id} sample`, await send(id))
  } catch (error) {
    return fail(`${id} sample`, words(error), `yarak send --output ${id}`)
  }
}

const placeFindings = async (given: OutputUse, patient: Patient): Promise<Findings> => {
  const { output: use, ...settings } = given
  const { id, plugin, config } = use
  if (plugin.type === 'file') return [folderFinding(id, config)]
  try {
    if (!plugin.http) return await findingsFor(id, endpointsIn(plugin.type, config), patient)
    const { http = {} } = deliverySettings.parse(settings)
    const urls = await requestedBy(use, patient)
    const ways = urls.flatMap((url) => throughProxy(url, http, patient.env))
    return await findingsFor(id, ways, patient)
  } catch (error) {
    return [fail(id, words(error), `yarak send --output ${id} --dry-run shows what it would send`)]
  }
}

interface Way {
  readonly endpoint: Endpoint
  readonly text: string
}

const findingsFor = (id: string, ways: readonly Way[], patient: Patient): Promise<Finding[]> => {
  const places = new Map(ways.map((way) => [way.text, way]))
  return places.size === 0
    ? Promise.resolve([skip(id, 'its settings name no place to connect to')])
    : Promise.all([...places.values()].map((way) => placeFinding(id, way, patient)))
}

const placeFinding = async (id: string, { endpoint, text }: Way, { timeout, signal }: Patient): Promise<Finding> => {
  try {
    return reachedFinding(id, text, endpoint, await within(timeout, (either) => reach(endpoint, either), signal))
  } catch (error) {
    const told = words(error)
    return fail(id, told.includes(endpoint.host) ? told : `${text}: ${told}`, remedyFor(error))
  }
}

const reachedFinding = (id: string, text: string, { udp }: Endpoint, { validTo }: Reached): Finding => {
  if (udp) return ok(id, `the name of ${text} is known; over UDP nobody answers, so more cannot be said`)
  const left = validTo ? validTo.getTime() - Date.now() : Infinity
  if (left > SOON) return ok(id, `${text} answers${validTo ? ` with a certificate for another ${timeOf(left)}` : ''}`)
  return warn(id, `the certificate of ${text} ends in ${timeOf(left)}`, 'tell whoever runs that server to renew it')
}

const remedyFor = (error: unknown): string => {
  const { reason = '' } = error as { reason?: string }
  if (reason === 'dns') return 'correct the name in the settings, or the name server of this machine'
  if (reason === 'private-address') return 'set http.denyPrivate: false if that is meant'
  if (/cert|leaf|issuer/.test(reason)) return 'set tls.caFile to the authority of that server'
  return 'see that the server runs, and that no firewall or NetworkPolicy stands between'
}

/** Behind a proxy, how the proxy gets on from there is not known. */
const throughProxy = (address: string, http: HttpConnection, env: Patient['env']): Way[] => {
  const url = new URL(address)
  const proxy = http.proxy ?? proxyFor(url, env)
  const direct = endpointOf(url)
  if (!direct) return []
  const way = (endpoint: Endpoint): Way => ({ endpoint, text: placeText(endpoint) })
  if (proxy === undefined)
    return [way({ ...direct, denyPrivate: http.denyPrivate, ...(direct.tls && { tls: { ...http.tls } }) })]
  const through = endpointOf(new URL(proxy))
  return through ? [{ endpoint: through, text: `the proxy ${placeText(through)} for ${placeText(direct)}` }] : []
}

const folderFinding = (id: string, config: unknown): Finding => {
  const { path = '' } = config as { readonly path?: string }
  const folder = dirname(path)
  try {
    accessSync(folder, constants.W_OK)
    return ok(id, `${folder} can be written`)
  } catch (error) {
    return fail(id, `${folder} cannot be written: ${whyNot(error)}`, `mkdir -p ${folder}, and give it to the account`)
  }
}
