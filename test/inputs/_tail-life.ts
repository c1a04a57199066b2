/** Random lives of a log file under a tailer: what the property tests of the tailer share. */
import fc from 'fast-check'
import { expect } from 'vitest'
import { LogWorld, MAX_LINE } from './_log-world.ts'

type Step = (world: LogWorld) => void | Promise<void>

const noNewline = fc.uint8Array({ maxLength: 40 }).map((bytes) => bytes.map((byte) => (byte === 10 ? 13 : byte)))
const unicode = fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => Buffer.from(text.replaceAll('\n', '\r')))
const long = fc.integer({ min: MAX_LINE - 8, max: MAX_LINE * 2 }).map((length) => Buffer.alloc(length, 'x'))

const payload = fc.oneof(
  { arbitrary: noNewline, weight: 4 },
  { arbitrary: unicode, weight: 4 },
  { arbitrary: long, weight: 1 },
)

/** A step with its name, so that a counterexample can be read. */
const named = (name: string, step: Step): Step => Object.assign(step, { toString: () => name })

const line = fc
  .tuple(payload, fc.constantFrom('\n' as const, '\r\n' as const))
  .map(([bytes, end]) => named(`line(${bytes.length}, ${JSON.stringify(end)})`, (world) => world.line(bytes, end)))

const write = fc
  .integer({ min: 1, max: 120 })
  .map((length) => named(`write(${length})`, (world) => world.write(length)))

const poll = named('poll', async (world) => void (await world.poll()))

const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: line, weight: 12 },
  { arbitrary: write, weight: 12 },
  { arbitrary: fc.constant(poll), weight: 10 },
  { arbitrary: fc.constant(named('reopen', (world) => world.reopen())), weight: 3 },
  {
    arbitrary: fc.boolean().map((create) => named(`rename(${create})`, (world) => world.rename(create))),
    weight: 3,
  },
  {
    arbitrary: fc
      .tuple(fc.boolean(), fc.boolean())
      .map(([copy, caughtUp]) =>
        named(`copyTruncate(${copy}, ${caughtUp})`, (world) => world.copyTruncate(copy, caughtUp)),
      ),
    weight: 2,
  },
  { arbitrary: fc.constant(named('remove', (world) => world.remove())), weight: 1 },
  { arbitrary: fc.constant(named('swap', (world) => world.swap())), weight: 3 },
  {
    arbitrary: fc.nat(12).map((unsettled) => named(`stop(${unsettled})`, (world) => world.stop(unsettled))),
    weight: 3,
  },
  { arbitrary: fc.constant(named('up', (world) => world.up())), weight: 3 },
)

const options = fc.record({
  link: fc.boolean(),
  names: fc.constantFrom('dated' as const, 'numbered' as const),
  chunk: fc.constantFrom(1, 7, 64, 4096),
  cri: fc.boolean(),
})

/**
 * Lives through so many random sequences: plain lines and those of a container, split; appends that end anywhere;
 * rotation by rename, by copy and truncation, by removal, by a swapped link; restarts that forget what was not settled.
 * Nothing is lost, nothing comes under two names, all is in order.
 */
export const liveThrough = (sequences: number): Promise<void> =>
  fc.assert(
    fc.asyncProperty(options, fc.array(step, { minLength: 5, maxLength: 80 }), async (chosen, steps) => {
      const world = new LogWorld(chosen)
      try {
        await world.begin()
        for (const one of steps) await one(world)
        await world.finish()
        expect(world.doubled).toEqual([])
        expect([...world.received.values()]).toEqual(world.expected)
      } finally {
        await world.close()
      }
    }),
    { numRuns: sequences },
  )
