/** The headers by which senders pass a trace on. */

/**
 * W3C Trace Context and Baggage, B3 (Zipkin) as one header and as several. Which of them are read is the choice
 * of whoever set up OpenTelemetry: the variable `OTEL_PROPAGATORS`.
 */
const NAMES = [
  ...['traceparent', 'tracestate', 'baggage', 'b3'],
  ...['x-b3-traceid', 'x-b3-spanid', 'x-b3-parentspanid', 'x-b3-sampled', 'x-b3-flags'],
]

const NONE: Readonly<Record<string, string>> = Object.freeze({})

/**
 * Those of the headers that are about a trace.
 * @param get a header by its name in lower case
 * @example traceContext((name) => request.headers[name])
 */
export const traceContext = (
  get: (name: string) => string | readonly string[] | undefined,
): Readonly<Record<string, string>> => {
  let found: Record<string, string> | undefined
  for (const name of NAMES) {
    const value = get(name)
    const text = typeof value === 'string' ? value : value?.[0]
    if (text !== undefined) (found ??= {})[name] = text
  }
  return found ?? NONE
}
