/** A stand-in for the client of a queue: keeps what it is given, and answers as it is told to. */
import type { Link, Outcome } from '../../outputs/_queue.ts'
import type { Notice, Output } from '../../src/plugin.ts'
import { testIo, type TestIoOptions } from '../../src/testing.ts'

export const NEVER = new AbortController().signal

export const createFakeLink = <M, E extends object>(more: E) => {
  const sent: M[] = []
  const fake = {
    sent: sent as readonly M[],
    opened: 0,
    closed: 0,
    /** Decides about messages before they are kept; a rejection is a lost connection. */
    answer: async (_messages: readonly M[]): Promise<readonly Outcome[]> => [],
    /** Stands for a connection that ends by itself. */
    lose: (): void => {},
    driver: async (_settings: unknown, lost: () => void): Promise<Link<M> & E> => {
      fake.opened++
      fake.lose = lost
      const link: Link<M> = {
        async publish(messages) {
          const outcomes = await fake.answer(messages)
          sent.push(...messages.filter((_, i) => outcomes[i] === undefined))
          return outcomes
        },
        async close() {
          fake.closed++
        },
      }
      return { ...more, ...link }
    },
  }
  return fake
}

/** An open output, and the engine around it. */
export const opened = async (output: Output, config: object, options: TestIoOptions = {}) => {
  const io = testIo(options)
  const sender = await output.open(output.config.parse(config), io)
  return { io, sender, send: (...notices: Notice[]) => sender.send(notices, NEVER) }
}
