/**
 * All that the author of an input, an action or an output imports.
 *
 * One word per thing: an **input** brings events, a **rule** selects them, its **chain** of **steps** runs **actions**
 * on the event's **target**; a **guard** may refuse; each step gives a **result** and maybe **artifacts**; the whole is
 * a **response** with a **report**; an **output** is told of events and reports, each as a **notice**.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Hono } from 'hono'
import type { z } from 'zod'
import type { Agreement } from './agreement.ts'
import type { Decided, PolicyRule, Report } from './action.ts'
import { wholeOrEach } from './batch.ts'
import { declare } from './declare.ts'
import type { FalcoEvent } from './event.ts'
import type { Http, HttpRequest } from './http.ts'
import type { Target } from './target.ts'
import type { Undos } from './undo-store.ts'

export { z } from 'zod'
export * from './action.ts'
export type { Undoable, UndoKind, Undos } from './undo-store.ts'
export type { Agreement, Claim, Claims, LiveClaim } from './agreement.ts'
export { storeFile } from './evidence.ts'
export { YarakError, messageOf, type ErrorOptions, type FailedItem } from './errors.ts'
export { type FalcoEvent, type FieldValue, type Priority, PRIORITIES, severity, toJson } from './event.ts'
export type { Http, HttpRequest, HttpResponse } from './http.ts'
export { requestHeaders } from './http-settings.ts'
export { targetOf, type Target } from './target.ts'
export { duration, secret, size } from './settings.ts'
export { messageTemplate, type MessageTemplate } from './message-template.ts'
export { createPlaces, type Places } from './limit.ts'
export { inChunks, wholeOrEach } from './batch.ts'
export { fnv128 } from './fnv.ts'
export { traceContext } from './trace-context.ts'
export { traceGroup } from './trace-group.ts'
export { message, type Message, type MessageField } from './message.ts'

/** What every kind of plugin declares. */
export interface Spec<S extends z.ZodType = z.ZodType> {
  /** The name in files, logs, spans and metrics, e.g. `slack` or `kubernetes:terminate`. */
  readonly type: string
  /** One sentence, shown by `yarak list` and on the docs page. */
  readonly summary: string
  /** The settings. Defaults, descriptions and secrets are declared here and nowhere else. */
  readonly config: S
  /** More for the docs page: Markdown, what it needs, what it does not do. */
  readonly notes?: string
}

/** A plugin with its checked settings, as a declaration called like a function gives it. */
export interface Use<P extends Spec = Spec> {
  /** `type` or `type/label`: the same in YAML, logs, spans and metrics. */
  readonly id: string
  readonly plugin: P
  /** Checked; for actions still with its templates. */
  readonly config: unknown
}

/** A declaration that is also a function: `slack({ webhookUrl }, 'secops')` is a checked, typed {@link Use}. */
export type Declared<P extends Spec, I> = P & ((config: I, label?: string) => Use<P>)

