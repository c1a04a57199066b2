import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { splitArray, splitBody, splitMembers } from '../../inputs/_batch.ts'
import { createRate } from '../../inputs/_http-rate.ts'

const json = fc.jsonValue({ maxDepth: 4 })
const object = json.filter((value) => typeof value === 'object' && value !== null && !Array.isArray(value))
const indent = fc.constantFrom(0, 2, '\t')

describe('splitting a body', () => {
  it('cuts any array into the texts of its items', () => {
    fc.assert(
      fc.property(fc.array(json), indent, (items, space) => {
        const texts = splitArray(JSON.stringify(items, null, space))
        expect(texts?.map((text) => JSON.parse(text) as unknown)).toEqual(JSON.parse(JSON.stringify(items)))
      }),
    )
  })

  it('cuts any object into the texts of its members', () => {
    fc.assert(
      fc.property(object, indent, (value, space) => {
        const members = splitMembers(JSON.stringify(value, null, space))
        const read = [...(members ?? [])].map(([name, text]) => [name, JSON.parse(text) as unknown])
        expect(read).toEqual(Object.entries(JSON.parse(JSON.stringify(value)) as object))
      }),
    )
  })

  it('cuts objects that follow each other, also over white space', () => {
    fc.assert(
      fc.property(fc.array(object, { minLength: 2 }), fc.constantFrom('', ' ', '\n'), (values, between) => {
        const texts = values.map((value) => JSON.stringify(value))
        const { batch, texts: cut } = splitBody(`${texts[0]}${texts.slice(1).join(between)}\n`)
        expect([batch, cut]).toEqual([true, texts])
      }),
    )
  })

  it('leaves a single object whole, whatever is in it', () => {
    fc.assert(
      fc.property(object, fc.string(), indent, (value, text, space) => {
        const body = JSON.stringify({ ...(value as object), text, sly: '}{' }, null, space)
        expect(splitBody(body)).toEqual({ batch: false, texts: [body] })
      }),
    )
  })

  it('never fails on any text, and never makes up text', () => {
    const pieces = fc.array(fc.constantFrom('{', '}', '[', ']', '"', '\\', ',', ':', '\n', '1', 'a', '\ufeff'))
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          pieces.map((all) => all.join('')),
        ),
        (text) => {
          for (const one of splitBody(text).texts) expect(text).toContain(one)
          for (const one of splitMembers(text)?.values() ?? []) expect(text).toContain(one)
        },
      ),
      { numRuns: 1_000 },
    )
  })

  it('takes the last of members of one name, as JSON.parse does', () => {
    expect(splitMembers('{"a":1,"a":2}')?.get('a')).toBe('2')
  })
})

describe('a rate', () => {
  it('gives the burst at once, and then what time brings', () => {
    const clock = { now: 0 }
    const take = createRate({ perSecond: 10, burst: 3 }, () => clock.now)
    const taken = (tries: number) => Array.from({ length: tries }, take).filter(Boolean).length
    expect(taken(5)).toBe(3)
    clock.now = 99
    expect(taken(5)).toBe(0)
    clock.now = 250
    expect(taken(5)).toBe(2)
    clock.now = 1_000_000
    expect(taken(5)).toBe(3)
  })

  it('never gives more than the burst and what the time brought', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.array(fc.nat(200)), (perSecond, waits) => {
        const clock = { now: 0 }
        const take = createRate({ perSecond }, () => clock.now)
        let taken = 0
        for (const wait of waits) {
          clock.now += wait
          while (take()) taken++
        }
        expect(taken).toBeLessThanOrEqual(perSecond + (clock.now / 1_000) * perSecond + 1e-6)
      }),
    )
  })

  it('of less than one a second still gives one', () => {
    const clock = { now: 0 }
    const take = createRate({ perSecond: 0.5 }, () => clock.now)
    expect([take(), take()]).toEqual([true, false])
    clock.now = 2_000
    expect(take()).toBe(true)
  })

  it('that is not set has no end', () => expect(createRate(undefined)()).toBe(true))
})
