/** Functions in a Kubernetes cluster: called by their service from within, by the API server from without. */
import { type HttpRequest, type Io, type Notice, type PolicyRule, type Sender, z } from '../src/plugin.ts'
import { apiPath, kubernetes, type RawRequest } from '../src/resources/kubernetes.ts'
import { payload } from './_payload.ts'

/** A function, behind a service of the cluster. */
export interface Place {
  readonly service: string
  readonly namespace: string
  readonly port: number
  /** Of the function at the service, e.g. `['function', 'echo']`; `['']` for `/`. */
  readonly path: readonly string[]
  /** Name of the service within the cluster, e.g. `gateway.openfaas`. */
  readonly host: string
  readonly headers?: HttpRequest['headers']
}

export const servicePort = (port: number) =>
  z.int().min(1).max(65_535).default(port).describe(`Port of the service. Default ${port}.`)

export const serviceProxy = () =>
  z
    .boolean()
    .default(false)
    .describe('By the API server of the resource `kubernetes`, from outside of the cluster. Default false.')

/** For the notes of each. */
export const FAAS_NOTES = `
From outside of the cluster set \`serviceProxy\`: the API server of the resource \`kubernetes\` passes the call on, for
which the account needs the right below in the namespace of the service. The settings \`http\` hold for the direct way
only.

| API group | Resource | Verbs |
|---|---|---|
| core | \`services/proxy\` | create |
`.trim()

const PROXY: PolicyRule = { apiGroups: [''], resources: ['services/proxy'], verbs: ['create'] }

interface FaasSettings {
  readonly serviceProxy: boolean
}

/** Names the alert, the same for every try; a report has the id of the response. */
const eventId = ({ event, report }: Notice): string => report?.id ?? event.uuid ?? event.id

const contentOf = (notice: Notice, { headers }: Place) => ({
  method: 'POST' as const,
  headers: { 'event-id': eventId(notice), ...headers },
  body: payload(notice),
})

const direct = (notice: Notice, place: Place): HttpRequest => {
  const { href, pathname } = new URL(
    place.path.map(encodeURIComponent).join('/'),
    `http://${place.host}:${place.port}/`,
  )
  return { ...contentOf(notice, place), url: href, template: pathname }
}

const proxied = (notice: Notice, place: Place): RawRequest => {
  const { service, namespace, port, path } = place
  // The client takes away a slash at the end, and without one the API server redirects.
  const below = path.at(-1) === '' ? [...path, ''] : path
  const segments = ['namespaces', namespace, 'services', `${service}:${port}`, 'proxy', ...below]
  return { ...contentOf(notice, place), path: apiPath('v1', ...segments) }
}

/** Read to the end, for the connection to be free again. */
const drained = async (chunks: AsyncIterable<Uint8Array>): Promise<void> => {
  for await (const _ of chunks);
}

/**
 * What outputs to functions have in common: each notice is one call, whose answer is not looked at.
 * @example defineOutput({ type: 'openfaas', ...faas((settings: Config) => ({ service: 'gateway', … })) })
 */
export const faas = <C extends FaasSettings>(placeOf: (settings: C) => Place) => ({
  http: true,
  permissions: ({ serviceProxy }: C): readonly PolicyRule[] => (serviceProxy ? [PROXY] : []),
  preview: (notice: Notice, settings: C) => (settings.serviceProxy ? proxied : direct)(notice, placeOf(settings)),
  open: (settings: C, io: Io): Sender => {
    const place = placeOf(settings)
    const byProxy = async (notice: Notice, signal: AbortSignal): Promise<void> => {
      signal.throwIfAborted()
      const { stream } = (await io.use(kubernetes)).as({ call: io.call, signal })
      await stream(proxied(notice, place), drained)
    }
    return {
      async send(notices, signal) {
        for (const notice of notices) {
          await (settings.serviceProxy ? byProxy(notice, signal) : io.http(direct(notice, place), signal))
        }
      },
    }
  },
})
