import { createVerify, generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createGoogle, google, googleOf } from '../../src/resources/google.ts'
import { type Answers, testIo } from '../../src/testing.ts'

const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
const key = {
  type: 'service_account',
  project_id: 'secops-1',
  private_key_id: 'key-1',
  private_key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  client_email: 'yarak@secops-1.iam.gserviceaccount.com',
}
const user = { type: 'authorized_user', client_id: 'id', client_secret: 'hush', refresh_token: 'refresh' }

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'yarak-google-'))
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-01-31T12:00:00Z') })
})
afterEach(() => {
  vi.useRealTimers()
  rmSync(dir, { recursive: true })
})

const file = (content: unknown, name = 'key.json'): string => {
  const path = join(dir, name)
  writeFileSync(path, JSON.stringify(content))
  return path
}

const token = { body: { access_token: 'ya29.a', expires_in: 3_600, token_type: 'Bearer' } }

const rig = (settings: object, answer: Answers = token, env: Record<string, string> = {}) => {
  const io = testIo({ answer, env })
  return { io, account: createGoogle(settings, io) }
}

/** What a JWT says, when its signature is that of the key. */
const claimsOf = (jwt: string) => {
  const [head = '', claims = '', signature = ''] = jwt.split('.')
  const holds = createVerify('RSA-SHA256').update(`${head}.${claims}`).verify(pair.publicKey, signature, 'base64url')
  expect(holds).toBe(true)
  const parse = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
  return { head: parse(head), claims: parse(claims) }
}

describe('the key of a service account', () => {
  it('is exchanged for an access token by a signed assertion', async () => {
    const { io, account } = rig({ credentialsFile: file(key) })
    expect(await account.authorization()).toBe('Bearer ya29.a')
    const [request = expect.fail()] = io.requests
    expect(request).toMatchObject({ method: 'POST', url: 'https://oauth2.googleapis.com/token' })
    const form = new URLSearchParams(request.body)
    expect(form.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer')
    const { head, claims } = claimsOf(form.get('assertion') ?? '')
    expect(head).toEqual({ alg: 'RS256', typ: 'JWT', kid: 'key-1' })
    const iat = Date.now() / 1_000
    expect(claims).toEqual({
      iss: key.client_email,
      sub: key.client_email,
      aud: 'https://oauth2.googleapis.com/token',
      iat,
      exp: iat + 3_600,
      scope: 'https://www.googleapis.com/auth/cloud-platform',
    })
  })

  it('is exchanged for an identity token of an audience', async () => {
    const { io, account } = rig({ credentials: JSON.stringify(key) }, { body: { id_token: 'eyJ.x' } })
    expect(await account.identity('https://f.run.app')).toBe('Bearer eyJ.x')
    const { claims } = claimsOf(new URLSearchParams(io.requests[0]?.body).get('assertion') ?? '')
    expect(claims).toMatchObject({ target_audience: 'https://f.run.app' })
    expect(claims).not.toHaveProperty('scope')
  })

  it('may be a text, in Base64 too', async () => {
    const text = JSON.stringify(key)
    for (const credentials of [text, Buffer.from(text).toString('base64')]) {
      expect(await rig({ credentials }).account.authorization()).toBe('Bearer ya29.a')
    }
  })

  it('gives tokens that are kept, each for what it is for, until five minutes before their end', async () => {
    const { io, account } = rig({ credentialsFile: file(key) })
    await Promise.all([account.authorization(), account.authorization()])
    vi.setSystemTime('2026-01-31T12:54:59Z')
    await account.authorization()
    expect(io.requests).toHaveLength(1)
    vi.setSystemTime('2026-01-31T12:55:00Z')
    await account.authorization()
    await account.identity('https://a')
    await account.identity('https://b')
    expect(io.requests).toHaveLength(4)
  })

  it.each([
    ['no file', { credentialsFile: '/nowhere/key.json' }, 'ENOENT'],
    ['no JSON', { credentials: 'hello' }, 'credentials is no JSON'],
    ['a part missing', { credentials: '{"type":"service_account","client_email":"a"}' }, 'has no private_key'],
    ['an unknown type', { credentials: '{"type":"external_account"}' }, 'of the type external_account'],
    ['no key', { credentials: JSON.stringify({ ...key, private_key: 'none' }) }, 'the private_key cannot be used'],
  ])('with %s is refused for good, and not told', async (_what, settings, message) => {
    const error: unknown = await rig(settings)
      .account.authorization()
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'config', permanent: true, message: expect.stringContaining(message) })
    expect(String(error)).not.toContain('PRIVATE KEY')
  })

  it('that is not taken is told, and an answer without a token', async () => {
    const refused = rig({ credentialsFile: file(key) }, { status: 400, body: { error: 'invalid_grant' } })
    await expect(refused.account.authorization()).rejects.toThrow('invalid_grant')
    for (const body of ['', '{}', 'no JSON']) {
      const { account } = rig({ credentialsFile: file(key) }, { body })
      await expect(account.authorization()).rejects.toMatchObject({ code: 'unavailable' })
    }
  })
})

