/** Google's credentials of this process, found as Google's own clients find them (Application Default Credentials). */
import { createSign } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type Io, messageOf, YarakError } from '../plugin.ts'

export type GoogleIo = Pick<Io, 'env' | 'http'>

/** The key of a service account, as its file holds it. */
export interface ServiceAccount {
  readonly type: 'service_account'
  readonly client_email: string
  readonly private_key: string
  readonly private_key_id?: string
  readonly project_id?: string
  readonly token_uri?: string
}

/** What `gcloud auth application-default login` leaves: a person. */
export interface AuthorizedUser {
  readonly type: 'authorized_user'
  readonly client_id: string
  readonly client_secret: string
  readonly refresh_token: string
  readonly quota_project_id?: string
}

/** The account that the metadata service answers for. */
export interface OfMetadata {
  readonly type: 'metadata'
}

export type Credentials = ServiceAccount | AuthorizedUser | OfMetadata

/** Where a key may be set, beside the environment. */
export interface KeySettings {
  readonly credentialsFile?: string | undefined
  readonly credentials?: string | undefined
}

/**
 * The first that is there: the settings, `GOOGLE_APPLICATION_CREDENTIALS`, gcloud's file, the metadata service.
 * @throws YarakError `config`
 */
export const findCredentials = async (settings: KeySettings, { env }: GoogleIo): Promise<Credentials> => {
  if (settings.credentials !== undefined) return checked(settings.credentials, 'credentials')
  const file = settings.credentialsFile ?? env.GOOGLE_APPLICATION_CREDENTIALS
  if (file) return checked(await read(file), file)
  const folder = env.CLOUDSDK_CONFIG || (env.HOME && `${env.HOME}/.config/gcloud`)
  const path = `${folder}/application_default_credentials.json`
  const left = folder ? await readFile(path, 'utf8').catch(() => undefined) : undefined
  return left === undefined ? { type: 'metadata' } : checked(left, path)
}

const read = async (file: string): Promise<string> => {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw wrong(messageOf(cause), cause)
  }
}

const wrong = (what: string, cause?: unknown): YarakError =>
  new YarakError('config', `Google credentials: ${what}`, { cause, permanent: true, reason: 'google-credentials' })

const NEEDED: Readonly<Record<string, readonly string[]>> = {
  service_account: ['client_email', 'private_key'],
  authorized_user: ['client_id', 'client_secret', 'refresh_token'],
}

/** @param text JSON, or the same in Base64, as Falcosidekick takes it */
const checked = (text: string, from: string): Credentials => {
  const json = text.trimStart().startsWith('{') ? text : Buffer.from(text, 'base64').toString()
  let members: Record<string, unknown> = {}
  try {
    members = JSON.parse(json) as Record<string, unknown>
  } catch {
    throw wrong(`${from} is no JSON`)
  }
  const type = String(members.type)
  const needed = NEEDED[type]
  if (!needed) throw wrong(`${from} is of the type ${type}; service_account and authorized_user are known`)
  const missing = needed.filter((name) => typeof members[name] !== 'string' || members[name] === '')
  if (missing.length > 0) throw wrong(`${from} has no ${missing.join(', ')}`)
  return members as unknown as Credentials
}

const TOKEN_URL = 'https://oauth2.googleapis.com/token'

/** What a token is for: a scope, or an audience that is to be shown who we are. */
export type Wanted = { readonly scope: string } | { readonly audience: string }

export interface Token {
  readonly value: string
  /** Seconds. */
  readonly lasts: number
}

/**
 * A new token.
 * @throws YarakError `config` for an identity token of a person, whom Google gives none for an audience
 */
export const tokenFor = (credentials: Credentials, wanted: Wanted, io: GoogleIo): Promise<Token> => {
  switch (credentials.type) {
    case 'service_account':
      return ofServiceAccount(credentials, wanted, io)
    case 'authorized_user':
      return ofUser(credentials, wanted, io)
    case 'metadata':
      return ofMetadata(wanted, io)
  }
}

/** Seconds, the longest that Google takes. */
const HOUR = 3_600

/** RFC 7523, as Google's "Using OAuth 2.0 for server to server applications" has it. */
const ofServiceAccount = async (key: ServiceAccount, wanted: Wanted, io: GoogleIo): Promise<Token> => {
  const url = key.token_uri ?? TOKEN_URL
  const now = Math.floor(Date.now() / 1_000)
  const about = 'scope' in wanted ? { scope: wanted.scope } : { target_audience: wanted.audience }
  const claims = { iss: key.client_email, sub: key.client_email, aud: url, iat: now, exp: now + HOUR, ...about }
  const head = { alg: 'RS256', typ: 'JWT', ...(key.private_key_id && { kid: key.private_key_id }) }
  const signed = [head, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const assertion = `${signed}.${signature(signed, key.private_key)}`
  return ask(io, url, { grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion })
}

const signature = (text: string, key: string): string => {
  try {
    return createSign('RSA-SHA256').update(text).sign(key, 'base64url')
  } catch (cause) {
    throw wrong('the private_key cannot be used', cause)
  }
}

const ofUser = (user: AuthorizedUser, wanted: Wanted, io: GoogleIo): Promise<Token> => {
  if ('audience' in wanted) throw wrong('those of a person give no identity token; use a service account')
  const { client_id, client_secret, refresh_token } = user
  return ask(io, TOKEN_URL, { grant_type: 'refresh_token', client_id, client_secret, refresh_token })
}

const ask = async (io: GoogleIo, url: string, members: Readonly<Record<string, string>>): Promise<Token> => {
  const headers = { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' }
  const body = String(new URLSearchParams(members))
  return tokenIn((await io.http({ url, template: '/token', headers, body })).body)
}

const tokenIn = (json: string): Token => {
  const { access_token, id_token, expires_in } = parsed(json)
  const value = id_token ?? access_token
  if (typeof value === 'string' && value !== '') return { value, lasts: Number(expires_in ?? HOUR) }
  throw new YarakError('unavailable', 'Google credentials: the answer holds no token', { reason: 'google-credentials' })
}

const parsed = (json: string): Record<string, unknown> => {
  try {
    return JSON.parse(json) as Record<string, unknown>
  } catch {
    return {}
  }
}

/** Milliseconds: it is on the same host, or nowhere. */
const METADATA_TIMEOUT = 3_000

/** @example await readMetadata('project/project-id', io) */
export const readMetadata = async (path: string, { env, http }: GoogleIo): Promise<string> => {
  const url = `http://${env.GCE_METADATA_HOST || 'metadata.google.internal'}/computeMetadata/v1/${path}`
  const headers = { 'metadata-flavor': 'Google' }
  try {
    return (await http({ method: 'GET', url, headers, timeout: METADATA_TIMEOUT })).body.trim()
  } catch (cause) {
    throw new YarakError(
      'unavailable',
      'no Google credentials: set GOOGLE_APPLICATION_CREDENTIALS, or run with a service account (Workload Identity)',
      { cause, reason: 'google-credentials' },
    )
  }
}

const ACCOUNT = 'instance/service-accounts/default'

const ofMetadata = async (wanted: Wanted, io: GoogleIo): Promise<Token> => {
  if ('scope' in wanted)
    return tokenIn(await readMetadata(`${ACCOUNT}/token?scopes=${encodeURIComponent(wanted.scope)}`, io))
  const query = new URLSearchParams({ audience: wanted.audience, format: 'full' })
  const value = await readMetadata(`${ACCOUNT}/identity?${String(query)}`, io)
  return tokenIn(JSON.stringify({ id_token: value }))
}
