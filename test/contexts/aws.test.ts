import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { aws } from '../../src/contexts/aws.ts'
import { aStep } from '../actions/step.ts'

const IDENTITY = {
  accountId: '123456789012',
  architecture: 'x86_64',
  availabilityZone: 'eu-central-1b',
  imageId: 'ami-5fb8c835',
  instanceId: 'i-1234567890abcdef0',
  instanceType: 't3.large',
  privateIp: '10.158.112.84',
  region: 'eu-central-1',
  version: '2017-09-30',
}
const PROFILE = {
  Code: 'Success',
  InstanceProfileArn: 'arn:aws:iam::123456789012:instance-profile/nodes',
  InstanceProfileId: 'AIPAABCDEFGHIJKLMN123',
}

interface Service {
  /** Answers in place of the usual ones, by path. */
  readonly answers?: Record<string, [status: number, body: string]>
}

/** The instance metadata service, which since version 2 answers nothing without a token. */
const metadataService = async ({ answers = {} }: Service = {}) => {
  const seen: string[] = []
  const usual: Record<string, [number, string]> = {
    '/latest/dynamic/instance-identity/document': [200, JSON.stringify(IDENTITY)],
    '/latest/meta-data/iam/info': [200, JSON.stringify(PROFILE)],
  }
  const answerTo = ({ method, url = '', headers }: IncomingMessage): [number, string] => {
    const given = answers[url]
    if (given) return given
    if (url === '/latest/api/token') {
      const seconds = Number(headers['x-aws-ec2-metadata-token-ttl-seconds'])
      return method === 'PUT' && seconds >= 1 && seconds <= 21_600 ? [200, 'the-token'] : [400, 'Bad Request']
    }
    if (headers['x-aws-ec2-metadata-token'] !== 'the-token') return [401, 'Unauthorized']
    return usual[url] ?? [404, 'Not Found']
  }
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`)
    const [status, body] = answerTo(request)
    response.writeHead(status).end(body)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => new Promise<void>((done) => void server.close(() => done())))
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen }
}

const lookup = async (settings: object, env: Record<string, string> = {}) => {
  const { step, spans } = await aStep({ env })
  const { event, target, signal } = step
  const known = await aws.lookup(aws.config.parse(settings), { event, target, signal }, step)
  return { known, spans }
}

describe('the context aws', () => {
  it('tells of the instance, with a token', async () => {
    const { endpoint, seen } = await metadataService()
    const { known, spans } = await lookup({ endpoint })
    expect(known).toEqual({
      instance_profile_arn: PROFILE.InstanceProfileArn,
      instance_profile_id: PROFILE.InstanceProfileId,
      region: 'eu-central-1',
      account_id: '123456789012',
      availability_zone: 'eu-central-1b',
      instance_id: 'i-1234567890abcdef0',
      instance_type: 't3.large',
      image_id: 'ami-5fb8c835',
      private_ip: '10.158.112.84',
    })
    expect(seen[0]).toBe('PUT /latest/api/token')
    expect(seen).toHaveLength(3)
    expect(spans.map(({ name }) => name)).toContain('GET /latest/meta-data/iam/info')
  })

  it('takes the address from the environment, where no setting names one', async () => {
    const { endpoint } = await metadataService()
    const { known } = await lookup({}, { AWS_EC2_METADATA_SERVICE_ENDPOINT: `${endpoint}/` })
    expect(known['region']).toBe('eu-central-1')
  })

  it('does without an instance profile', async () => {
    const { endpoint } = await metadataService({ answers: { '/latest/meta-data/iam/info': [404, 'Not Found'] } })
    const { known } = await lookup({ endpoint })
    expect(known).toMatchObject({ region: 'eu-central-1' })
    expect(known['instance_profile_arn']).toBeUndefined()
  })

  it.each([
    ['gives no token', { '/latest/api/token': [403, 'Forbidden'] }, { reason: '403', permanent: true }],
    ['is busy', { '/latest/dynamic/instance-identity/document': [503, ''] }, { reason: '503', permanent: false }],
    [
      'knows of no instance',
      { '/latest/dynamic/instance-identity/document': [404, 'Not Found'] },
      { reason: 'bad-answer' },
    ],
    ['answers with a page', { '/latest/dynamic/instance-identity/document': [200, '<p>'] }, { reason: 'bad-answer' }],
  ] as [string, Service['answers'], object][])('fails when the service %s', async (_what, answers, error) => {
    const { endpoint } = await metadataService(answers && { answers })
    await expect(lookup({ endpoint })).rejects.toMatchObject(error)
  })

  it('fails in time where there is no such service', async () => {
    const { endpoint } = await metadataService()
    const [host, port] = endpoint.split(/:(?=\d+$)/)
    const closed = `${host}:${Number(port) === 1 ? 2 : 1}`
    await expect(lookup({ endpoint: closed, timeout: '1s' })).rejects.toMatchObject({ permanent: false })
  })

  it('takes no other address than one of HTTP', () => {
    expect(aws.config.safeParse({ endpoint: 'file:///etc/passwd' }).success).toBe(false)
  })
})
