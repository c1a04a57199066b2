/** Suites that need a real part: they run where it can be had, and say in one line why where it cannot. */
import { afterAll, beforeAll, describe, test } from 'vitest'
import { type Part, type Running } from './part.ts'

/** Getting a part may build it, which takes minutes on an empty cache. */
const patience = 30 * 60_000

/**
 * A suite that gets the part before its tests. Without the part it is skipped and prints one line; with `CI=true` it
 * fails, because there a skipped suite would pass unseen.
 */
export const describePart = (part: Part<object>, suite: () => void): void => describeParts([part], suite)

/** The same for a suite that needs several parts at once. */
export const describeParts = (parts: readonly Part<object>[], suite: () => void): void => {
  const title = parts.map(({ name, version }) => `${name} ${version}`).join(' and ')
  const lacking = parts.map((part) => ({ part, reason: part.missing() })).find(({ reason }) => reason)
  if (!lacking) {
    describe(title, () => {
      beforeAll(() => Promise.all(parts.map((part) => part.ensure(console.error))), patience)
      suite()
    })
    return
  }
  const line = `${lacking.part.name}: ${lacking.reason}`
  if (process.env.CI === 'true') {
    describe(title, () => {
      test('can be had', () => {
        throw new Error(`${line}\nwith CI=true a part that is missing is a failure`)
      })
    })
    return
  }
  process.stdout.write(`skipped: ${line}\n`)
  describe.skip(title, suite)
}

/** Starts a part before the tests of a suite and stops it after them; the function gives its addresses. */
export const running = <A extends object, O extends object>(part: Part<A, O>, options?: O): (() => A) => {
  let instance: Running<A> | undefined
  beforeAll(async () => {
    instance = await part.start(options)
  })
  afterAll(() => instance?.stop())
  return () => {
    if (!instance) throw new Error(`${part.name} does not run`)
    return instance.addresses
  }
}
