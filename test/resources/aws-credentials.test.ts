import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createAwsCredentials } from '../../src/resources/_aws-credentials.ts'
import { type RecordedRequest, testIo } from '../../src/testing.ts'

const IN_AN_HOUR = '2026-01-31T13:00:00Z'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'yarak-aws-'))
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-01-31T12:00:00Z') })
})
afterEach(() => {
  vi.useRealTimers()
  rmSync(dir, { recursive: true })
})

const file = (text: string): string => {
  const path = join(dir, 'token')
  writeFileSync(path, text)
  return path
}

const STS = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <Credentials>
      <AccessKeyId>ASIA1</AccessKeyId>
      <SecretAccessKey>s3cr3t/+</SecretAccessKey>
      <SessionToken>session==</SessionToken>
      <Expiration>${IN_AN_HOUR}</Expiration>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>`

const CREDENTIALS = {
  accessKeyId: 'ASIA1',
  secretAccessKey: 's3cr3t/+',
  sessionToken: 'session==',
  expiresAt: Date.parse(IN_AN_HOUR),
}

const AGENT = JSON.stringify({
  AccessKeyId: 'ASIA1',
  SecretAccessKey: 's3cr3t/+',
  Token: 'session==',
  Expiration: IN_AN_HOUR,
})

describe('AWS credentials', () => {
  it('come from the environment first, and then ask nobody', async () => {
    const env = { AWS_ACCESS_KEY_ID: 'AKIA1', AWS_SECRET_ACCESS_KEY: 'x', AWS_ROLE_ARN: 'r' }
    const io = testIo({ env })
    expect(await createAwsCredentials(io, 'eu-central-1')()).toEqual({ accessKeyId: 'AKIA1', secretAccessKey: 'x' })
    const withSession = testIo({ env: { ...env, AWS_SESSION_TOKEN: 't' } })
    expect(await createAwsCredentials(withSession, 'eu-central-1')()).toMatchObject({ sessionToken: 't' })
    expect(io.requests).toEqual([])
  })

  it.each([
    ['eu-central-1', 'https://sts.eu-central-1.amazonaws.com/'],
    ['cn-north-1', 'https://sts.cn-north-1.amazonaws.com.cn/'],
  ])('come from the role of a web identity in %s', async (region, url) => {
    const env = { AWS_ROLE_ARN: 'arn:aws:iam::1:role/yarak', AWS_WEB_IDENTITY_TOKEN_FILE: file('jwt.of.pod\n') }
    const io = testIo({ env, answer: { body: STS } })
    expect(await createAwsCredentials(io, region)()).toEqual(CREDENTIALS)
    expect(io.requests).toMatchObject([{ method: 'POST', url }])
    expect(Object.fromEntries(new URLSearchParams(String(io.requests[0]?.body)))).toEqual({
      Action: 'AssumeRoleWithWebIdentity',
      Version: '2011-06-15',
      RoleArn: 'arn:aws:iam::1:role/yarak',
      RoleSessionName: 'yarak',
      WebIdentityToken: 'jwt.of.pod',
    })
  })

  it('come from another STS when the environment names one', async () => {
    const env = { AWS_ROLE_ARN: 'r', AWS_WEB_IDENTITY_TOKEN_FILE: file('t'), AWS_ENDPOINT_URL_STS: 'http://sts.local/' }
    const io = testIo({ env, answer: { body: STS } })
    await createAwsCredentials(io, 'eu-central-1')()
    expect(io.requests[0]?.url).toBe('http://sts.local/')
  })

  it('come from the agent of EKS Pod Identity, with the token of its file', async () => {
    const env = {
      AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://169.254.170.23/v1/credentials',
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file('pod-token\n'),
    }
    const io = testIo({ env, answer: { body: AGENT } })
    expect(await createAwsCredentials(io, 'eu-central-1')()).toEqual(CREDENTIALS)
    expect(io.requests[0]).toMatchObject({ method: 'GET', url: 'http://169.254.170.23/v1/credentials' })
    expect(io.requests[0]?.headers).toMatchObject({ authorization: 'pod-token' })
  })

  it('come from the agent of ECS', async () => {
    const env = { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2/credentials/7' }
    const io = testIo({ env, answer: { body: AGENT } })
    expect(await createAwsCredentials(io, 'eu-central-1')()).toEqual(CREDENTIALS)
    expect(io.requests[0]?.url).toBe('http://169.254.170.2/v2/credentials/7')
  })

  const INSTANCE = 'http://169.254.169.254/latest'

  /** The metadata service: it answers only those who come back with its token. */
  const instance =
    (roles = 'node-role\n') =>
    (request: RecordedRequest) => {
      if (request.method === 'PUT' && request.url === `${INSTANCE}/api/token`) {
        return request.headers['x-aws-ec2-metadata-token-ttl-seconds'] === '21600' ? { body: 'imds' } : { status: 400 }
      }
      if (request.headers['x-aws-ec2-metadata-token'] !== 'imds') return { status: 401 }
      const path = request.url.slice(`${INSTANCE}/meta-data/iam/security-credentials/`.length)
      return path === '' ? { body: roles } : path === 'node-role' ? { body: AGENT } : { status: 404 }
    }

  it('come from the role of the instance, by IMDSv2', async () => {
    const io = testIo({ answer: instance() })
    expect(await createAwsCredentials(io, 'eu-central-1')()).toEqual(CREDENTIALS)
    expect(io.requests.map(({ method }) => method)).toEqual(['PUT', 'GET', 'GET'])
  })

  it('come from another address of the metadata service when the environment names one', async () => {
    const io = testIo({ env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://imds.local/' } })
    await expect(createAwsCredentials(io, 'eu-central-1')()).rejects.toThrow('no AWS credentials')
    expect(io.requests[0]?.url).toBe('http://imds.local/latest/api/token')
  })

  it.each([
    ['there is no instance', new Error('EHOSTUNREACH')],
    ['the instance has no role', instance('')],
    [
      'it has none to give',
      (request: RecordedRequest) => (request.method === 'PUT' ? { body: 'imds' } : { status: 404 }),
    ],
  ])('are missing where %s', async (_where, answer) => {
    await expect(createAwsCredentials(testIo({ answer }), 'eu-central-1')()).rejects.toMatchObject({ code: 'config' })
  })

  it('do not come from the instance where that is switched off', async () => {
    const io = testIo({ answer: instance(), env: { AWS_EC2_METADATA_DISABLED: 'TRUE' } })
    await expect(createAwsCredentials(io, 'eu-central-1')()).rejects.toThrow('no AWS credentials')
    expect(io.requests).toEqual([])
  })

  it('are asked for once, and again five minutes before they end', async () => {
    const env = { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://169.254.170.23/v1/credentials' }
    const io = testIo({ env, answer: { body: AGENT } })
    const credentials = createAwsCredentials(io, 'eu-central-1')
    await Promise.all([credentials(), credentials()])
    vi.setSystemTime('2026-01-31T12:54:59Z')
    await credentials()
    expect(io.requests).toHaveLength(1)
    vi.setSystemTime('2026-01-31T12:55:00Z')
    await credentials()
    expect(io.requests).toHaveLength(2)
  })

  describe('of the shared file', () => {
    const shared = `# keys
