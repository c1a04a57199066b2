/** Random lives of a log file: no line is lost, none comes twice under another name. YARAK_RUNS=5000 for more. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createLineSplitter, type Line } from '../../inputs/_lines.ts'
import { liveThrough } from './_tail-life.ts'

const RUNS = Number(process.env.YARAK_RUNS ?? 300)

describe('a tailed file', () => {
  it('gives every line once, in order, whatever happens to the file and to the tailer', { timeout: 600_000 }, () =>
    liveThrough(RUNS),
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
