/**
 * Every error that Yarak raises on purpose: a stable code, and what the engine should do about it.
 * A plugin throws one of these (or anything else, which counts as `failed`); it never logs and rethrows.
 */

/** The codes. `status` is the HTTP answer when the error reaches a sender. */
export const CODES = {
  invalid: { status: 400, about: 'The input is not a Falco event.' },
  unauthorized: { status: 401, about: 'The sender did not prove who it is.' },
  not_found: { status: 404, about: 'Nothing is served at this address.' },
  too_large: { status: 413, about: 'The body or line is over the limit.' },
  overloaded: { status: 503, about: 'There was no room for the event within the time limit.' },
  closing: { status: 503, about: 'The gateway is stopping and takes no new events.' },
  config: { status: 500, about: 'A setting, a rule or a file is wrong.' },
  missing_package: { status: 500, about: 'An optional package is not installed.' },
  unavailable: { status: 503, about: 'Something Yarak depends on does not answer.' },
  failed: { status: 500, about: 'A step or a delivery failed.' },
  timed_out: { status: 504, about: 'A step or a delivery took longer than its limit.' },
  gone: { status: 404, about: 'The target does not exist any more; for a response that is a success.' },
  refused: { status: 403, about: 'A guard, a permission or a precondition forbids the step.' },
  unknown: { status: 500, about: 'Whether the change happened cannot be told.' },
  interrupted: { status: 503, about: 'The work was cut short by a stop.' },
} as const

export type Code = keyof typeof CODES

export interface ErrorOptions {
  cause?: unknown
  /** Trying again cannot help. Default false. */
  permanent?: boolean
  /** Milliseconds to wait before the next try, as the other side asked. */
  retryAfter?: number
  /** For a batch: which items failed; those not named were delivered. */
  failed?: readonly FailedItem[]
  /** A short stable word for metrics, spans and reports, e.g. `protected-namespace`. Default: the code. */
  reason?: string
  /** Of a refusal: the right that is missing, e.g. `delete pods`. */
  lacks?: string
}

/** One item of a batch that was not delivered. */
export interface FailedItem {
  readonly index: number
  readonly permanent: boolean
  readonly reason: string
}

/**
 * An error with a stable code.
 * @example throw new YarakError('failed', 'the webhook answered 404', { permanent: true })
 */
export class YarakError extends Error {
  override readonly name = 'YarakError'
  readonly code: Code
  readonly permanent: boolean
  readonly retryAfter: number | undefined
  readonly failed: readonly FailedItem[] | undefined
  readonly reason: string
  readonly lacks: string | undefined

  constructor(code: Code, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.permanent = options.permanent ?? false
    this.retryAfter = options.retryAfter
    this.failed = options.failed
    this.reason = options.reason ?? code
    this.lacks = options.lacks
  }

  /** The HTTP status that a sender sees. */
  get status(): number {
    return CODES[this.code].status
  }
}

/** The message of anything thrown, on one line, with its cause when that says more. */
export const messageOf = (error: unknown): string => describe(error, MAX_CAUSES)

/** A cause may be its own cause. */
const MAX_CAUSES = 5

const describe = (error: unknown, causes: number): string => {
  if (!(error instanceof Error)) return String(error)
  const own = ownMessage(error, causes).replaceAll(/\s*\n\s*/g, ' ')
  const cause = error.cause === undefined || causes === 0 ? '' : describe(error.cause, causes - 1)
  return cause && !own.includes(cause) ? `${own}: ${cause}` : own
}

/** Node's error of a connection tried at several addresses has no message of its own. */
const ownMessage = (error: Error, causes: number): string => {
  if (error.message || !(error instanceof AggregateError) || causes === 0) return error.message || error.name
  const each = (error.errors as unknown[]).map((one) => describe(one, causes - 1))
  return [...new Set(each)].join(', ') || error.name
}

/** The stable word for anything thrown, for metrics, spans and reports. */
export const reasonOf = (error: unknown): string => {
  if (error instanceof YarakError) return error.reason
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code.toLowerCase() : 'error'
}

/** Turns anything thrown into a {@link YarakError}; a plain error becomes `failed` and may be tried again. */
export const asYarakError = (error: unknown, code: Code = 'failed'): YarakError =>
  error instanceof YarakError
    ? error
    : new YarakError(code, messageOf(error), { cause: error, reason: reasonOf(error) })
