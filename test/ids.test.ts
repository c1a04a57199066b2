import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createUuids, replayedEventId, responseId } from '../src/ids.ts'

const uuidv7 = createUuids()

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

const versionOf = (id: string) => UUID.exec(id)?.[1]

describe('the id of an event', () => {
  it('of a source that redelivers is the same each time, and a UUID', () => {
    const id = replayedEventId('kafka', 'alerts/3/1042')
    expect(replayedEventId('kafka', 'alerts/3/1042')).toBe(id)
    expect(versionOf(id)).toBe('8')
  })

  it('differs by input and by position', () => {
    const positions = fc.tuple(
      fc.constantFrom('kafka', 'kafka/b', 'file'),
      fc.stringMatching(/^[a-z/]{0,3}[0-9]{0,3}$/),
    )
    fc.assert(
      fc.property(positions, positions, (a, b) => {
        const isSame = a.join(' ') === b.join(' ')
        expect(replayedEventId(...a) === replayedEventId(...b)).toBe(isSame)
        expect(responseId(...a) === responseId(...b)).toBe(isSame)
      }),
    )
  })

  it('is stable between versions', () => {
    expect(replayedEventId('kafka', 'alerts/0/0')).toMatchInlineSnapshot(`"cfca1bb8-1a0e-8a76-b04d-8957bef3a791"`)
    expect(responseId('e', 'r')).toMatchInlineSnapshot(`"0e8316e14458e55358122b9d01007a72"`)
  })

  it('of any other source is a UUID that sorts by time', () => {
    const times = fc.integer({ min: 0, max: 2 ** 48 - 1 })
    fc.assert(
      fc.property(times, times, (a, b) => {
        const [one, two] = [uuidv7(a), uuidv7(b)]
        expect([versionOf(one), versionOf(two)]).toEqual(['7', '7'])
        expect(Number.parseInt(one.replaceAll('-', '').slice(0, 12), 16)).toBe(a)
        if (a !== b) expect(one < two).toBe(a < b)
      }),
    )
  })

  it('is another one at the same time', () => {
    expect(new Set(Array.from({ length: 1_000 }, () => uuidv7(1))).size).toBe(1_000)
  })
})

describe('the id of a response', () => {
  it('is a valid label value, of the event and the rule', () => {
    expect(responseId('e', 'r')).toMatch(/^[0-9a-f]{32}$/)
    expect(responseId('e', 'r')).toBe(responseId('e', 'r'))
    expect(responseId('e', 'r2')).not.toBe(responseId('e', 'r'))
    expect(responseId('er', '')).not.toBe(responseId('e', 'r'))
  })

  it('is another in another cluster, and where that is not known', () => {
    const ids = [responseId('e', 'r'), responseId('e', 'r', 'eu'), responseId('e', 'r', 'us'), responseId('e', 'reu')]
    expect(new Set(ids).size).toBe(4)
    expect(responseId('e', 'r', 'eu')).toMatch(/^[0-9a-f]{32}$/)
  })
})
