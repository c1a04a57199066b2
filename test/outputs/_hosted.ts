/** Runs an output on a recorded network, and gives what Falcosidekick sent for the same events to compare it with. */
import { parseEvent } from '../../src/event.ts'
import { type Notice, type Output, toJson, type YarakError } from '../../src/plugin.ts'
import { aNotice, type Answers, type RecordedRequest, testIo, type TestIo } from '../../src/testing.ts'
import { falcosidekickSent, UUID } from './_falcosidekick.ts'

export interface Result {
  readonly requests: readonly RecordedRequest[]
  /** What `send` rejected with. */
  readonly error: YarakError | undefined
  readonly io: TestIo
}

/** What goes out for notices, and what the answer makes of it. */
export const sent = async (
  output: Output,
  config: unknown,
  notices: readonly Notice[] = [aNotice()],
  answer: Answers = {},
): Promise<Result> => {
  const io = testIo({ answer })
  const sender = await output.open(output.config.parse(config), io)
  const error = await sender.send(notices, new AbortController().signal).then(
    () => undefined,
    (reason: unknown) => reason as YarakError,
  )
  await sender.close?.()
  return { requests: io.requests, error, io }
}

/** The body of the one request for a notice, parsed; bigints become doubles. */
export const bodyOf = async <T>(output: Output, config: unknown, notice: Notice): Promise<T> => {
  const { requests, error } = await sent(output, config, [notice])
  if (error) throw error
  return JSON.parse(requests[0]?.body ?? '') as T
}

export interface Compared {
  readonly name: string
  readonly notice: Notice
  /** The one request that Falcosidekick sent. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * What Falcosidekick sent, but for three differences that hold for every output: it cuts texts of events over 4,096 bytes,
 * which are whole here; it sorts tags, which are sorted in the notice here; and a number that is no integer of plain digits is
 * here in its shortest form.
 */
export const compared = (name: string): Compared[] =>
  falcosidekickSent(name).exchanges.map(({ name, notice, requests }) => {
    const [request, ...others] = requests
    if (!request || others.length > 0) throw new Error(`${name}: not one request`)
    return { name, ...request, notice: sorted(notice), body: whole(request.body, notice) }
  })

/** A text that Falcosidekick sent, without its cuts, and with the shortest form of `2.50` and `1e3`. */
export const whole = (text: string, notice: Notice): string =>
  uncut(text, notice).replaceAll('[1,2.50,1e3]', '[1,2.5,1000]')

const sorted = (notice: Notice): Notice => {
  const tags = [...notice.event.tags].sort()
  return { ...notice, event: parseEvent(toJson({ ...notice.event.toJSON(), tags }), { id: UUID, input: 'http' }) }
}

/** Falcosidekick keeps the first 507 bytes of a text of over 512; the events have such texts of ASCII only. */
const uncut = (body: string, { event }: Notice): string =>
  Object.values(event.fields).reduce<string>(
    (text, value) =>
      typeof value === 'string' && value.length > 512 ? text.replaceAll(`${value.slice(0, 507)}[...]`, value) : text,
    body,
  )
