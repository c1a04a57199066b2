/** Random lives of a log file: no line is lost, none comes twice under another name. YARAK_RUNS=5000 for more. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createLineSplitter, type Line } from '../../inputs/_lines.ts'
import { LogWorld, MAX_LINE } from './_log-world.ts'

const RUNS = Number(process.env.YARAK_RUNS ?? 250)

type Step = (world: LogWorld) => void | Promise<void>

const noNewline = fc.uint8Array({ maxLength: 40 }).map((bytes) => bytes.map((byte) => (byte === 10 ? 13 : byte)))
const unicode = fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => Buffer.from(text.replaceAll('\n', '\r')))
const long = fc.integer({ min: MAX_LINE - 8, max: MAX_LINE * 3 }).map((length) => Buffer.alloc(length, 'x'))

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
})

describe('a tailed file', () => {
  it(
    'gives every line once, in order, whatever happens to the file and to the tailer',
    { timeout: 600_000 },
    async () => {
      await fc.assert(
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
        { numRuns: RUNS },
      )
    },
  )
})

describe('the line splitter', () => {
  const cut = (bytes: Buffer, sizes: readonly number[], maxLine: number): Line[] => {
    const splitter = createLineSplitter(maxLine)
    const lines: Line[] = []
    let at = 0
    for (const size of [...sizes, bytes.length]) {
      lines.push(...splitter.push(bytes.subarray(at, at + size)))
      at = Math.min(bytes.length, at + size)
    }
    const rest = splitter.flush()
    return rest ? [...lines, rest] : lines
  }

  /** Bytes with many line ends. */
  const bytes = fc
    .array(fc.oneof(fc.constantFrom(10, 13, 13, 10), fc.integer({ min: 0, max: 255 })), { maxLength: 200 })
    .map((list) => Buffer.from(list))

  const sizes = fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 20 })

  it('gives the same lines however the bytes are cut', () => {
    fc.assert(
      fc.property(bytes, sizes, fc.integer({ min: 0, max: 12 }), (all, pieces, maxLine) => {
        const plain = all.toString('latin1').split('\n')
        if (plain.at(-1) === '') plain.pop()
        const expected = plain
          .map((text) => text.replace(/\r$/, ''))
          .map((text) => (text.length > maxLine ? null : text))
        const lines = cut(all, pieces, maxLine)
        expect(lines.map((line) => line.bytes?.toString('latin1') ?? null)).toEqual(expected)
      }),
      { numRuns: RUNS * 4 },
    )
  })

  it('knows where each line is', () => {
    fc.assert(
      fc.property(bytes, sizes, (all, pieces) => {
        const lines = cut(all, pieces, 1_000)
        expect(lines.map((line) => line.start)).toEqual([0, ...lines.map((line) => line.end)].slice(0, lines.length))
        expect(lines.at(-1)?.end ?? 0).toBe(all.length)
        for (const { bytes: own, start, end } of lines) {
          const whole = all.subarray(start, end).toString('latin1')
          expect(own?.toString('latin1')).toBe(whole.replace(/\n$/, '').replace(/\r$/, ''))
        }
      }),
      { numRuns: RUNS * 4 },
    )
  })
})
