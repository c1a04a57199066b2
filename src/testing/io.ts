/** What the engine gives to plugins, for tests: no network, nothing kept, everything recorded. */
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { z } from 'zod'
import { createHttpClient } from '../http.ts'
import type { EmitOptions, InputIo, Io, LogFields, Lost, Resource, Step } from '../plugin.ts'
import { targetOf } from '../target.ts'
import { type Answers, type RecordedRequest, Recorder } from './recorder.ts'
import { anEvent } from './samples.ts'

export interface TestIoOptions {
  /** Default `test`. */
  readonly id?: string
  /** What the network answers. Default 200 with an empty body. */
  readonly answer?: Answers
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Default a path in the system's temporary folder; it is not made. */
  readonly dataDir?: string
  /** Ready values of resources by type, in place of opening them. */
  readonly resources?: Readonly<Record<string, unknown>>
  /** Headers of the trace that calls send along. Default none. */
  readonly headers?: Readonly<Record<string, string>>
}

/** A client span with the attributes that were set in the end. */
export interface RecordedSpan {
  readonly name: string
  readonly kind: 'client' | 'producer'
  readonly attributes: Readonly<Record<string, string | number | boolean>>
}

export interface RecordedLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: LogFields
}

/** An {@link Io} that remembers. */
export interface TestIo extends Io {
  readonly requests: readonly RecordedRequest[]
  readonly spans: readonly RecordedSpan[]
  readonly lines: readonly RecordedLine[]
  /** Closes the resources it opened. */
  close(): Promise<void>
}

/**
 * An {@link Io} whose HTTP requests are recorded and answered as told; status codes become the errors they are in the
 * engine. Resources are opened with their defaults, unless given.
 * @example
 * const io = testIo({ answer: { status: 429, headers: { 'retry-after': '7' } } })
 * const sender = await webhook.open(webhook.config.parse({ address: 'https://example.com' }), io)
 * await sender.send([aNotice()], AbortSignal.timeout(1_000)) // rejects: not permanent, retryAfter 7,000 ms
 * io.requests[0]?.body
 */
export const testIo = (options: TestIoOptions = {}): TestIo => {
  const recorder = new Recorder(options.answer)
  const spans: RecordedSpan[] = []
  const lines: RecordedLine[] = []
  const state = new Map<string, unknown>()
  const call: Io['call'] = (span, fn) => {
    const attributes = { ...span.attributes }
    spans.push({ name: span.name, kind: span.kind ?? 'client', attributes })
    return fn({ headers: options.headers ?? {}, set: (name, value) => void (attributes[name] = value) })
  }
  const line =
    (level: RecordedLine['level']) =>
    (message: string, fields: LogFields = {}) =>
      void lines.push({ level, message, fields })
  const resources = openResources(options)
  const io: TestIo = {
    id: options.id ?? 'test',
    log: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
    http: createHttpClient({ dispatcher: recorder }).bind(call),
    env: options.env ?? {},
    dataDir: options.dataDir ?? join(tmpdir(), 'yarak-test'),
    state: {
      get: async (key) => state.get(key),
      set: async (key, value) => void state.set(key, JSON.parse(JSON.stringify(value))),
    },
    use: (resource) => resources.use(resource, io),
    call,
    requests: recorder.requests,
    spans,
    lines,
    close: () => resources.close(),
  }
  return io
}

const openResources = ({ resources = {} }: TestIoOptions) => {
  const open = new Map<string, Promise<unknown>>()
  const closers: (() => Promise<void>)[] = []
  const opened = async (resource: Resource, io: Io): Promise<unknown> => {
    const value = await resource.open(resource.config.parse({}), io)
    closers.push(async () => resource.close?.(value))
    return value
  }
  return {
    async use<T, S extends z.ZodType>(resource: Resource<T, S>, io: Io): Promise<T> {
      if (Object.hasOwn(resources, resource.type)) return resources[resource.type] as T
      if (!open.has(resource.type)) open.set(resource.type, opened(resource, io))
      return (await open.get(resource.type)) as T
    },
    async close() {
      for (const one of closers.splice(0)) await one()
    },
  }
}

/** What an input handed over. */
export interface Emitted {
  readonly raw: unknown
  readonly options: EmitOptions
}

/** What an input told of its source. */
export interface Measured {
  readonly what: string
  readonly value: number
  readonly labels: object
}

export interface TestInputIo extends TestIo, InputIo {
  readonly emitted: readonly Emitted[]
  /** What was counted, as `skipped blank-line`. */
  readonly counted: readonly string[]
  /** What was counted with its text, to become dead letters. */
  readonly lost: readonly (Lost & { readonly reason: string })[]
  readonly measured: readonly Measured[]
  /** Fires `signal`, as the gateway does when it stops. */
  stop(): void
}

/**
 * {@link testIo} for an input: takes every event.
 * @param options.emit decides about an event: a rejection reaches the input as the gateway's would
 * @example
 * const io = testInputIo()
 * await http.routes?.(http.config.parse({}), io).request('/', { method: 'POST', body: '{}' })
 * io.emitted
 */
export const testInputIo = (options: TestIoOptions & { readonly emit?: InputIo['emit'] } = {}): TestInputIo => {
  const emitted: Emitted[] = []
  const counted: string[] = []
  const lost: (Lost & { reason: string })[] = []
  const measured: Measured[] = []
  const stopping = new AbortController()
  return Object.assign(testIo(options), {
    emitted,
    counted,
    lost,
    measured,
    signal: stopping.signal,
    stop: () => stopping.abort(),
    count(what: string, reason: string, letter?: Lost) {
      counted.push(`${what} ${reason}`)
      if (letter) lost.push({ reason, ...letter })
    },
    measure: (what: string, value: number, labels: object) => void measured.push({ what, value, labels }),
    async emit(raw: unknown, how: EmitOptions = {}) {
      const receipt = await options.emit?.(raw, how)
      emitted.push({ raw, options: how })
      return receipt ?? { id: `event-${emitted.length}`, done: Promise.resolve([]) }
    },
  })
}

export type TestStep = Step & TestIo

/**
 * {@link testIo} for one run of an action: about {@link anEvent}, in enforce mode, without a live subject.
 * @example await label.run({ labels: { seen: 'yes' } }, testStep({ resources: { kubernetes: fakeCluster } }))
 */
export const testStep = (options: TestIoOptions & Partial<Omit<Step, keyof Io>> = {}): TestStep => {
  const event = options.event ?? anEvent()
  return Object.assign(testIo(options), {
    event,
    target: options.target ?? targetOf(event),
    subject: options.subject,
    mode: options.mode ?? ('enforce' as const),
    dryRun: options.dryRun ?? false,
    attempt: options.attempt ?? 1,
    signal: options.signal ?? new AbortController().signal,
    previous: options.previous ?? {},
    response: options.response ?? {
      id: '7d0f4a2c9b1e',
      rule: 'Shell in a container',
      step: 'step',
      traceparent: undefined,
    },
    judge: options.judge ?? (() => Promise.resolve()),
    save: options.save ?? keep,
  })
}

/** Hashes a file, and keeps it nowhere. */
const keep: Step['save'] = async (name, chunks) => {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of chunks) {
    hash.update(chunk)
    size += chunk.length
  }
  return { name, url: `memory:${name}`, size, sha256: hash.digest('hex') }
}
