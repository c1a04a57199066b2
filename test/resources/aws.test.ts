import { describe, expect, it } from 'vitest'
import { aws, awsOf, createAws, createInstanceMetadata } from '../../src/resources/aws.ts'
import { testIo } from '../../src/testing.ts'
import { sha256, signatureFault } from '../aws-signature.ts'

const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' }
const place = { service: 'lambda', region: 'eu-central-1' }

const STS = `<AssumeRoleResponse><AssumeRoleResult><Credentials>
  <AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>role-secret</SecretAccessKey>
  <SessionToken>role-session</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration>
</Credentials></AssumeRoleResult></AssumeRoleResponse>`

describe('a signed request', () => {
  const send = async (request: Parameters<ReturnType<typeof createAws>['sign']>[0], more: object = {}, at = place) => {
    const io = testIo()
    await io.http(await createAws({ ...keys, ...more }, io).sign(request, at))
    return io.requests[0] ?? expect.fail('nothing was sent')
  }

  it.each([
    ['a body', { url: 'https://lambda.eu-central-1.amazonaws.com/x', body: '{"a":1}' }],
    ['bytes', { url: 'https://lambda.eu-central-1.amazonaws.com/x', body: Buffer.from('abc') }],
    ['nothing', { method: 'GET', url: 'https://lambda.eu-central-1.amazonaws.com/' }],
    ['a query', { method: 'GET', url: 'https://h/p?b=2&a=1&c=%24LATEST&d=a%20b%2B' }],
    ['a path with escapes', { url: 'https://h/f/arn%3Aaws%3Alambda%3Aeu/x' }],
    ['headers', { url: 'https://h:8443/', headers: { 'X-Amz-Meta-Rule': ' A  shell ', accept: undefined } }],
  ])('of %s has the signature of its method, address, headers and body', async (_what, request) => {
    expect(signatureFault(await send(request), { ...keys, ...place })).toBeUndefined()
  })

  it('of S3 has that of the path as it is', async () => {
    const at = { service: 's3', region: 'us-east-1' }
    const request = { method: 'PUT', url: 'http://store:9000/bucket/a%3Ab/c%20d%2Be.json?uploads=', body: 'x' }
    const sent = await send(request, {}, at)
    expect(signatureFault(sent, { ...keys, ...at })).toBeUndefined()
    expect(sent.headers['x-amz-content-sha256']).toBe(sha256('x'))
  })

  it('of temporary keys names their session, which is signed too', async () => {
    const sent = await send({ url: 'https://h/' }, { sessionToken: 'session' })
    expect(sent.headers['x-amz-security-token']).toBe('session')
    expect(signatureFault(sent, { ...keys, ...place })).toBeUndefined()
  })

  it('keeps what else the request has', async () => {
    const request = { url: 'https://h/', template: '/t', expect: [202], timeout: 5 }
    expect(await createAws(keys, testIo()).sign(request, place)).toMatchObject({
      template: '/t',
      expect: [202],
      timeout: 5,
    })
  })
})

describe('a role', () => {
  const settings = { ...keys, roleArn: 'arn:aws:iam::2:role/response', externalId: 'yarak-1' }

  it('is assumed with the keys that there are, and kept while it holds', async () => {
    const io = testIo({ answer: { body: STS } })
    const account = createAws(settings, io)
    await account.sign({ url: 'https://h/' }, place)
    const signed = await account.sign({ url: 'https://h/' }, place)
    const [request = expect.fail('STS was not asked')] = io.requests
    expect(io.requests).toHaveLength(1)
    expect(request.url).toBe('https://sts.eu-central-1.amazonaws.com/')
    expect(Object.fromEntries(new URLSearchParams(request.body))).toEqual({
      Action: 'AssumeRole',
      Version: '2011-06-15',
      RoleArn: 'arn:aws:iam::2:role/response',
      RoleSessionName: 'yarak',
      ExternalId: 'yarak-1',
    })
    expect(signatureFault(request, { ...keys, service: 'sts', region: 'eu-central-1' })).toBeUndefined()
    expect(signed.headers).toMatchObject({ 'x-amz-security-token': 'role-session' })
    expect(signed.headers?.authorization).toContain('Credential=ASIA1/')
  })

  it('that may not be assumed is told as it was refused', async () => {
    const io = testIo({ answer: { status: 403, body: '<Code>AccessDenied</Code>' } })
    await expect(createAws(settings, io).sign({ url: 'https://h/' }, place)).rejects.toThrow('AccessDenied')
  })
})

