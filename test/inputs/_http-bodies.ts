/** Random requests: real bodies, bent in every way a broken or hostile sender might. The same seed gives the same. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { deflateSync, gzipSync } from 'node:zlib'
import { alert } from '../kit.ts'

export interface RandomRequest {
  readonly headers: Record<string, string>
  readonly body: Buffer
}

type Random = () => number

/** mulberry32: small, and good enough to pick with. */
const createRandom = (seed: number): Random => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const fixtures = join(import.meta.dirname, '../fixtures/http')
const RECORDED = readdirSync(fixtures).map(
  (name) => (JSON.parse(readFileSync(join(fixtures, name), 'utf8')) as { body: string }).body,
)

const TYPES = [
  'application/json',
  'text/plain',
  'application/x-ndjson',
  'application/json-seq',
  'application/cloudevents+json',
  'application/cloudevents-batch+json',
  'application/octet-stream',
  ';;;',
]

const VALUES: readonly ((random: Random) => string)[] = [
  () => 'null',
  () => 'true',
  () => '"x"',
  () => '[]',
  () => '{}',
  () => '1e999',
  () => '-0',
  (random) => '9'.repeat(1 + Math.floor(random() * 5_000)),
  (random) => `0.${'1'.repeat(Math.floor(random() * 2_000))}`,
  (random) => '['.repeat(Math.floor(random() * 20_000)),
  (random) => nested('[', ']', random),
  (random) => nested('{"a":', '}', random),
  () => String.raw`"\ud800"`,
  () => String.raw`"\u0000"`,
  () => '"__proto__"',
  () => '{"__proto__":{"rule":"x"},"constructor":1,"toJSON":"x"}',
]

const nested = (open: string, close: string, random: Random): string => {
  const depth = Math.floor(random() * 300)
  return `${open.repeat(depth)}1${close.repeat(depth)}`
}

const MEMBERS = [
  'rule',
  'priority',
  'time',
  'output',
  'output_fields',
  'source',
  'tags',
  'hostname',
  'uuid',
  'log',
  'data',
]

/** A body as text, from nothing. */
const made = (random: Random, pick: <T>(from: readonly T[]) => T): string => {
  const member = () => `${JSON.stringify(pick(MEMBERS))}:${pick(VALUES)(random)}`
  const wrong = JSON.stringify(alert()).replace(/\}$/, `,${member()}}`)
  return pick([
    () => wrong,
    () => `{${member()},${member()}}`,
    () => pick(VALUES)(random),
    () =>
      `{"specversion":${pick(['"1.0"', '1', '"2.0"'])},"data":${pick([wrong, ...VALUES.map((value) => value(random))])}}`,
    () => `{"specversion":"1.0","data_base64":${pick(['"%%%"', '"e30="', '7'])}}`,
    () => [wrong, JSON.stringify(alert()), pick(VALUES)(random), ''].join(pick(['\n', '\r\n', '', ' ', '\x1e'])),
    () => `[${[wrong, pick(VALUES)(random)].join(pick([',', ',,', '\n']))}]`,
    () => JSON.stringify({ log: wrong }),
    () => '',
  ])()
}

const bend = (body: Buffer, random: Random): Buffer => {
  const at = Math.floor(random() * body.length)
  const to = at + Math.floor(random() * 40)
  const noise = Buffer.from(Array.from({ length: 1 + Math.floor(random() * 8) }, () => Math.floor(random() * 256)))
  const ways = [
    () => body.subarray(0, at),
    () => Buffer.concat([body.subarray(0, at), noise, body.subarray(at)]),
    () => Buffer.concat([body.subarray(0, at), noise, body.subarray(to)]),
    () => Buffer.concat([body.subarray(0, at), body.subarray(to)]),
    () => Buffer.concat([body.subarray(0, to), body.subarray(at)]),
    () =>
      Buffer.from(
        body.toString('latin1').replaceAll(/["{}[\]:,]/g, (char) => (random() < 0.05 ? '' : char)),
        'latin1',
      ),
  ]
  return (ways[Math.floor(random() * ways.length)] ?? ways[0]!)()
}

export const randomRequests = function* (count: number, seed: number): Generator<RandomRequest> {
  const random = createRandom(seed)
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T
  for (let i = 0; i < count; i++) {
    let body: Buffer = Buffer.from(random() < 0.5 ? pick(RECORDED) : made(random, pick))
    while (random() < 0.6) body = bend(body, random)
    const headers: Record<string, string> = { 'content-type': pick(TYPES) }
    if (random() < 0.15)
      body = (headers['content-encoding'] = pick(['gzip', 'deflate'])) === 'gzip' ? gzipSync(body) : deflateSync(body)
    if (random() < 0.05) body = bend(body, random)
    if (random() < 0.03) headers['content-encoding'] = pick(['gzip', 'br', 'identity', 'gzip, gzip', '__proto__'])
    if (random() < 0.1) headers['ce-specversion'] = pick(['1.0', '0.3', '1.'])
    if (random() < 0.1)
      headers[pick(['traceparent', 'ce-traceparent', 'tracestate', 'baggage'])] = pick([
        '',
        '00-00-00-00',
        ',=,',
        'x'.repeat(5_000),
      ])
    if (random() < 0.1)
      headers['x-forwarded-for'] = pick(['', ',', 'unknown', '[::1', '256.0.0.1', '::ffff:1.2.3.4, ::1'])
    if (random() < 0.1) headers.authorization = pick(['', 'Bearer', 'Basic ====', 'Bearer s3cret'])
    yield { headers, body }
  }
}
