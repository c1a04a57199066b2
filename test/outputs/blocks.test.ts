import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { blocksOf, retried } from '../../outputs/_blocks.ts'
import { inFolder, noticeName, pathOf, prefixSetting } from '../../outputs/_objects.ts'
import { YarakError } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { pieces } from './_streams.ts'

const NEVER = new AbortController().signal

const cut = async (size: number, ...texts: string[]) => {
  const blocks: [string, boolean][] = []
  for await (const { bytes, last } of blocksOf(pieces(...texts), size)) blocks.push([bytes.toString(), last])
  return blocks
}

describe('a stream in blocks', () => {
  it.each([
    ['of nothing', [], [['', true]]],
    ['of an empty chunk', [''], [['', true]]],
    ['of less than a block', ['ab'], [['ab', true]]],
    ['of exactly a block', ['ab', 'cd'], [['abcd', true]]],
    ['of a block and a bit', ['abcde'], [['abcd', false], ['e', true]]], // prettier-ignore
    ['of many blocks in one chunk', ['abcdefghij'], [['abcd', false], ['efgh', false], ['ij', true]]], // prettier-ignore
    ['of two whole blocks', ['abc', 'def', 'gh'], [['abcd', false], ['efgh', true]]], // prettier-ignore
  ])('%s', async (_what, chunks, blocks) => {
    expect(await cut(4, ...chunks)).toEqual(blocks)
  })

  it('keeps all bytes in order, in blocks of one size but for the last', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: 'grapheme-ascii' })),
        fc.integer({ min: 1, max: 9 }),
        async (all, size) => {
          const blocks = await cut(size, ...all)
          expect(blocks.map(([text]) => text).join('')).toBe(all.join(''))
          expect(blocks.map(([, last]) => last)).toEqual(blocks.map((_, i) => i === blocks.length - 1))
          for (const [text, last] of blocks) if (!last) expect(text).toHaveLength(size)
        },
      ),
    )
  })

  it('fails as its source does', async () => {
    async function* broken() {
      yield* pieces('ab')
      throw new Error('cut')
    }
    const all = async () => {
      for await (const block of blocksOf(broken(), 8)) expect.fail(block.bytes.toString())
    }
    await expect(all()).rejects.toThrow('cut')
  })
})

describe('sending again', () => {
  const failing = (times: number, error: unknown) => {
    const state = { tries: 0 }
    const send = async (attempt: number) => {
      expect(attempt).toBe(++state.tries)
      if (state.tries <= times) throw error
      return 'sent'
    }
    return { state, send }
  }
  const busy = new YarakError('failed', 'busy', { retryAfter: 0 })

  it('goes on until it is there, four times at most', async () => {
    const three = failing(3, busy)
    expect(await retried(NEVER, three.send)).toBe('sent')
    const four = failing(4, busy)
    await expect(retried(NEVER, four.send)).rejects.toBe(busy)
    expect([three.state.tries, four.state.tries]).toEqual([4, 4])
  })

  it.each([
    ['what never can be', new YarakError('failed', 'no', { permanent: true })],
    ['what nobody expected', new TypeError('bug')],
  ])('does not repeat %s', async (_what, error) => {
    const { state, send } = failing(1, error)
    await expect(retried(NEVER, send)).rejects.toBe(error)
    expect(state.tries).toBe(1)
  })

  it('ends with the signal, also while it waits', async () => {
    const stop = new AbortController()
    const slow = new YarakError('failed', 'busy', { retryAfter: 3_600_000 })
    const sending = retried(stop.signal, async () => {
      setImmediate(() => stop.abort(new Error('stopped')))
      throw slow
    })
    await expect(sending).rejects.toThrow('stopped')
  })
})

describe('the name of an object', () => {
  it('is that of the moment of the event, in UTC, and of its id', () => {
    expect(noticeName(aNotice())).toBe(
      '2026-01-31/2026-01-31T12:00:00.123456789Z_019c13e6-8b3b-7000-8000-000000000001.json',
    )
    const elsewhere = anEvent({ time: '2026-01-31T23:30:00.5-02:00' })
    expect(noticeName(aNotice({ event: elsewhere }))).toMatch(/^2026-02-01\/2026-02-01T01:30:00\.5Z_/)
    expect(noticeName(aNotice({ event: anEvent({ time: '2026-01-31T12:00:00Z' }) }))).toMatch(/T12:00:00Z_/)
  })

  it('is another for a report, and the same for a notice that is delivered again', () => {
    const report = aNotice({ report: aReport() })
    expect(noticeName(report)).toMatch(/_019c13e6-8b3b-7000-8000-000000000001_7d0f4a2c9b1e\.json$/)
    expect(noticeName({ ...report, id: 'again' })).toBe(noticeName(report))
  })

  it('has a prefix without slashes at its ends', () => {
    expect(['', '/', 'a/b', '/a/b//'].map((text) => inFolder(prefixSetting().parse(text), 'x'))).toEqual([
      'x',
      'x',
      'a/b/x',
      'a/b/x',
    ])
    expect(() => prefixSetting().parse('a?b')).toThrow('control characters')
  })

  it('is encoded in a URL, but for its slashes', () => {
    expect(pathOf('a b/c:d+e%')).toBe('a%20b/c%3Ad%2Be%25')
  })
})
