/** Azure: tokens of Microsoft Entra ID for whoever this process is. */
import { readFile } from 'node:fs/promises'
import { defineResource, type Io, messageOf, secret, YarakError, z } from '../plugin.ts'
import { type Dated, renewed } from './_renewed.ts'

/** Who we are. */
export interface Azure {
  /** `Bearer …`. @param audience the service's, without `/.default`, e.g. `https://storage.azure.com` */
  authorization(audience: string): Promise<string>
}

type AzureIo = Pick<Io, 'env' | 'http'>

const settings = {
  tenantId: z.string().min(1).optional().describe('Id of the tenant. Default: AZURE_TENANT_ID.'),
  clientId: z
    .string()
    .min(1)
    .optional()
    .describe('Id of the application, or of the managed identity where there are several. Default: AZURE_CLIENT_ID.'),
  clientSecret: secret().optional().describe('Secret of the application. Default: AZURE_CLIENT_SECRET.'),
}

type Settings = z.output<z.ZodObject<typeof settings>>

/** The identity in Azure that actions and outputs have. */
export const azure = defineResource({
  type: 'azure',
  summary: 'The identity in Azure that actions and outputs have.',
  notes: [
    'The first that is set up: an application with a secret; Workload Identity of AKS (`AZURE_FEDERATED_TOKEN_FILE`); the managed identity of an App Service or a function (`IDENTITY_ENDPOINT`); that of the virtual machine.',
    'Tokens are renewed five minutes before they end.',
  ].join('\n'),
  config: z.strictObject(settings),
  open: async (given, io) => createAzure(given, io),
})

/** @example const { authorization } = createAzure({}, io); await authorization('https://storage.azure.com') */
export const createAzure = (given: Settings, io: AzureIo): Azure => {
  const tokens = new Map<string, () => Promise<string>>()
  return {
    authorization(audience) {
      const found = tokens.get(audience) ?? renewed(() => ask(audience, given, io))
      tokens.set(audience, found)
      return found()
    },
  }
}

const ask = (audience: string, given: Settings, io: AzureIo): Promise<Dated<string>> => {
  const { env } = io
  const tenant = given.tenantId ?? env.AZURE_TENANT_ID
  const client = given.clientId ?? env.AZURE_CLIENT_ID
  const secret = given.clientSecret ?? env.AZURE_CLIENT_SECRET
  const file = env.AZURE_FEDERATED_TOKEN_FILE
  if (tenant && client && secret) return fromEntra({ tenant, client, audience, proof: { client_secret: secret } }, io)
  if (tenant && client && file) return fromFile({ tenant, client, audience }, file, io)
  const query = { resource: audience, ...(client && { client_id: client }) }
  const { IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: header } = env
  return endpoint && header
    ? fromIdentity(endpoint, { ...query, 'api-version': '2019-08-01' }, { 'x-identity-header': header }, io)
    : fromIdentity(MACHINE, { ...query, 'api-version': '2018-02-01' }, { metadata: 'true' }, io)
}

const MACHINE = 'http://169.254.169.254/metadata/identity/oauth2/token'

/** Milliseconds: it is on the same host, or nowhere. */
const IDENTITY_TIMEOUT = 3_000

interface Asked {
  readonly tenant: string
  readonly client: string
  readonly audience: string
}

/** The client credentials grant of the Microsoft identity platform, v2.0. */
const fromEntra = async (
  { tenant, client, audience, proof }: Asked & { readonly proof: Readonly<Record<string, string>> },
  { env, http }: AzureIo,
): Promise<Dated<string>> => {
  const authority = (env.AZURE_AUTHORITY_HOST || 'https://login.microsoftonline.com').replace(/\/+$/, '')
  const members = { grant_type: 'client_credentials', client_id: client, scope: `${audience}/.default`, ...proof }
  const answer = await http({
    url: `${authority}/${encodeURIComponent(tenant)}/oauth2/v2.0/token`,
    template: '/{tenant}/oauth2/v2.0/token',
    headers: { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' },
    body: String(new URLSearchParams(members)),
  })
  return tokenIn(answer.body)
}

/** Kubernetes renews the file, so it is read every time. */
const fromFile = async (asked: Asked, file: string, io: AzureIo): Promise<Dated<string>> => {
  const assertion = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new YarakError('unavailable', `Azure credentials: ${messageOf(cause)}`, { cause })
  })
  const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
  return fromEntra({ ...asked, proof: { client_assertion_type, client_assertion: assertion.trim() } }, io)
}

const fromIdentity = async (
  endpoint: string,
  query: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>>,
  { http }: AzureIo,
): Promise<Dated<string>> => {
  const url = `${endpoint}?${String(new URLSearchParams(query))}`
  const answer = await http({ method: 'GET', url, headers, timeout: IDENTITY_TIMEOUT }).catch((cause: unknown) => {
    throw new YarakError(
      'unavailable',
      'no Azure credentials: set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or run with an identity',
      { cause, reason: 'azure-credentials' },
    )
  })
  return tokenIn(answer.body)
}

/** Milliseconds before its end when a token is renewed. */
const EARLY = 5 * 60_000

/** `expires_in` is in seconds; the machine's service writes it as a text, an App Service only `expires_on`. */
const tokenIn = (json: string): Dated<string> => {
  const { access_token: token, expires_in: seconds, expires_on: end } = parsed(json)
  if (typeof token !== 'string' || token === '') {
    throw new YarakError('unavailable', 'Azure credentials: the answer holds no token', { reason: 'azure-credentials' })
  }
  const until = seconds === undefined ? Number(end ?? 0) * 1_000 : Date.now() + Number(seconds) * 1_000
  return { value: `Bearer ${token}`, until: until - EARLY }
}

const parsed = (json: string): Record<string, unknown> => {
  try {
    return JSON.parse(json) as Record<string, unknown>
  } catch {
    return {}
  }
}
