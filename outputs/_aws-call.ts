/** One call of a service of AWS: signed, and its error codes turned into what to do. */
import {
  type FailedItem,
  type HttpRequest,
  type HttpResponse,
  type Io,
  toJson,
  YarakError,
  type z,
} from '../src/plugin.ts'
import { type Aws, awsOf, type AwsPlace, awsSettings } from '../src/resources/aws.ts'
import { serverUrl } from './_settings.ts'

/** Settings of every output to a service of AWS. */
export const awsCallSettings = {
  endpoint: serverUrl()
    .optional()
    .describe('Address of the service, e.g. of a VPC endpoint. Default: that of AWS in the region.'),
  ...awsSettings,
}

type Settings = z.output<z.ZodObject<typeof awsCallSettings>>

/** A service, and who asks it. */
export interface AwsService {
  readonly aws: Pick<Aws, 'sign'>
  readonly place: AwsPlace
  /** Address, without a slash at the end. */
  readonly url: string
}

const ARN_REGION = /^arn:[a-z-]+:[a-z0-9-]+:([a-z0-9-]+):/

/** The region that an ARN names. */
export const regionOf = (arn: string): string | undefined => ARN_REGION.exec(arn)?.[1]

/**
 * The service that an output calls.
 * @param found the region that the settings tell otherwise, e.g. by an ARN
 * @throws YarakError `config` when no region is set anywhere
 */
export const awsService = async (settings: Settings, io: Io, service: string, found?: string): Promise<AwsService> => {
  const aws = await awsOf(settings, io)
  const place = { service, region: aws.region(settings.region ?? found) }
  return { aws, place, url: (settings.endpoint ?? aws.endpoint(place)).replace(/\/+$/, '') }
}

/** A request whose body is all there. */
export interface AwsCall extends Pick<HttpRequest, 'headers' | 'template'> {
  /** With a slash at the start. Default `/`. */
  readonly path?: string
  readonly body: string | Uint8Array
}

/**
 * Sends one signed request, never compressed: its body is signed.
 * @throws YarakError as `io.http`; a 400 with a code that says that it may pass, e.g. `ThrottlingException`, is not permanent
 */
export const awsCall = async (
  { aws, place, url }: AwsService,
  { path = '/', ...call }: AwsCall,
  io: Io,
  signal: AbortSignal,
): Promise<HttpResponse> => {
  const request = await aws.sign({ template: path, ...call, url: url + path, compression: 'none' }, place)
  const answer = await io.http({ ...request, expect: [200, 202, 204, 400] }, signal)
  if (answer.status !== 400) return answer
  throw refusal(codeIn(answer), messageIn(answer.body), place.service)
}

/** Codes of AWS that tell of a state that passes. */
const PASSING =
  /throttl|toomanyrequests|throughputexceeded|requestlimitexceeded|unavailable|internal|timeout|slowdown|expiredtoken|requestexpired/i

/**
 * An item of a batch that a service refused.
 * @param isOurs the fault is in what was sent
 */
export const refusedItem = (index: number, code: string, message = '', isOurs = true): FailedItem => {
  const permanent = isOurs && !PASSING.test(code)
  return { index, permanent, reason: permanent ? `${code}: ${message.slice(0, 200)}` : code.toLowerCase() }
}

/** Codes by which a service refuses what is in the request, and would take the rest of a batch. */
const FOR_CONTENT = /^$|validation|invalidparam|invalidargument|invalidmessage|invalidattribute|serialization|toolong/i

const refusal = (code: string, message: string, service: string): YarakError =>
  new YarakError('failed', `${service} answered 400: ${[code, message].filter(Boolean).join(': ')}`, {
    permanent: !PASSING.test(code),
    reason: FOR_CONTENT.test(code) ? '400' : code.toLowerCase(),
  })

/** In a header, as a member of JSON, or as an element; without the name of its model and what explains it. */
const codeIn = ({ headers, body }: HttpResponse): string => {
  const [, json, xml] = /"__type"\s*:\s*"([^"]+)"|<Code>([^<]+)</.exec(body) ?? []
  const told = String(headers['x-amzn-errortype'] ?? json ?? xml ?? '')
  return /^(?:[^:#]*#)?([\w.]+)/.exec(told)?.[1] ?? ''
}

/** An answer of AWS quotes what it refuses; this much of it tells why. */
const messageIn = (body: string): string => {
  const [, json, xml] = /"[Mm]essage"\s*:\s*"((?:[^"\\]|\\.)*)"|<Message>([^<]*)</.exec(body) ?? []
  return (json ?? xml ?? body).replaceAll(/\s+/g, ' ').slice(0, 200)
}

/** An answer that is not the service's: whether it took what was sent cannot be told. */
export const strangeAnswer = ({ place, url }: AwsService): YarakError =>
  new YarakError('failed', `${url} does not answer as ${place.service} does`, { reason: 'bad-answer' })

/**
 * Calls an operation of a service that speaks JSON.
 * @example await awsJson(service, { target: 'Kinesis_20131202.PutRecords', version: '1.1', body }, io, signal)
 */
export const awsJson = async (
  service: AwsService,
  { target, version, body }: { readonly target: string; readonly version: '1.0' | '1.1'; readonly body: object },
  io: Io,
  signal: AbortSignal,
): Promise<Readonly<Record<string, unknown>>> => {
  const headers = { 'content-type': `application/x-amz-json-${version}`, 'x-amz-target': target }
  const answer = await awsCall(service, { headers, body: toJson(body) }, io, signal)
  try {
    return JSON.parse(answer.body || '{}') as Record<string, unknown>
  } catch {
    throw strangeAnswer(service)
  }
}
