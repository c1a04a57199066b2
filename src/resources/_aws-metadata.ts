/** The metadata service of an EC2 instance, version 2: it answers only who can set a header and come back with a token. */
import type { Io } from '../plugin.ts'
import { renewed } from './_renewed.ts'

/** Seconds that a token of the service is asked to hold, the longest there is. */
const TTL = 21_600

/** Where the service is, and how long it is waited for. */
export interface MetadataOptions {
  /** Default: `AWS_EC2_METADATA_SERVICE_ENDPOINT`, else `http://169.254.169.254`. */
  readonly endpoint?: string | undefined
  /** Milliseconds of one request. Default 1,000: it is on the same host, or nowhere. */
  readonly timeout?: number
  readonly signal?: AbortSignal
}

/**
 * What stands at a path below `/latest/`; undefined: nothing does.
 * @param template the path as spans tell it, where a part of it is variable
 */
export type ReadMetadata = (path: string, template?: string) => Promise<string | undefined>

/**
 * Reads from the metadata service, with one token for all that is read.
 *
 * Source: "Use the Instance Metadata Service" of the EC2 user guide.
 * @throws YarakError `unavailable` or `timed_out` where there is none; `failed` with the status as reason
 * @example const read = createInstanceMetadata(io); await read('meta-data/placement/region') // 'eu-central-1'
 */
export const createInstanceMetadata = (
  { env, http }: Pick<Io, 'env' | 'http'>,
  { endpoint, timeout = 1_000, signal }: MetadataOptions = {},
): ReadMetadata => {
  const service = endpoint ?? (env.AWS_EC2_METADATA_SERVICE_ENDPOINT || 'http://169.254.169.254')
  const base = `${service.replace(/\/$/, '')}/latest/`
  const token = renewed(async () => {
    const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': String(TTL) }
    const request = { method: 'PUT', url: `${base}api/token`, template: '/latest/api/token', headers, timeout }
    const { body } = await http(request, signal)
    return { value: body.trim(), until: Date.now() + (TTL / 2) * 1_000 }
  })
  return async (path, template = path) => {
    const headers = { 'x-aws-ec2-metadata-token': await token() }
    const request = { method: 'GET', url: base + path, template: `/latest/${template}`, headers, timeout }
    const { status, body } = await http({ ...request, expect: [200, 404] }, signal)
    return status === 404 ? undefined : body.trim()
  }
}
