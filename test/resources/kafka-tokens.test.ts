import { createHash, createHmac } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createMskToken, createOauthToken } from '../../src/resources/_kafka-tokens.ts'
import { testIo } from '../../src/testing.ts'

afterEach(() => void vi.useRealTimers())

const oauth = {
  mechanism: 'oauthbearer' as const,
  tokenUrl: 'https://login.example.com/token',
  clientId: 'yarak',
  clientSecret: 'p:q r',
}

describe('a token by client credentials', () => {
  it('is asked for as RFC 6749 says', async () => {
    const io = testIo({ answer: { body: '{"access_token":"abc","token_type":"Bearer","expires_in":3600}' } })
    expect(await createOauthToken({ ...oauth, scope: 'kafka read' }, io)()).toBe('abc')
    const [request] = io.requests
    expect(request).toMatchObject({ method: 'POST', url: oauth.tokenUrl })
    expect(request?.headers).toMatchObject({
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from('yarak:p%3Aq%20r').toString('base64')}`,
    })
    expect(String(request?.body)).toBe('grant_type=client_credentials&scope=kafka+read')
  })

  it('is kept for most of its life', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 0 })
    const io = testIo({ answer: { body: '{"access_token":"abc","expires_in":100}' } })
    const token = createOauthToken(oauth, io)
    await Promise.all([token(), token()])
    vi.setSystemTime(79_000)
    await token()
    expect(io.requests).toHaveLength(1)
    vi.setSystemTime(80_000)
    await token()
    expect(io.requests).toHaveLength(2)
  })

  it.each(['{}', 'no', '{"access_token":7}'])('is not there when the answer is %s', async (body) => {
    const token = createOauthToken(oauth, testIo({ answer: { body } }))
    await expect(token()).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('is asked for again after a refusal', async () => {
    const io = testIo({ answer: { status: 401 } })
    const token = createOauthToken(oauth, io)
    await expect(token()).rejects.toThrow('401')
    await expect(token()).rejects.toThrow('401')
    expect(io.requests).toHaveLength(2)
  })
})

describe('a token from a file', () => {
  it('is read anew each time', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'yarak-token-'))
    const tokenFile = join(dir, 'token')
    const token = createOauthToken({ mechanism: 'oauthbearer', tokenFile }, testIo())
    await expect(token()).rejects.toThrow(/sasl\.tokenFile: .*token/)
    writeFileSync(tokenFile, 'one\n')
    expect(await token()).toBe('one')
    writeFileSync(tokenFile, 'two\n')
    expect(await token()).toBe('two')
    rmSync(dir, { recursive: true })
  })
})

describe('a token for Amazon MSK', () => {
  const env = { AWS_ACCESS_KEY_ID: 'AKIA1', AWS_SECRET_ACCESS_KEY: 'secret', AWS_SESSION_TOKEN: 'a/b+c==' }
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
  const encoded = (text: string) => encodeURIComponent(text).replaceAll('*', '%2A')

  it('is a request to connect, signed for 15 minutes', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-01-31T12:00:00Z') })
    const token = await createMskToken('eu-central-1', testIo({ env }))()
    expect(token).toMatch(/^[\w-]+$/)
    const url = new URL(Buffer.from(token, 'base64url').toString())
    expect(url.origin + url.pathname).toBe('https://kafka.eu-central-1.amazonaws.com/')
    const { 'X-Amz-Signature': signature, 'User-Agent': agent, ...signed } = Object.fromEntries(url.searchParams)
    expect(agent).toBe('yarak')
    expect(signed).toEqual({
      Action: 'kafka-cluster:Connect',
      'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
      'X-Amz-Credential': 'AKIA1/20260131/eu-central-1/kafka-cluster/aws4_request',
      'X-Amz-Date': '20260131T120000Z',
      'X-Amz-Expires': '900',
      'X-Amz-Security-Token': 'a/b+c==',
      'X-Amz-SignedHeaders': 'host',
    })
    // Signature Version 4, computed here once more from its specification
    const query = Object.entries(signed)
      .map((pair) => pair.map(encoded).join('='))
      .sort()
      .join('&')
    const request = ['GET', '/', query, 'host:kafka.eu-central-1.amazonaws.com', '', 'host', sha256('')].join('\n')
    const scope = '20260131/eu-central-1/kafka-cluster/aws4_request'
    const toSign = ['AWS4-HMAC-SHA256', '20260131T120000Z', scope, sha256(request)].join('\n')
    const key = scope.split('/').reduce<string | Buffer>(hmac, 'AWS4secret')
    expect(signature).toBe(hmac(key, toSign).toString('hex'))
  })
})
