import { appendFileSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { looksRotated } from '../../inputs/_rotated.ts'
import type { TailItem } from '../../inputs/_reader.ts'
import type { Tail } from '../../inputs/_tail.ts'
import { items, lastMark, lines, said } from './_steps.ts'
import { dir, follow, path, tailRig } from './_tail-rig.ts'

tailRig()

describe('appending', () => {
  it('gives lines as they come, and holds an unfinished one', async () => {
    writeFileSync(path, 'a\nb\r\nc')
    const tail = follow()
    expect(await lines(tail)).toEqual(['a', 'b'])
    appendFileSync(path, 'd')
    expect(await lines(tail)).toEqual([])
    appendFileSync(path, '\n\ne\n')
    expect(await lines(tail)).toEqual(['cd', '', 'e'])
  })

  it('keeps a character whole that is written or read in pieces', async () => {
    const tail = follow({ chunk: 3 })
    const bytes = Buffer.from('é🦉漢\n')
    for (const byte of bytes.subarray(0, -1)) {
      appendFileSync(path, Buffer.from([byte]))
      expect(await lines(tail)).toEqual([])
    }
    appendFileSync(path, '\n')
    expect(await lines(tail)).toEqual(['é🦉漢'])
  })

  it('takes bytes that are no UTF-8 as they are', async () => {
    writeFileSync(path, Buffer.from([0xff, 0xc3, 0x00, 10]))
    const [, line] = await items(follow())
    expect(line).toMatchObject({ kind: 'line', bytes: Buffer.from([0xff, 0xc3, 0x00]) })
  })

  it('skips a line over the limit, says where it is, and holds no more of it than the limit', async () => {
    writeFileSync(path, `${'x'.repeat(11)}\n${'y'.repeat(10)}\r\n${'z'.repeat(5_000)}\nlast\n`)
    const all = await items(follow({ maxLine: 10, chunk: 64 }))
    expect(said(all)).toEqual(['<too large>', 'yyyyyyyyyy', '<too large>', 'last'])
    expect(all.filter((item) => item.kind === 'line' && !item.bytes)).toMatchObject([
      { start: 0, end: 12 },
      { start: 24, end: 5_025 },
    ])
  })

  it('reads at most one chunk at a time', async () => {
    writeFileSync(path, 'aa\nbb\ncc\n')
    const tail = follow({ chunk: 3 })
    expect(said((await tail.poll()).items)).toEqual(['aa'])
    expect(said((await tail.poll()).items)).toEqual(['bb'])
    expect(await tail.poll()).toMatchObject({ state: 'more' })
    expect(await tail.poll()).toEqual({ items: [], state: 'idle' })
  })
})

describe('the first start', () => {
  it('begins at the beginning, or at the end', async () => {
    writeFileSync(path, 'old\n')
    const [beginning, end] = [follow({ from: 'beginning' }), follow({ from: 'end' })]
    expect(await lines(beginning)).toEqual(['old'])
    expect(await lines(end)).toEqual([])
    appendFileSync(path, 'new\n')
    expect(await lines(end)).toEqual(['new'])
  })

  it('gives the whole line that was being written when it began at the end', async () => {
    writeFileSync(path, 'old\nhalf')
    const tail = follow({ from: 'end' })
    expect(await lines(tail)).toEqual([])
    appendFileSync(path, ' done\n')
    expect(await lines(tail)).toEqual(['half done'])
  })

  it('gives a mark at the end, so that a restart before the first line loses none', async () => {
    writeFileSync(path, 'old\n')
    const mark = lastMark(await items(follow({ from: 'end' })))
    appendFileSync(path, 'while down\n')
    expect(await lines(follow({ mark, from: 'end' }))).toEqual(['while down'])
  })

  it('waits for a file that is not there yet, says so once, and reads it whole', async () => {
    const tail = follow({ from: 'end' })
    expect(await lines(tail)).toEqual(['<trouble ENOENT>'])
    expect(await lines(tail)).toEqual([])
    writeFileSync(path, 'first\n')
    expect((await items(tail)).map(({ kind }) => kind)).toEqual(['opened', 'line', 'recovered'])
  })

  it('waits for a folder that is not there yet', async () => {
    const tail = follow({ path: join(dir, 'later', 'events.log') })
    expect(await lines(tail)).toEqual(['<trouble ENOENT>'])
    mkdirSync(join(dir, 'later'))
    writeFileSync(join(dir, 'later', 'events.log'), 'a\n')
    expect(await lines(tail)).toEqual(['a'])
  })

  it('says once that the path is a directory, and goes on when it is a file', async () => {
    mkdirSync(path)
    const tail = follow()
    const [trouble, ...more] = await items(tail)
    expect(more).toEqual([])
    expect(trouble).toMatchObject({ kind: 'trouble', message: `${path} is a directory` })
    expect(await items(tail)).toEqual([])
    rmSync(path, { recursive: true })
    writeFileSync(path, 'a\n')
    expect(await lines(tail)).toEqual(['a'])
  })

  it('does not read what is not a regular file', async () => {
    expect(await items(follow({ path: '/dev/zero' }))).toMatchObject([{ message: '/dev/zero is not a regular file' }])
  })

  it('says once that a link leads in a circle', async () => {
    symlinkSync(path, path)
    const tail = follow()
    expect(await lines(tail)).toEqual(['<trouble ELOOP>'])
    expect(await lines(tail)).toEqual([])
  })
})

describe('once', () => {
  const all = async (tail: Tail): Promise<{ said: string[]; state: string }> => {
    const everything: TailItem[] = []
    for (;;) {
      const { items: some, state } = await tail.poll()
      everything.push(...some)
      if (state !== 'more') return { said: said(everything), state }
    }
  }

  it('ends at the end, and takes a last line without a newline', async () => {
    writeFileSync(path, 'a\nb')
    const tail = follow({ once: true })
    expect(await all(tail)).toEqual({ said: ['a', 'b'], state: 'end' })
    expect(await all(tail)).toEqual({ said: [], state: 'end' })
  })

  it('ends at once with an empty file', async () => {
    writeFileSync(path, '')
    expect(await all(follow({ once: true }))).toEqual({ said: [], state: 'end' })
  })

  it('reads the rest of a rotated file and the new one without waiting', async () => {
    writeFileSync(path, 'a\n')
    const mark = lastMark(await items(follow()))
    appendFileSync(path, 'b\n')
    renameSync(path, `${path}.1`)
    writeFileSync(path, 'c')
    expect(await all(follow({ mark, once: true }))).toEqual({ said: ['b', 'c'], state: 'end' })
  })

  it('refuses a file that is not there, or is a directory', async () => {
    await expect(follow({ once: true }).poll()).rejects.toThrow(`cannot read ${path}: ${path} is not there`)
    await expect(follow({ once: true, path: dir }).poll()).rejects.toMatchObject({
      code: 'unavailable',
      permanent: true,
    })
  })
})

describe('names of rotated files', () => {
  it.each([
    ['a.log', 'a.log.1'],
    ['a.log', 'a.log-20260131'],
    ['a.log', 'a.log.2026-01-31T12:00:00Z'],
    ['a.log', 'a-20260131.log'],
    ['a.log', 'a-2026-01-31T12-00-00.000.log'],
    ['0.log', '0.log.20260131-120000'],
    ['events', 'events.3'],
  ])('of %s: %s', (base, name) => expect(looksRotated(base, name)).toBe(true))

  it.each([
    ['a.log', 'a.log'],
    ['a.log', 'a.log.1.gz'],
    ['a.log', 'a.log.swp'],
    ['a.log', 'b.log.1'],
    ['a.log', 'a.log1'],
    ['a.log', 'ab-1.log'],
    ['a.log', 'a.log-errors'],
  ])('not of %s: %s', (base, name) => expect(looksRotated(base, name)).toBe(false))
})
