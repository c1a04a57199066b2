/** An OTLP receiver over HTTP: http/json and http/protobuf, as the specification has them on the wire. */
import { createServer, type IncomingMessage } from 'node:http'
import { gunzipSync } from 'node:zlib'

export interface OtlpSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly name: string
  readonly kind: number
}

export interface Received {
  readonly path: string
  readonly type: string
  readonly headers: IncomingMessage['headers']
  readonly spans: readonly OtlpSpan[]
  readonly resource: Readonly<Record<string, string>>
}

/** Listens until `close`; answers with `status`. */
export const receiver = async () => {
  const received: Received[] = []
  const answer = { status: 200 }
  const server = createServer((request, response) => {
    void bodyOf(request).then((body) => {
      const type = request.headers['content-type'] ?? ''
      if (answer.status === 200) {
        const told = type.includes('json') ? fromJson(body.toString()) : fromProtobuf(body)
        received.push({ path: request.url ?? '', type, headers: request.headers, ...told })
      }
      response.writeHead(answer.status, { 'content-type': type }).end(type.includes('json') ? '{}' : '')
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    received,
    answer,
    spans: (): OtlpSpan[] => received.filter(isOfTraces).flatMap(({ spans }) => spans),
    names: (): string[] => received.filter(isOfTraces).flatMap(({ spans }) => spans.map(({ name }) => name)),
    close: () =>
      new Promise<void>((done) => {
        server.close(() => done())
        server.closeAllConnections()
      }),
  }
}

/** What is exported beside them goes to other paths. */
const isOfTraces = ({ path }: Received): boolean => !/\/v1\/(metrics|logs)$/.test(path)

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const body = Buffer.concat(await request.toArray())
  return request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body
}

interface Json {
  readonly resourceSpans: readonly {
    readonly resource: {
      readonly attributes: readonly { readonly key: string; readonly value: { readonly stringValue?: string } }[]
    }
    readonly scopeSpans: readonly { readonly spans: readonly Partial<OtlpSpan>[] }[]
  }[]
}

const fromJson = (text: string): Pick<Received, 'spans' | 'resource'> => {
  const { resourceSpans } = JSON.parse(text) as Json
  const spans = resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans))
  const attributes = resourceSpans.flatMap(({ resource }) => resource.attributes)
  return {
    spans: spans.map(({ traceId = '', spanId = '', parentSpanId = '', name = '', kind = 0 }) => ({
      traceId,
      spanId,
      parentSpanId,
      name,
      kind,
    })),
    resource: Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? ''])),
  }
}

/** The fields of one protobuf message by number: bytes, or the value of a varint. */
const fieldsOf = (message: Buffer): Map<number, (Buffer | number)[]> => {
  const fields = new Map<number, (Buffer | number)[]>()
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let shift = 1; ; shift *= 128) {
      const byte = message[at++] ?? 0
      value += (byte & 127) * shift
      if (byte < 128) return value
    }
  }
  const skip = (length: number): Buffer => message.subarray(at, (at += length))
  while (at < message.length) {
    const tag = varint()
    const kind = tag & 7
    const value = kind === 0 ? varint() : skip(kind === 2 ? varint() : kind === 1 ? 8 : 4)
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value])
  }
  return fields
}

const messages = (message: Buffer, ...path: readonly number[]): Buffer[] =>
  path.reduce<Buffer[]>(
    (found, number) =>
      found.flatMap((one) => (fieldsOf(one).get(number) ?? []).filter((value) => Buffer.isBuffer(value))),
    [message],
  )

/** @see https://github.com/open-telemetry/opentelemetry-proto, trace.proto and resource.proto */
const fromProtobuf = (body: Buffer): Pick<Received, 'spans' | 'resource'> => ({
  spans: messages(body, 1, 2, 2).map((span) => {
    const hex = (number: number): string => messages(span, number)[0]?.toString('hex') ?? ''
    return {
      traceId: hex(1),
      spanId: hex(2),
      parentSpanId: hex(4),
      name: messages(span, 5)[0]?.toString() ?? '',
      kind: Number(fieldsOf(span).get(6)?.[0] ?? 0),
    }
  }),
  resource: Object.fromEntries(
    messages(body, 1, 1, 1).map((one) => [
      messages(one, 1)[0]?.toString() ?? '',
      messages(one, 2, 1)[0]?.toString() ?? '',
    ]),
  ),
})
