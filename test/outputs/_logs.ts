/** What the tests of outputs for logs and search share. */
import type { Notice, Output } from '../../src/plugin.ts'
import { type Answers, aNotice, anEvent, type EventMembers, testIo, type TestIo } from '../../src/testing.ts'

export const NEVER = new AbortController().signal

/** Notices of ids `n0`, `n1`, ..., each of an event with these members. */
export const noticesOf = (...events: readonly EventMembers[]): Notice[] =>
  events.map((members, i) => aNotice({ id: `n${i}`, event: anEvent(members) }))

export interface Sending {
  readonly io: TestIo
  send(notices: readonly Notice[], signal?: AbortSignal): Promise<void>
}

/** The output, opened on a network that answers as told. */
export const opened = async (output: Output, config: unknown, answer: Answers = {}): Promise<Sending> => {
  const io = testIo({ answer })
  const sender = await output.open(output.config.parse(config), io)
  return { io, send: (notices, signal = NEVER) => sender.send(notices, signal) }
}

/** The one request that a notice becomes. */
export const requestFor = async (output: Output, config: unknown, notice: Notice, answer?: Answers) => {
  const { io, send } = await opened(output, config, answer)
  await send([notice])
  const [request, ...others] = io.requests
  if (!request || others.length > 0) throw new Error(`${io.requests.length} requests`)
  return request
}
