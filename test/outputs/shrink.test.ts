import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jsonWithin, shrink } from '../../outputs/_shrink.ts'
import { payload } from '../../outputs/_payload.ts'
import { toJson } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport, oddEvents } from '../../src/testing.ts'

const bytes = (value: unknown): number => Buffer.byteLength(toJson(value))

describe('shrink', () => {
  it('gives back what fits', () => {
    const small = { output: 'x', rule: 'R' }
    expect(shrink(small, bytes(small))).toBe(small)
    expect(jsonWithin(small, 100)).toBe('{"output":"x","rule":"R"}')
  })

  it('cuts the longest texts only, with a mark, and says so', () => {
    const cut = shrink({ output: 'x'.repeat(9_000), rule: 'R', fields: { a: 'y'.repeat(8_000), b: 'short' } }, 4_096)
    expect(cut).toMatchObject({ rule: 'R', fields: { b: 'short' }, truncated: true })
    expect(cut.output).toMatch(/^x{1000,}… \[cut\]$/)
    expect((cut.fields as { a: string }).a).toMatch(/^y{1000,}… \[cut\]$/)
    expect(bytes(cut)).toBeLessThanOrEqual(4_096)
    expect(bytes(cut)).toBeGreaterThan(4_000)
  })

  it('uses the room there is', () => {
    const cut = shrink({ output: 'x'.repeat(2_000_000), fields: { a: 'y'.repeat(1_000) } }, 1_000_000)
    expect(cut.fields).toEqual({ a: 'y'.repeat(1_000) })
    expect(bytes(cut)).toBeGreaterThan(990_000)
  })

  it('uses it where many texts have many lengths too', () => {
    const fields = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`f${i}`, 'z'.repeat(i * i)]))
    const cut = shrink({ fields }, 300_000)
    expect(bytes(cut)).toBeLessThanOrEqual(300_000)
    expect(bytes(cut)).toBeGreaterThan(297_000)
  })

  it('keeps every digit', () => {
    const event = anEvent({ output: 'x'.repeat(10_000), output_fields: { 'evt.time': 1_769_860_800_123_456_789n } })
    expect(jsonWithin(payload(aNotice({ event })), 4_096)).toContain('"evt.time":1769860800123456789')
  })

  it('leaves out the last entries where all texts are short', () => {
    const fields = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`f${i}`, i]))
    const cut = shrink({ rule: 'R', tags: ['a'], fields }, 8_192)
    expect(cut).toMatchObject({ rule: 'R', tags: ['a'], truncated: true })
    expect(Object.keys(cut.fields as object).length).toBeGreaterThan(500)
    expect(cut.fields).toMatchObject({ f0: 0, f1: 1 })
    expect(bytes(cut)).toBeLessThanOrEqual(8_192)
  })

  it('cuts names of members too, and takes any name', () => {
    const fields = JSON.parse(`{"__proto__":"x","${'n'.repeat(9_000)}":1}`) as object
    const cut = shrink({ fields }, 4_096)
    expect(Object.keys(cut.fields as object)).toEqual(['__proto__', expect.stringMatching(/^n+… \[cut\]$/)])
  })

  it('comes as near as it can to what cannot be kept', () => {
    expect(bytes(shrink({ a: 'x'.repeat(1_000), b: 'y'.repeat(1_000) }, 10))).toBeLessThan(120)
  })

  it.each(oddEvents().map(({ name, event }) => [name, event] as const))('keeps the limit for %s', (_, event) => {
    for (const limit of [4_096, 65_536])
      for (const notice of [aNotice({ event }), aNotice({ event, report: aReport() })])
        expect(Buffer.byteLength(jsonWithin(payload(notice), limit))).toBeLessThanOrEqual(limit)
  })

  it('keeps the limit for any event, and makes well-formed JSON of it', () => {
    const text = fc.string({
      unit: fc.constantFrom('"', '\\', 'é', '規', '\u{1f989}', '\ud800', '\u0000'),
      maxLength: 6_000,
    })
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { depthSize: 'small' },
        text,
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        tie('list'),
        tie('map'),
      ),
      list: fc.array(tie('any'), { maxLength: 20 }),
      map: fc.dictionary(text, tie('any'), { maxKeys: 20 }),
    })).any
    fc.assert(
      fc.property(text, value, fc.integer({ min: 512, max: 20_000 }), (output, field, limit) => {
        const json = jsonWithin({ rule: 'R', output, output_fields: { field } }, limit)
        expect(Buffer.byteLength(json)).toBeLessThanOrEqual(limit)
        expect(JSON.parse(json)).toMatchObject({ rule: 'R' })
        expect(json.isWellFormed()).toBe(true)
      }),
      { numRuns: 60 },
    )
  })
})
