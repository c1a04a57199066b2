/** `yarak send --output`: tells one output of a sample, without a gateway. */
import type { z } from 'zod'
import { orAborted } from '../backoff.ts'
import { deliverySettings } from '../delivery-settings.ts'
import { redactBy, settingsSchema } from '../describe.ts'
import { asYarakError, messageOf, YarakError } from '../errors.ts'
import { parseEvent, toJson } from '../event.ts'
import type { HttpClient } from '../http.ts'
import { createUuids } from '../ids.ts'
import type { HttpRequest, Io, Notice, Output, Report, Use } from '../plugin.ts'
import { loadOrExit, type LoadFlags } from './load.ts'
import { type Lone, withLoneIo } from './lone-io.ts'
import { Exit, type Terminal } from './terminal.ts'
import { printable } from './text.ts'

export interface SendOutputFlags extends LoadFlags {
  readonly output: string
  /** Shows what would be sent. */
  readonly dryRun?: boolean
  /** Tells of a response to the alert. */
  readonly report?: boolean
}

/** @param alert Falco's JSON */
export const sendByOutput = async (alert: string, flags: SendOutputFlags, terminal: Terminal): Promise<void> => {
  const options = await loadOrExit(flags, terminal)
  const given = options.outputs.find(({ output }) => output.id === flags.output)
  if (!given) throw new YarakError('config', `no output ${flags.output} is configured${known(options.outputs)}`)
  const notice = noticeOf(alert, flags.report === true, options.traceUrl)
  const { output: use, ...settings } = given
  const { http, timeout } = deliverySettings.parse(settings)
  const shown: HttpRequest[] = []
  const wrap = flags.dryRun ? recording(shown) : undefined
  const tell = async ({ io }: Lone): Promise<void> => {
    const send = () =>
      sendOnce(use, notice, io(use.id, http), AbortSignal.any([terminal.signal, AbortSignal.timeout(timeout)]))
    if (flags.dryRun) return terminal.out(await dryRun(use, notice, shown, send))
    const started = performance.now()
    await send().catch((error: unknown) => refuse(use.id, error, terminal))
    terminal.out(`${use.id} took it after ${Math.round(performance.now() - started)} ms\n`)
  }
  await withLoneIo(options, terminal.env, tell, wrap)
}

const sendOnce = async (use: Use<Output>, notice: Notice, io: Io, signal: AbortSignal): Promise<void> => {
  const sender = await orAborted(Promise.resolve(use.plugin.open(use.config, io)), signal)
  try {
    await orAborted(sender.send([notice], signal), signal)
  } finally {
    // whether it took the notice is what counts
    await sender.close?.().catch(() => {})
  }
}

const refuse = (id: string, error: unknown, terminal: Terminal): never => {
  const { permanent } = asYarakError(error)
  const advice = permanent ? 'trying again would not help' : 'the gateway would try again'
  terminal.err(`yarak: ${id} did not take it: ${printable(messageOf(error))} (${advice})\n`)
  throw new Exit(1)
}

const known = (outputs: readonly { readonly output: Use<Output> }[]): string =>
  outputs.length > 0 ? `; there are ${outputs.map(({ output }) => output.id).join(', ')}` : ''

/** Answers every request with an empty 200, and sends none. */
const recording =
  (shown: HttpRequest[]) =>
  (http: HttpClient): HttpClient => ({
    bind: () => async (request) => {
      shown.push(request)
      return { status: 200, headers: {}, body: '{}' }
    },
    close: () => http.close(),
  })

const dryRun = async (
  { id, plugin, config }: Use<Output>,
  notice: Notice,
  shown: readonly HttpRequest[],
  send: () => Promise<void>,
): Promise<string> => {
  if (plugin.preview) return maskedText(plugin.preview(notice, config), plugin.config, config)
  if (!plugin.http) throw new YarakError('failed', `${id} cannot show what it would send`, { permanent: true })
  // what an answer makes it do next cannot be known
  await send().catch((error: unknown) => {
    if (shown.length === 0) throw error
  })
  return shown.map((request) => maskedText(requestView(request), plugin.config, config)).join('')
}