describe('where AWS is', () => {
  it('is the region that is wanted, set, or in the environment, in this order', () => {
    const env = { AWS_REGION: 'eu-west-1', AWS_DEFAULT_REGION: 'eu-west-2' }
    expect(createAws({ region: 'eu-north-1' }, testIo({ env })).region('eu-south-1')).toBe('eu-south-1')
    expect(createAws({ region: 'eu-north-1' }, testIo({ env })).region()).toBe('eu-north-1')
    expect(createAws({}, testIo({ env })).region()).toBe('eu-west-1')
    expect(createAws({}, testIo({ env: { AWS_DEFAULT_REGION: 'eu-west-2' } })).region()).toBe('eu-west-2')
  })

  it.each([{}, { AWS_REGION: 'x.attacker.example/' }])('is nowhere with %j', (env) => {
    expect(() => createAws({}, testIo({ env })).region()).toThrow('no AWS region')
  })

  it.each([
    [{}, 'https://lambda.eu-central-1.amazonaws.com'],
    [{ AWS_ENDPOINT_URL: 'http://local:4566/' }, 'http://local:4566'],
    [{ AWS_ENDPOINT_URL: 'http://local:4566', AWS_ENDPOINT_URL_LAMBDA: 'http://l:1' }, 'http://l:1'],
  ])('with %j is %s', (env, url) => {
    expect(createAws({}, testIo({ env })).endpoint(place)).toBe(url)
  })
})

describe('the resource aws', () => {
  it('is shared by those who have no key and no role of their own', async () => {
    const shared = createAws(keys, testIo())
    const io = testIo({ resources: { aws: shared } })
    expect(await awsOf({ region: 'eu-west-1' }, io)).toBe(shared)
    expect(await awsOf(keys, io)).not.toBe(shared)
    expect(await awsOf({ roleArn: 'arn:aws:iam::2:role/r' }, io)).not.toBe(shared)
  })

  it('needs both halves of a key', () => {
    expect(() => aws({ accessKeyId: 'A' })).toThrow('accessKeyId and secretAccessKey together')
    expect(() => aws({ region: 'x.example/' })).toThrow('must be an AWS region')
    expect(aws(keys).config).toEqual(keys)
  })

  it('opens without asking anybody', async () => {
    const io = testIo()
    expect((await io.use(aws)).endpoint(place)).toContain('amazonaws.com')
    expect(io.requests).toEqual([])
  })
})

describe('the metadata of an instance', () => {
  const service = ({ method, url }: { method: string; url: string }) =>
    method === 'PUT' ? { body: 'token' } : url.endsWith('/none') ? { status: 404 } : { body: 'eu-central-1\n' }
  const REGION = 'meta-data/placement/region'

  it('is read with one token', async () => {
    const io = testIo({ answer: service })
    const read = createInstanceMetadata(io)
    expect(await Promise.all([read(REGION), read(REGION)])).toEqual(['eu-central-1', 'eu-central-1'])
    expect(io.requests.map(({ method }) => method)).toEqual(['PUT', 'GET', 'GET'])
    expect(io.requests[1]?.headers['x-aws-ec2-metadata-token']).toBe('token')
    expect(io.requests[1]?.url).toBe('http://169.254.169.254/latest/meta-data/placement/region')
  })

  it('may lack something, which is no failure', async () => {
    expect(await createInstanceMetadata(testIo({ answer: service }))('meta-data/none')).toBeUndefined()
  })

  it('is read from where the caller says, else the environment', async () => {
    const io = testIo({ answer: service, env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://imds.local/' } })
    await createInstanceMetadata(io)(REGION)
    await createInstanceMetadata(io, { endpoint: 'http://[fd00:ec2::254]' })(REGION)
    const origins = io.requests.map(({ url }) => url.slice(0, url.indexOf('/latest/')))
    expect([...new Set(origins)]).toEqual(['http://imds.local', 'http://[fd00:ec2::254]'])
  })

  it('is not waited for when the caller gives up', async () => {
    const signal = AbortSignal.abort(new Error('given up'))
    const io = { env: {}, http: async (_request: unknown, given?: AbortSignal) => given?.throwIfAborted() as never }
    await expect(createInstanceMetadata(io, { signal })(REGION)).rejects.toThrow('given up')
  })
})
