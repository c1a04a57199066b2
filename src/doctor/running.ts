/** The gateway that runs where the configuration says: what it tells everybody of itself. */
import { Agent } from 'undici'
import { z } from 'zod'
import { type Address, addressText, type Listener } from '../config/listen.ts'
import { within } from './within.ts'

const text = z.string().optional()
const count = z.number().optional()
const listOf = <T extends z.ZodRawShape>(shape: T) => z.array(z.object(shape)).readonly().optional()

/** As far as it tells: of another version than ours, members may be missing. Who answers otherwise is no gateway. */
const told = z.object({
  ...{ ready: z.boolean(), version: text, mode: text, generation: count, breaker: text },
  reasons: listOf({ part: z.string(), id: z.string(), severity: z.string(), message: z.string() }),
  inputs: listOf({ id: z.string(), state: text, error: text, lastEvent: z.iso.datetime().optional() }),
  outputs: listOf({ id: z.string(), queued: count, breaker: text, lastError: text }),
  journal: z
    .object({ mode: z.string(), size: z.number(), maxSize: z.number(), full: z.boolean(), reason: text })
    .optional(),
})

export type Told = z.infer<typeof told>

export interface Running {
  readonly url: string
  readonly health: Told
  /** `/metrics`, in the text format of Prometheus; empty when it is not to be had. */
  readonly metrics: string
  /** Milliseconds that its clock is ahead of ours. */
  readonly skew: number | undefined
  /** Whether a gateway answers at this listener. */
  listens(listener: Listener): boolean
}

/**
 * Asks every place at once; the first in order that a gateway answers at counts.
 * @param given an address that goes before those of the configuration: `http://`, `https://` or `unix:/path`
 */
export const findRunning = async (
  listeners: readonly Listener[],
  given: string | undefined,
  timeout: number,
  signal?: AbortSignal,
): Promise<Running | undefined> => {
  const own = listeners.map((listener) => urlOf(listener))
  const places = [...(given === undefined ? [] : [given]), ...own]
  const answers = await Promise.all(places.map((url) => askGateway(url, timeout, signal)))
  const found = answers.find((one) => one !== undefined)
  const answering = new Set(places.filter((_, i) => answers[i]))
  return found && { ...found, listens: (listener) => answering.has(urlOf(listener)) }
}

const ANY: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

const urlOf = (listener: Address & { readonly tls?: unknown }): string => {
  if ('path' in listener) return addressText(listener)
  const host = ANY[listener.host] ?? listener.host
  return `http${listener.tls ? 's' : ''}://${addressText({ ...listener, host })}`
}

const askGateway = async (
  url: string,
  timeout: number,
  outer: AbortSignal | undefined,
): Promise<Omit<Running, 'listens'> | undefined> => {
  const { origin, agent } = wayTo(url)
  const asked = (path: string) => within(timeout, (signal) => ask(agent, origin, path, signal), outer)
  try {
    const before = Date.now()
    const { body, headers } = await asked('/readyz')
    const skew = skewOf(headers['date'], before, Date.now())
    const health = told.parse(JSON.parse(body))
    const metrics = await asked('/metrics').catch(() => ({ body: '' }))
    return { url, health, skew, metrics: metrics.body }
  } catch {
    return undefined
  } finally {
    await agent.destroy()
  }
}

/** Who we ask tells nothing secret and is told nothing: its certificate is looked at by the checks of the listeners. */
const wayTo = (url: string): { origin: string; agent: Agent } => {
  const path = url.startsWith('unix:') ? url.slice(5) : undefined
  return {
    origin: path === undefined ? url : 'http://localhost',
    agent: new Agent({ connect: { rejectUnauthorized: false, ...(path !== undefined && { socketPath: path }) } }),
  }
}

const ask = async (agent: Agent, origin: string, path: string, signal: AbortSignal) => {
  const accept = path === '/readyz' ? 'application/json' : 'text/plain'
  const { headers, body } = await agent.request({ origin, path, method: 'GET', headers: { accept }, signal })
  return { headers, body: await body.text() }
}

/**
 * Milliseconds that a clock is ahead of ours, by the `Date` of an answer, which has whole seconds: what lies within a
 * second of what was possible counts as none.
 * @param before when the question went out
 * @param after when the answer came
 */
export const skewOf = (date: unknown, before: number, after: number): number | undefined => {
  const at = typeof date === 'string' ? Date.parse(date) : NaN
  if (Number.isNaN(at)) return undefined
  if (at > after) return at - after
  return at + 1_000 < before ? at + 1_000 - before : 0
}