describe('credentials of the environment', () => {
  it('are those of GOOGLE_APPLICATION_CREDENTIALS', async () => {
    const { account } = rig({}, token, { GOOGLE_APPLICATION_CREDENTIALS: file(key) })
    expect(await account.authorization()).toBe('Bearer ya29.a')
    expect(await account.project()).toBe('secops-1')
  })

  it('are those of the login of gcloud, which prove no identity', async () => {
    mkdirSync(join(dir, '.config', 'gcloud'), { recursive: true })
    file({ ...user, quota_project_id: 'mine' }, '.config/gcloud/application_default_credentials.json')
    const { io, account } = rig({}, token, { HOME: dir })
    expect(await account.authorization()).toBe('Bearer ya29.a')
    expect(Object.fromEntries(new URLSearchParams(io.requests[0]?.body))).toEqual({
      grant_type: 'refresh_token',
      client_id: 'id',
      client_secret: 'hush',
      refresh_token: 'refresh',
    })
    expect(await account.project()).toBe('mine')
    await expect(account.identity('https://f')).rejects.toThrow('use a service account')
  })

  const metadata: Answers = ({ url, headers }) => {
    if (headers['metadata-flavor'] !== 'Google') return { status: 403 }
    const { host, pathname, searchParams } = new URL(url)
    if (host !== 'metadata.google.internal') return { status: 404 }
    if (pathname === '/computeMetadata/v1/project/project-id') return { body: 'of-the-machine' }
    if (pathname.endsWith('/default/token')) return token
    return pathname.endsWith('/default/identity') ? { body: `eyJ.${searchParams.get('audience')}` } : { status: 404 }
  }

  it('are those of the metadata service', async () => {
    const { account } = rig({}, metadata, { HOME: dir })
    expect(await account.authorization()).toBe('Bearer ya29.a')
    expect(await account.identity('https://f.run.app')).toBe('Bearer eyJ.https://f.run.app')
    expect(await account.project()).toBe('of-the-machine')
  })

  it('are missing elsewhere, and looked for again', async () => {
    const { io, account } = rig({}, new Error('ENOTFOUND'), { GCE_METADATA_HOST: '169.254.169.254' })
    for (let i = 0; i < 2; i++) {
      await expect(account.authorization()).rejects.toMatchObject({
        code: 'unavailable',
        reason: 'google-credentials',
        message: expect.stringContaining('no Google credentials'),
      })
    }
    expect(io.requests).toHaveLength(2)
    expect(io.requests[0]?.url).toMatch(/^http:\/\/169\.254\.169\.254\/computeMetadata/)
  })
})

describe('the project', () => {
  it('is the one wanted, set, in the environment, or of the credentials, in this order', async () => {
    const env = { GOOGLE_CLOUD_PROJECT: 'of-env' }
    const credentials = JSON.stringify(key)
    expect(await rig({ project: 'set', credentials }, token, env).account.project('wanted')).toBe('wanted')
    expect(await rig({ project: 'set', credentials }, token, env).account.project()).toBe('set')
    expect(await rig({ credentials }, token, env).account.project()).toBe('of-env')
    expect(await rig({ credentials }).account.project()).toBe('secops-1')
  })

  it('is asked for where nobody knows it', async () => {
    await expect(rig({ credentials: JSON.stringify(user) }).account.project()).rejects.toThrow('set `project`')
  })

  it('is shared by those who have no key of their own', async () => {
    const shared = createGoogle({}, testIo())
    const io = testIo({ resources: { google: shared } })
    expect(await googleOf({}, io)).toBe(shared)
    expect(await googleOf({ credentialsFile: '/k' }, io)).not.toBe(shared)
    expect(google({ project: 'secops-1' }).config).toEqual({ project: 'secops-1' })
    expect(() => google({ project: 'a/b' })).toThrow('id of a project')
  })
})
