import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { azure, createAzure } from '../../src/resources/azure.ts'
import { type Answers, testIo } from '../../src/testing.ts'

const STORAGE = 'https://storage.azure.com'
const token = { body: { access_token: 'eyJ.a', expires_in: 3_599, token_type: 'Bearer' } }

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'yarak-azure-'))
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-01-31T12:00:00Z') })
})
afterEach(() => {
  vi.useRealTimers()
  rmSync(dir, { recursive: true })
})

const rig = (settings: object, env: Record<string, string> = {}, answer: Answers = token) => {
  const io = testIo({ env, answer })
  return { io, ...createAzure(settings, io) }
}

const formOf = (body = '') => Object.fromEntries(new URLSearchParams(body))

describe('the identity in Azure', () => {
  it.each([
    ['the settings', { tenantId: 't-1', clientId: 'c-1', clientSecret: 'hush' }, {}],
    ['the environment', {}, { AZURE_TENANT_ID: 't-1', AZURE_CLIENT_ID: 'c-1', AZURE_CLIENT_SECRET: 'hush' }],
  ])('is an application with a secret, of %s', async (_where, settings, env) => {
    const { io, authorization } = rig(settings, env)
    expect(await authorization(STORAGE)).toBe('Bearer eyJ.a')
    const [request] = io.requests
    expect(request).toMatchObject({
      method: 'POST',
      url: 'https://login.microsoftonline.com/t-1/oauth2/v2.0/token',
    })
    expect(formOf(request?.body)).toEqual({
      grant_type: 'client_credentials',
      client_id: 'c-1',
      client_secret: 'hush',
      scope: 'https://storage.azure.com/.default',
    })
  })

  it('is the workload identity of a pod, whose token is read each time', async () => {
    const file = join(dir, 'token')
    writeFileSync(file, 'jwt-1\n')
    const env = {
      AZURE_TENANT_ID: 't-1',
      AZURE_CLIENT_ID: 'c-1',
      AZURE_FEDERATED_TOKEN_FILE: file,
      AZURE_AUTHORITY_HOST: 'https://login.microsoftonline.us/',
    }
    const { io, authorization } = rig({}, env)
    await authorization(STORAGE)
    writeFileSync(file, 'jwt-2\n')
    await authorization('api://secops')
    expect(io.requests[0]?.url).toBe('https://login.microsoftonline.us/t-1/oauth2/v2.0/token')
    expect(io.requests.map(({ body }) => formOf(body))).toMatchObject([
      {
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: 'jwt-1',
        scope: 'https://storage.azure.com/.default',
      },
      { client_assertion: 'jwt-2', scope: 'api://secops/.default' },
    ])
  })

  it('is that of an App Service, which tells when the token ends', async () => {
    const env = { IDENTITY_ENDPOINT: 'http://127.0.0.1:41741/msi/token', IDENTITY_HEADER: 'proof' }
    const end = String(Date.parse('2026-01-31T13:00:00Z') / 1_000)
    const { io, authorization } = rig({}, env, { body: { access_token: 'eyJ.b', expires_on: end } })
    expect(await authorization(STORAGE)).toBe('Bearer eyJ.b')
    const [request] = io.requests
    expect(request).toMatchObject({ method: 'GET', headers: { 'x-identity-header': 'proof' } })
    expect(formOf(new URL(request?.url ?? '').search)).toEqual({ resource: STORAGE, 'api-version': '2019-08-01' })
    vi.setSystemTime('2026-01-31T12:54:59Z')
    await authorization(STORAGE)
    expect(io.requests).toHaveLength(1)
    vi.setSystemTime('2026-01-31T12:55:00Z')
    await authorization(STORAGE)
    expect(io.requests).toHaveLength(2)
  })

  it('is that of the machine, one of several when it is named', async () => {
    const { io, authorization } = rig({ clientId: 'c-2' }, {}, { body: { access_token: 'eyJ.c', expires_in: '86400' } })
    expect(await authorization(STORAGE)).toBe('Bearer eyJ.c')
    const [request] = io.requests
    expect(request).toMatchObject({ method: 'GET', headers: { metadata: 'true' } })
    const url = new URL(request?.url ?? '')
    expect(url.origin + url.pathname).toBe('http://169.254.169.254/metadata/identity/oauth2/token')
    expect(formOf(url.search)).toEqual({ resource: STORAGE, client_id: 'c-2', 'api-version': '2018-02-01' })
  })

  it('has a token for each audience, kept until five minutes before its end', async () => {
    const { io, authorization } = rig({})
    await Promise.all([authorization(STORAGE), authorization(STORAGE), authorization('api://x')])
    expect(io.requests).toHaveLength(2)
  })

  it('is missing where nobody answers, and its answer is checked', async () => {
    await expect(rig({}, {}, new Error('EHOSTUNREACH')).authorization(STORAGE)).rejects.toMatchObject({
      code: 'unavailable',
      reason: 'azure-credentials',
      message: expect.stringContaining('no Azure credentials'),
    })
    for (const body of ['', 'no JSON', '{}']) {
      await expect(rig({}, {}, { body }).authorization(STORAGE)).rejects.toThrow('holds no token')
    }
    const env = { AZURE_TENANT_ID: 't', AZURE_CLIENT_ID: 'c', AZURE_FEDERATED_TOKEN_FILE: join(dir, 'absent') }
    await expect(rig({}, env).authorization(STORAGE)).rejects.toThrow('absent')
  })

  it('is opened without asking anybody', async () => {
    const io = testIo()
    expect(await io.use(azure)).toHaveProperty('authorization')
    expect(io.requests).toEqual([])
  })
})