const requestView = ({ method = 'POST', url, headers, body }: HttpRequest): object => ({
  method,
  url,
  ...(headers && { headers: masked(headers) }),
  ...(body !== undefined && { body: bodyView(body) }),
})

const bodyView = (body: NonNullable<HttpRequest['body']>): unknown => {
  if (body instanceof Uint8Array) return Buffer.from(body).toString()
  if (typeof body !== 'string') return body
  try {
    return JSON.parse(body)
  } catch {
    return body
  }
}

/** Credentials stand in headers in forms of their own, e.g. base64. */
const masked = (headers: NonNullable<HttpRequest['headers']>): object =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      /auth|key|token|secret|signature/i.test(name) ? '***' : value,
    ]),
  )

/** JSON without the secrets of the settings. */
const maskedText = (value: unknown, schema: z.ZodType, config: unknown): string => {
  const secrets = secretsOf(config, redactBy([settingsSchema(schema)], config))
  const text = typeof value === 'string' ? value : toJson(value, 2)
  const clean = secrets.reduce((rest, secret) => rest.replaceAll(secret, '***'), text)
  return `${printable(clean)}\n`
}

/** The texts that are other ones when they are redacted, the longest first. */
const secretsOf = (value: unknown, redacted: unknown): string[] => {
  const found: string[] = []
  const look = (one: unknown, other: unknown): void => {
    if (typeof one === 'string' && one !== other && one !== '') found.push(one)
    else if (typeof one === 'object' && one !== null)
      for (const [name, inner] of Object.entries(one))
        look(inner, typeof other === 'object' ? (other as Record<string, unknown> | null)?.[name] : other)
  }
  look(value, redacted)
  return [...new Set(found.flatMap(formsOf))].sort((one, other) => other.length - one.length)
}

/** As they stand in JSON, in addresses and in basic authentication; of an address also what tells who may use it. */
const formsOf = (secret: string): string[] => {
  const { password = '', pathname = '', search = '' } = URL.canParse(secret) ? new URL(secret) : {}
  const parts = [password, ...pathname.split('/'), ...new URLSearchParams(search).values()]
  const words = [secret, ...parts.filter((part) => part.length >= MIN_PART)].map((word) => word.toWellFormed())
  return words.flatMap((word) => [JSON.stringify(word).slice(1, -1), encodeURIComponent(word), encodeURI(word)])
}

/** Shorter parts of an address may stand anywhere. */
const MIN_PART = 8

const SAMPLE_TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'

const noticeOf = (alert: string, withReport: boolean, traceUrl: string | undefined): Notice => {
  const id = createUuids()(Date.now())
  const event = parseEvent(alert, { id, input: 'send' })
  if (!withReport) return { id, event }
  const url = traceUrl?.replaceAll('{traceId}', SAMPLE_TRACE)
  return { id: `${id}r`, event, report: sampleReport(id), ...(url !== undefined && { traceUrl: url }) }
}

/** What a rule of the demo would say. */
const sampleReport = (event: string): Report => ({
  ...{ id: '7d0f4a2c9b1e', event, rule: 'Shell in a container', mode: 'enforce', outcome: 'succeeded' },
  steps: [
    {
      ...{ id: 'mark', action: 'kubernetes:label', outcome: 'succeeded', attempts: 1, duration: 12, undoable: true },
      summary: 'labelled pod default/web-5d9c7b6f4-x2x7k',
      objects: { namespace: 'default', pod: 'web-5d9c7b6f4-x2x7k' },
    },
  ],
  ...{
    target: 'pod/default/web-5d9c7b6f4-x2x7k',
    startedAt: new Date().toISOString(),
    duration: 15,
    traceId: SAMPLE_TRACE,
  },
})
