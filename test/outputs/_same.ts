/** Whether an output that sends the whole event sends what Falcosidekick sent. */
import { expect } from 'vitest'
import type { Notice, Output } from '../../src/plugin.ts'
import { testIo } from '../../src/testing.ts'
import { exact, falcosidekickSent } from './_falcosidekick.ts'

const NEVER = new AbortController().signal

/** The requests that notices become with these settings. */
export const requestsFor = async (output: Output, settings: object, ...notices: readonly Notice[]) => {
  const io = testIo()
  const sender = await output.open(output.config.parse(settings), io)
  await sender.send(notices, NEVER)
  await sender.close?.()
  return io.requests
}

type Members = Readonly<Record<string, unknown>>

/** What Falcosidekick puts in place of all beyond 4,096 bytes; Yarak does not. */
const CUT = '[...]'

const isCutFrom = (cut: string, whole: unknown): boolean => {
  const [begin, end] = cut.split(CUT)
  return typeof whole === 'string' && end !== undefined && whole.startsWith(begin ?? '') && whole.endsWith(end)
}

const isNumber = (value: unknown): value is { readonly number: string } =>
  typeof value === 'object' && value !== null && Object.keys(value).join() === 'number'

/** The intended differences, taken out: texts that were cut, the order of the tags, forms of fractions. */
const alike = (sent: unknown, ours: unknown, name = ''): unknown => {
  if (isNumber(sent) && isNumber(ours)) {
    return /^-?\d+$/.test(sent.number) || Number(sent.number) !== Number(ours.number) ? sent : ours
  }
  if (typeof sent === 'string') return isCutFrom(sent, ours) ? ours : sent
  if (name === 'tags' && Array.isArray(sent) && Array.isArray(ours)) {
    return [...(sent as string[])].sort().join() === [...(ours as string[])].sort().join() ? ours : sent
  }
  if (Array.isArray(sent)) return sent.map((one, i) => alike(one, (ours as unknown[] | undefined)?.[i]))
  if (typeof sent !== 'object' || sent === null) return sent
  const other = (ours ?? {}) as Members
  return Object.fromEntries(Object.entries(sent).map(([key, value]) => [key, alike(value, other[key], key)]))
}

export const expectSameEvent = (ours: string, sent: string): void => {
  const own = exact(ours)
  expect(own).toEqual(alike(exact(sent), own))
}

export interface Comparison {
  /** Of the recording, and of the output. */
  readonly name: string
  readonly output: Output
  /** The recorded settings, as they are called here. */
  readonly settings: object
  /** Where the recorder was. */
  readonly url: string
  /** Request headers that differ, by name: what is sent instead, for an event. */
  readonly headers?: (notice: Notice) => Readonly<Record<string, string | undefined>>
}

/** Sends each of the twelve events, and compares method, headers and body with what Falcosidekick sent. */
export const expectSame = async ({ name, output, settings, url, headers = () => ({}) }: Comparison): Promise<void> => {
  const { exchanges } = falcosidekickSent(name)
  expect(exchanges).toHaveLength(12)
  for (const { notice, requests } of exchanges) {
    const [ours, ...more] = await requestsFor(output, settings, notice)
    const [theirs] = requests
    if (!ours || !theirs) return expect.fail(`${name}: nothing was sent`)
    expect(more).toEqual([])
    expect({ method: ours.method, url: ours.url }).toEqual({ method: theirs.method, url })
    const { 'user-agent': _, ...sentHeaders } = ours.headers
    expect(sentHeaders).toEqual({ ...theirs.headers, ...headers(notice) })
    expectSameEvent(ours.body, theirs.body)
  }
}
