/** Archives, read once. */
import { truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { byHand, dir, fileRig, openState, path, positions, readOnce, start, stop, texts } from './_file-rig.ts'

fileRig()

const at = (name: string): string => join(dir, name)
const many = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `{"n":${i},"pad":"${Math.sin(i)}${'é'.repeat(i % 50)}"}`)
const text = (lines: readonly string[]): string => `${lines.join('\n')}\n`

describe('an archive', () => {
  it.each([
    ['gzip', gzipSync],
    ['Zstandard', zstdCompressSync],
  ] as const)('of %s is read to its end, whatever its name, with offsets of what it holds', async (_name, compress) => {
    writeFileSync(path, compress('{"a":"é"}\r\n\n{"b":1}'))
    const { io, done } = start({ once: true })
    await done
    expect(texts(io)).toEqual(['{"a":"é"}', '{"b":1}'])
    expect(positions(io).map((one) => one?.split(':').at(-1))).toEqual(['0', '13'])
    expect(io.emitted[0]?.options.authenticated).toBe('file')
  })

  it('may be of several members, which may end anywhere', async () => {
    writeFileSync(path, Buffer.concat(['{"a":', '1}\n{"b"', ':2}\n', ''].map((part) => gzipSync(part))))
    expect(await readOnce()).toEqual(['{"a":1}', '{"b":2}'])
  })

  it('may hold nothing', async () => {
    writeFileSync(path, gzipSync(''))
    expect(await readOnce()).toEqual([])
  })

  it('may be followed by padding', async () => {
    writeFileSync(path, Buffer.concat([gzipSync('{"a":1}\n'), Buffer.alloc(1_000)]))
    expect(await readOnce()).toEqual(['{"a":1}'])
  })

  it('is read in steps: a large one, and one that compresses well', async () => {
    const lines = many(30_000)
    writeFileSync(path, gzipSync(text(lines)))
    expect(await readOnce()).toEqual(lines)
    const same = Array<string>(20_000).fill('{"same":true}')
    writeFileSync(at('same'), gzipSync(text(same)))
    expect(await readOnce({ path: at('same') })).toHaveLength(same.length)
  })

  it('is found by a pattern, oldest first, together with plain files', async () => {
    for (const [seconds, name, bytes] of [
      [1_000, 'a.log.2.gz', gzipSync('{"n":1}\n')],
      [2_000, 'a.log.1', Buffer.from('{"n":2}\n')],
      [3_000, 'a.log', Buffer.from('{"n":3}\n')],
    ] as const) {
      writeFileSync(at(name), bytes)
      utimesSync(at(name), seconds, seconds)
    }
    expect(await readOnce({ path: at('a.log*') })).toEqual(['{"n":1}', '{"n":2}', '{"n":3}'])
  })

  it('holds lines over the limit, and lines of containers', async () => {
    writeFileSync(path, gzipSync(`{${'x'.repeat(2_000)}\n2026-01-01T00:00:00Z stdout F {"a":1}\n`))
    const { io, done } = start({ once: true, maxLine: '1KiB' })
    await done
    expect(texts(io)).toEqual(['{"a":1}'])
    expect(io.counted).toEqual(['rejected too_large'])
  })

  it('goes on where the last run stopped', async () => {
    const lines = many(5_000)
    writeFileSync(path, gzipSync(text(lines)))
    const { emit, settle } = byHand()
    const first = start({ once: true, maxInFlight: 100 }, emit)
    await expect.poll(() => texts(first.io)).toHaveLength(100)
    for (const line of lines.slice(0, 50)) settle(line)
    await expect.poll(() => texts(first.io)).toHaveLength(150)
    await stop(first)
    expect(await openState().get(path)).toMatchObject({
      offset: text(lines.slice(0, 50)).length + bytesBeyond(lines, 50),
    })
    const second = start({ once: true })
    await second.done
    expect(texts(second.io)).toEqual(lines.slice(50))
    expect(positions(second.io).slice(0, 100)).toEqual(positions(first.io).slice(50))
    expect(await readOnce()).toEqual([])
    writeFileSync(path, gzipSync('{"another":1}\n'))
    expect(await readOnce()).toEqual(['{"another":1}'])
  })

  /** Bytes of characters that take more than one. */
  const bytesBeyond = (lines: readonly string[], count: number): number => {
    const part = lines.slice(0, count).join('')
    return Buffer.byteLength(part) - part.length
  }
})

describe('an archive that cannot be read to its end', () => {
  it.each([
    ['gzip', gzipSync],
    ['Zstandard', zstdCompressSync],
  ] as const)('cut off (%s): what is readable is taken, then it is said', async (_name, compress) => {
    const lines = many(20_000)
    const bytes = compress(text(lines))
    writeFileSync(path, bytes)
    truncateSync(path, Math.floor(bytes.length / 2))
    const { io, done } = start({ once: true })
    await expect(done).rejects.toMatchObject({ code: 'unavailable', permanent: true })
    await expect(done).rejects.toThrow(
      new RegExp(`^cannot read ${path} to its end: the archive is cut off; the lines up to \\d+ were read`),
    )
    expect(texts(io).length).toBeGreaterThan(1_000)
    expect(texts(io)).toEqual(lines.slice(0, texts(io).length))
  })

  it('damaged: the same', async () => {
    const lines = many(20_000)
    const bytes = gzipSync(text(lines))
    bytes.fill(0xff, bytes.length / 2, bytes.length / 2 + 2_000)
    writeFileSync(path, bytes)
    const { io, done } = start({ once: true })
    await expect(done).rejects.toThrow('the archive is damaged')
    expect(texts(io).length).toBeGreaterThan(1_000)
  })

  it('does not keep the others from being read', async () => {
    writeFileSync(at('a.gz'), gzipSync('{"a":1}\n').subarray(0, 12))
    writeFileSync(at('b.gz'), gzipSync('{"b":1}\n'))
    const { io, done } = start({ path: [at('a.gz'), at('b.gz')], once: true })
    await expect(done).rejects.toThrow('cut off')
    expect(texts(io)).toEqual(['{"b":1}'])
  })
})