/** One line of a structured log. */
export type LogFields = Record<string, unknown>
export interface Log {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

/** A small durable memory for one plugin, e.g. read offsets. Values are JSON. */
export interface State {
  get(key: string): Promise<unknown>
  /** Resolves when the value is durable. */
  set(key: string, value: unknown): Promise<void>
}

/** An outbound call, for its CLIENT span. */
export interface ClientSpan {
  /** `<METHOD> <template>` or `<operation> <destination>`; low cardinality. */
  readonly name: string
  readonly kind?: 'client' | 'producer'
  readonly attributes?: Readonly<Record<string, string | number | boolean>>
}

/** What {@link Io.call} hands to the callback. */
export interface CallContext {
  /** W3C trace context headers to send along. Empty when nothing is traced. */
  readonly headers: Readonly<Record<string, string>>
  /** Adds an attribute known only after the answer, e.g. the status code. */
  set(name: string, value: string | number | boolean): void
}

/** What the engine gives to every plugin. */
export interface Io {
  /** The id of this use of the plugin. */
  readonly id: string
  readonly log: Log
  /** One outbound HTTP request: pooled, traced, TLS and proxy as configured. */
  readonly http: Http
  /** The environment the host chose to pass; never written to. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where plugins may keep files. Default `./.yarak`. */
  readonly dataDir: string
  readonly state: State
  /** A shared client, opened on first use and closed after the last. */
  use<T, S extends z.ZodType>(resource: Resource<T, S>): Promise<T>
  /** Runs `fn` inside a client span; the span gets the outcome. */
  call<T>(span: ClientSpan, fn: (call: CallContext) => Promise<T>): Promise<T>
}

// ── inputs ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** How and from where an event came. */
export interface EmitOptions {
  /** Where in the source, e.g. `alerts/3/1042`: with a replayable input it makes the event's id stable. */
  position?: string
  /** What the sender says of its trace: `traceparent`, `tracestate`, `baggage`, `b3` ..., see {@link traceContext}. */
  headers?: Readonly<Record<string, string | undefined>>
  /** Gives up waiting for room. */
  signal?: AbortSignal
  /** The reception's span, when the input knows better than `receive <id>`. */
  span?: ReceptionSpan
  /**
   * How the sender proved who it is: `bearer`, `basic`, `hmac`, `path`, `mtls`, `sasl`; `unix`, `loopback`, `file`,
   * `stdin`: nobody but this machine can send; `trust`: its input is set to be trusted. Absent: not at all, and then no
   * step destroys anything because of it.
   */
  authenticated?: string
  /** The cluster that it is of, where the source tells more than the settings of its input do. */
  cluster?: string
}

/** What an input could not take, for the dead letters. */
export interface Lost {
  readonly message: string
  /** As it came. */
  readonly body: string | Uint8Array
  readonly position?: string
}

/** Name, kind and attributes of the span of an event's reception. */
export interface ReceptionSpan {
  readonly name: string
  readonly kind: 'server' | 'consumer' | 'internal'
  readonly attributes?: Readonly<Record<string, string | number | boolean>>
}

/** What `emit` gives once the event is accepted. */
export interface Receipt {
  /** The event's id. */
  readonly id: string
  /**
   * Resolves when every response and notice of the event is settled. Never rejects. With a replayable input it stays
   * pending when a stop cuts the work short: the source is to deliver the event again.
   */
  readonly done: Promise<readonly Report[]>
}

/**
 * Hands one event to the gateway: JSON text, bytes or a parsed object. Awaited, the event is accepted.
 * Rejects with `invalid`, `unauthorized`, `too_large`, `overloaded` or `closing`.
 */
export type Emit = (raw: unknown, options?: EmitOptions) => Promise<Receipt>

/** {@link Io} of an input. */
export interface InputIo extends Io {
  readonly emit: Emit
  /** Aborted when the gateway stops: `run` then returns. */
  readonly signal: AbortSignal
  /**
   * Counts what came and was never emitted: `skipped` is no event at all, `rejected` is one that could not be taken; with
   * `lost` it is kept as a dead letter. What `emit` rejects is counted by the gateway, and kept when it is no event.
   */
  count(what: 'skipped' | 'rejected', reason: string, lost?: Lost): void
  /**
   * Tells how far the source is. `lag`: what it still holds and has not settled, exported as `yarak_input_lag` with few
   * and bounded `labels`. `read_bytes` of `total_bytes`: for a progress bar over `path`, not exported.
   */
  measure(what: 'lag' | 'read_bytes' | 'total_bytes', value: number, labels: Readonly<Record<string, string>>): void
}

/** Answers a request on node:http, when it is for this input; false: it is for somebody else. */
export type Handle = (request: IncomingMessage, response: ServerResponse) => boolean

/** Brings events in. Declares `routes` (push), or `run` (pull), or both. */
export interface Input<S extends z.ZodType = z.ZodType> extends Spec<S> {
  /** The source redelivers an event until it is settled (Kafka, a file): the gateway need not keep it. */
  readonly replayable: boolean
  /** Push: routes mounted into `gateway.app` when the gateway is made. */
  routes?(config: z.output<S>, io: InputIo): Hono
  /** The same routes, or the hot ones among them, on node:http: the binary asks it before Hono. */
  handle?(config: z.output<S>, io: InputIo): Handle
  /** Pull: ends when the source ends or the signal fires; a rejection is retried with back-off. */
  run?(config: z.output<S>, io: InputIo): Promise<void>
}

export const defineInput = <S extends z.ZodType>(spec: Input<S>): Declared<Input<S>, z.input<S>> =>
  declare('input', spec)

// ── outputs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What an output is told: of an event, or of the report of a response to it. */
export interface Notice {
  readonly id: string
  readonly event: FalcoEvent
  readonly report?: Report
  readonly traceparent?: string
  /** The cluster that the event is of, where that is known. */
  readonly cluster?: string
  /** Where a person looks at the report's trace, as the setting `traceUrl` says. */
  readonly traceUrl?: string
  /** The notice stands for several alerts of one kind; `event` is the last of them. */
  readonly digest?: Digest
}

/** How many alerts a notice stands for, and when the first and the last of them were; RFC 3339. */
export interface Digest {
  readonly count: number
  readonly first: string
  readonly last: string
}

/** A file on its way to an output that keeps files. */
export interface StoredFile {
  /** Folders and name, of `a-z A-Z 0-9 . _ - /` only, relative, without `..`. */
  readonly name: string
  /** Default `application/octet-stream`. */
  readonly contentType?: string
  /** Few and short, as the custody record has them: rule, response, trace. ASCII. */
  readonly metadata: Readonly<Record<string, string>>
}

/** An open output. */
export interface Sender {
  /** Delivers all, or throws; for a batch with `failed` naming those that were not. */
  send(notices: readonly Notice[], signal: AbortSignal): Promise<void>
  /**
   * Keeps a file that a step made, taken piece by piece and never whole in memory.
   * @returns where it is then
   * @throws what `chunks` throws, and then nothing is left under the name
   */
  store?(file: StoredFile, chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<{ readonly url: string }>
  /** Called once, after the last `send`. */
  close?(): Promise<void>
}

/** Settings and what it then sends: shown in the docs, printed by `yarak send --dry-run`, executed by the tests. */
export interface OutputExample<S extends z.ZodType = z.ZodType> {
  readonly config: z.input<S>
  readonly sends?: { readonly method?: string; readonly url: string; readonly body: unknown }
}

/** So many notices in so many milliseconds. */
export interface Rate {
  readonly count: number
  readonly per: number
}

/** Tells the world. Lifecycle: `open`, `send`..., `close`. Queue, retries and filters are the engine's. */
export interface Output<S extends z.ZodType = z.ZodType> extends Spec<S> {
  /** How many notices one `send` may take. Default 1. */
  readonly batch?: number
  /** Milliseconds that a notice waits for others, so that one `send` takes more. Default 0: what waits is taken at once. */
  readonly linger?: number
  /** `batch` and `linger`, where the settings decide. Default as declared. */
  batching?(config: z.output<S>): { readonly batch: number; readonly linger: number }
  /** It sends by `io.http`: the settings `http` of an output hold for it. */
  readonly http?: boolean
  /** What of one target is sent in order, where nothing else is set. Default false. */
  readonly ordered?: boolean
  /** What the other side takes, as its vendor says. More waits. Default no limit. */
  readonly rate?: Rate
  /** It can keep files: its sender has `store`. */
  readonly stores?: boolean
  /** The span kind: a queue is a producer. Default `internal`. */
  readonly kind?: 'producer' | 'internal'
  /** What it needs in a cluster, for `yarak rbac`. Default nothing. */
  readonly permissions?: readonly PolicyRule[] | Decided<z.output<S>, readonly PolicyRule[]>
  readonly example?: OutputExample<S>
  /**
   * What goes out for a notice, for `yarak send --dry-run`; secrets may be in it. An output with `http` needs none: its
   * requests are shown.
   */
  preview?(notice: Notice, config: z.output<S>): unknown
  open(config: z.output<S>, io: Io): Sender | Promise<Sender>
}

export const defineOutput = <S extends z.ZodType>(spec: Output<S>): Declared<Output<S>, z.input<S>> =>
  declare('output', spec)

/** An output whose requests are a pure function of notice and settings. */
interface HttpOutputSpec<S extends z.ZodType> extends Omit<Output<S>, 'open' | 'batch' | 'linger' | 'kind' | 'http'> {
  readonly kind?: Output['kind']
}

/** One notice is one request, or several: the notice is delivered when all of them are answered. */
export interface HttpOutput<S extends z.ZodType> extends HttpOutputSpec<S> {
  request(notice: Notice, config: z.output<S>): HttpRequest | readonly HttpRequest[]
}

export const defineHttpOutput = <S extends z.ZodType>({
  request,
  ...spec
}: HttpOutput<S>): Declared<Output<S> & { request: HttpOutput<S>['request'] }, z.input<S>> =>
  declare('output', {
    ...spec,
    http: true,
    request,
    open: (config, io) => ({
      async send(notices, signal) {
        for (const notice of notices) for (const one of [request(notice, config)].flat()) await io.http(one, signal)
      },
    }),
  })

/** Many notices are one request, which is taken or refused as a whole. */
export interface HttpBatchOutput<S extends z.ZodType> extends HttpOutputSpec<S> {
  readonly batch: number
  readonly linger?: number
  /** Of at least one and at most `batch` notices. */
  request(notices: readonly Notice[], config: z.output<S>): HttpRequest
}

/**
 * An output that sends many notices by one request. Of a batch that is refused (400, 413, 422) each is tried alone, so that
 * one bad notice takes no other along.
 */
export const defineHttpBatchOutput = <S extends z.ZodType>({
  request,
  ...spec
}: HttpBatchOutput<S>): Declared<Output<S> & { request: HttpBatchOutput<S>['request'] }, z.input<S>> =>
  declare('output', {
    ...spec,
    http: true,
    request,
    open: (config, io) => ({
      send: (notices, signal) =>
        wholeOrEach(notices, async (some) => void (await io.http(request(some, config), signal))),
    }),
  })

// ── resources ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** A client that several plugins share, e.g. the connection to a cluster. Set under `resources:`. */
export interface Resource<T = unknown, S extends z.ZodType = z.ZodType> extends Spec<S> {
  open(config: z.output<S>, io: Omit<Io, 'use' | 'state'>): Promise<T>
  close?(value: T): Promise<void>
  /** Asks the other side whether it is there, by as little as it takes. Rejects with what is wrong. Default never asked. */
  check?(value: T, io: Io, signal: AbortSignal): Promise<void>
  /** Where changes by its actions are noted, so that they can be undone by whoever comes later. */
  undos?(value: T, io: Io): Undos
  /** Where several processes agree on who does what. */
  agreement?(value: T, io: Io): Agreement
  /** What {@link Resource.agreement} needs to be allowed. */
  readonly sharing?: readonly PolicyRule[]
  /** Those of the rules that it is not allowed to use. */
  missing?(value: T, rules: readonly PolicyRule[], io: Io): Promise<readonly PolicyRule[]>
}

export const defineResource = <T, S extends z.ZodType>(spec: Resource<T, S>): Declared<Resource<T, S>, z.input<S>> =>
  declare('resource', spec)

// ── contexts ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Data that templates and conditions of steps see as `context.<type>`, looked up when a step names it. */
export interface Context<S extends z.ZodType = z.ZodType> extends Spec<S> {
  readonly permissions?: readonly PolicyRule[]
  /** A rejection fails the step that asked for it. */
  lookup(config: z.output<S>, about: ContextAbout, io: Io): Promise<Readonly<Record<string, unknown>>>
}

/** What a context is looked up for. */
export interface ContextAbout {
  readonly event: FalcoEvent
  readonly target: Target
  readonly signal: AbortSignal
}

export const defineContext = <S extends z.ZodType>(spec: Context<S>): Declared<Context<S>, z.input<S>> =>
  declare('context', spec)