[default]
aws_access_key_id = AKIA1
aws_secret_access_key=a=b+/ 

[ work ]
AWS_ACCESS_KEY_ID = AKIA2
aws_secret_access_key = s2
aws_session_token = t2
; nothing else
[empty]
region = eu-west-1
`
    const take = (env: Record<string, string>) => createAwsCredentials(testIo({ env }), 'eu-central-1')()

    it('are those of the profile, by default of `default`', async () => {
      const env = { AWS_SHARED_CREDENTIALS_FILE: file(shared) }
      expect(await take(env)).toEqual({ accessKeyId: 'AKIA1', secretAccessKey: 'a=b+/' })
      expect(await take({ ...env, AWS_PROFILE: 'work' })).toEqual({
        ...{ accessKeyId: 'AKIA2', secretAccessKey: 's2', sessionToken: 't2' },
      })
    })

    it('are looked for in the home folder', async () => {
      mkdirSync(join(dir, '.aws'))
      writeFileSync(join(dir, '.aws/credentials'), shared)
      expect(await take({ HOME: dir })).toMatchObject({ accessKeyId: 'AKIA1' })
    })

    it('must be there when a profile is named; without one the next source is asked', async () => {
      const env = { AWS_SHARED_CREDENTIALS_FILE: file(shared), AWS_EC2_METADATA_DISABLED: 'true' }
      await expect(take({ ...env, AWS_PROFILE: 'other' })).rejects.toThrow('AWS_PROFILE: there is no profile other in')
      await expect(take({ ...env, AWS_PROFILE: 'empty' })).rejects.toThrow('no AWS credentials')
      await expect(take({ ...env, AWS_SHARED_CREDENTIALS_FILE: join(dir, 'none') })).rejects.toThrow(
        'no AWS credentials',
      )
    })
  })

  it('say what is missing', async () => {
    const credentials = createAwsCredentials(testIo(), 'eu-central-1')
    await expect(credentials()).rejects.toMatchObject({ code: 'config' })
    await expect(credentials()).rejects.toThrow('no AWS credentials')
  })

  it.each(['', 'not JSON', '{}', '{"AccessKeyId":"a","SecretAccessKey":"b"}'])(
    'are refused when the answer is %j, and asked for again',
    async (body) => {
      const env = { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://169.254.170.23/v1/credentials' }
      const io = testIo({ env, answer: { body } })
      const credentials = createAwsCredentials(io, 'eu-central-1')
      await expect(credentials()).rejects.toThrow('the answer holds none')
      await expect(credentials()).rejects.toMatchObject({ code: 'unavailable' })
      expect(io.requests).toHaveLength(2)
    },
  )

  it('name a token file that is not there', async () => {
    const env = { AWS_ROLE_ARN: 'r', AWS_WEB_IDENTITY_TOKEN_FILE: join(dir, 'absent') }
    await expect(createAwsCredentials(testIo({ env }), 'eu-central-1')()).rejects.toThrow('absent')
  })
})
