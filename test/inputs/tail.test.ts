import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { looksRotated } from '../../inputs/_rotated.ts'
import { markOf, parseMark, positionOf, type Mark } from '../../inputs/_source.ts'
import { Tail, type TailItem, type TailOptions } from '../../inputs/_tail.ts'

let dir: string
let path: string
let clock: number
const open: Tail[] = []

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'yarak-tail-'))
  path = join(dir, 'events.log')
  clock = 0
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((tail) => tail.close()))
  rmSync(dir, { recursive: true, force: true })
})

const follow = (options: Partial<TailOptions> = {}): Tail => {
  const tail = new Tail({ path, from: 'beginning', now: () => clock, ...options })
  open.push(tail)
  return tail
}

/** All there is now; the clock stands. */
const items = async (tail: Tail): Promise<TailItem[]> => {
  const all: TailItem[] = []
  for (;;) {
    const { items: some, state } = await tail.poll()
    all.push(...some)
    if (state !== 'more') return all
  }
}

const said = (all: readonly TailItem[]): string[] =>
  all.flatMap((item) => {
    if (item.kind === 'line') return [item.bytes.toString()]
    if (item.kind === 'opened' || item.kind === 'recovered') return []
    return [`<${item.kind} ${'reason' in item ? item.reason : 'code' in item ? item.code : item.mark.offset}>`]
  })

const lines = async (tail: Tail): Promise<string[]> => said(await items(tail))

const lastMark = (all: readonly TailItem[]): Mark => {
  const last = all.filter((item) => 'source' in item).at(-1)!
  return parseMark(JSON.parse(JSON.stringify(markOf(last.source, last.end))))!
}

const positions = (all: readonly TailItem[]): string[] =>
  all.flatMap((item) => (item.kind === 'line' ? [positionOf(item.source, item.start)] : []))

/** The modification time, in seconds: rotations are apart in real life. */
const at = (file: string, seconds: number): void => utimesSync(file, seconds, seconds)

const big = (name: string): string => `${name} ${'x'.repeat(300)}\n`

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
    expect(said(all)).toEqual(['<skipped too_large>', 'yyyyyyyyyy', '<skipped too_large>', 'last'])
    expect(all.filter(({ kind }) => kind === 'skipped')).toMatchObject([
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

describe('rotation by rename', () => {
  it('reads the rest of the old file, late writes too, before the new one', async () => {
    writeFileSync(path, 'a\n')
    const tail = follow()
    expect(await lines(tail)).toEqual(['a'])
    appendFileSync(path, 'b\n')
    renameSync(path, `${path}.1`)
    writeFileSync(path, 'new\n')
    expect(await lines(tail)).toEqual(['b'])
    clock += 400
    appendFileSync(`${path}.1`, 'late\n')
    expect(await lines(tail)).toEqual(['late'])
    clock += 499
    expect(await lines(tail)).toEqual([])
    clock += 1
    expect(await lines(tail)).toEqual(['new'])
  })

  it('stays with the old file while the new one is empty: the writer has not moved yet', async () => {
    writeFileSync(path, 'a\n')
    const tail = follow()
    await lines(tail)
    renameSync(path, `${path}.1`)
    writeFileSync(path, '')
    clock += 50_000
    expect(await lines(tail)).toEqual([])
    appendFileSync(`${path}.1`, 'still here\n')
    expect(await lines(tail)).toEqual(['still here'])
  })

  it('takes an unfinished line of the old file when it leaves it', async () => {
    writeFileSync(path, 'a\nunfinished')
    const tail = follow()
    await lines(tail)
    renameSync(path, `${path}.1`)
    writeFileSync(path, 'new\n')
    await lines(tail)
    clock += 500
    expect(await lines(tail)).toEqual(['unfinished', 'new'])
  })

  it('finds the files of several rotations between two looks', async () => {
    writeFileSync(path, 'a\n')
    at(path, 1_000)
    const tail = follow()
    await lines(tail)
    for (const [n, text] of ['b', 'c'].entries()) {
      renameSync(path, `${path}-2026010${n}`)
      writeFileSync(path, `${text}\n`)
      at(path, 2_000 + n)
    }
    renameSync(path, `${path}-20260109`)
    writeFileSync(path, 'd\n')
    const all = await lines(tail)
    for (let i = 0; i < 4; i++) {
      clock += 500
      all.push(...(await lines(tail)))
    }
    expect(all).toEqual(['b', 'c', 'd'])
  })

  it('does not read a file again that comes back under the path, and reads a very late write to one it left', async () => {
    writeFileSync(path, 'a\n')
    const tail = follow()
    await lines(tail)
    renameSync(path, `${path}.1`)
    writeFileSync(path, 'b\n')
    await lines(tail)
    clock += 500
    expect(await lines(tail)).toEqual(['b'])
    appendFileSync(`${path}.1`, 'very late\n')
    renameSync(path, `${path}.2`)
    renameSync(`${path}.1`, path)
    await lines(tail)
    clock += 500
    expect(await lines(tail)).toEqual(['very late'])
  })
})

describe('rotation by copytruncate', () => {
  it('reads the emptied file from its beginning', async () => {
    writeFileSync(path, 'a\nb\n')
    const tail = follow()
    await lines(tail)
    truncateSync(path)
    expect(await lines(tail)).toEqual([])
    appendFileSync(path, 'c\n')
    expect(await lines(tail)).toEqual(['c'])
  })

  it('sees that it was emptied though it is longer again', async () => {
    writeFileSync(path, 'a\nb\n')
    const tail = follow()
    await lines(tail)
    writeFileSync(path, 'one\ntwo\nthree\n')
    expect(await lines(tail)).toEqual(['one', 'two', 'three'])
  })

  it('sees that it was emptied though it is exactly as long again', async () => {
    writeFileSync(path, 'aaaa\n')
    at(path, 1_000)
    const tail = follow()
    await lines(tail)
    writeFileSync(path, 'bbbb\n')
    at(path, 2_000)
    expect(await lines(tail)).toEqual(['bbbb'])
  })

  it('reads from the copy what it had not read yet', async () => {
    writeFileSync(path, big('a'))
    const tail = follow()
    await lines(tail)
    appendFileSync(path, 'not read yet\nhalf')
    copyFileSync(path, `${path}.1`)
    writeFileSync(path, 'new\n')
    expect(await lines(tail)).toEqual(['not read yet', 'half', 'new'])
  })

  it('counts the unfinished line that is lost without a copy', async () => {
    writeFileSync(path, 'a\nhalf')
    const tail = follow()
    await lines(tail)
    writeFileSync(path, 'b\n')
    expect(await lines(tail)).toEqual(['<skipped truncated>', 'b'])
  })

  it('gives equal lines of two lives of a file different positions', async () => {
    writeFileSync(path, 'same\n')
    const tail = follow()
    const [first] = positions(await items(tail))
    truncateSync(path)
    await lines(tail)
    appendFileSync(path, 'same\n')
    const [second] = positions(await items(tail))
    expect(second).not.toBe(first)
  })
})

describe('other replacements', () => {
  it('follows a file that is deleted and made anew', async () => {
    writeFileSync(path, 'a\nunread')
    const tail = follow()
    await lines(tail)
    unlinkSync(path)
    expect(await lines(tail)).toEqual([])
    writeFileSync(path, 'b\n')
    await lines(tail)
    clock += 500
    expect(await lines(tail)).toEqual(['unread', 'b'])
  })

  it('lets go of a deleted file after a while', async () => {
    writeFileSync(path, 'a\n')
    const tail = follow()
    await lines(tail)
    unlinkSync(path)
    clock += 60_000
    expect(await lines(tail)).toEqual([])
    expect(await lines(tail)).toEqual(['<trouble ENOENT>'])
    writeFileSync(path, 'b\n')
    expect(await lines(tail)).toEqual(['b'])
  })

  it('follows a symbolic link to its new target, and back', async () => {
    const [one, two] = [join(dir, '0.log'), join(dir, '1.log')]
    writeFileSync(one, 'a\n')
    writeFileSync(two, 'b\n')
    const link = (target: string): void => {
      symlinkSync(target, `${path}.new`)
      renameSync(`${path}.new`, path)
    }
    link(one)
    const tail = follow()
    expect(await lines(tail)).toEqual(['a'])
    link(two)
    await lines(tail)
    clock += 500
    expect(await lines(tail)).toEqual(['b'])
    link(one)
    appendFileSync(one, 'c\n')
    await lines(tail)
    clock += 500
    expect(await lines(tail)).toEqual(['c'])
  })
})

describe('a restart', () => {
  it('goes on where the mark says, with the same positions', async () => {
    writeFileSync(path, 'a\nb\nc\n')
    const before = await items(follow())
    const mark = lastMark(before.slice(0, 2))
    appendFileSync(path, `${'d'.repeat(500)}\n`)
    const after = await items(follow({ mark }))
    expect(said(after)).toEqual(['b', 'c', 'd'.repeat(500)])
    expect(positions(after).slice(0, 2)).toEqual(positions(before).slice(1))
  })

  it('goes on after the last whole line', async () => {
    writeFileSync(path, 'a\nhalf')
    const mark = lastMark(await items(follow()))
    appendFileSync(path, ' done\n')
    expect(await lines(follow({ mark }))).toEqual(['half done'])
  })

  it.each([
    ['a number', '.1'],
    ['a date', '-20260131'],
    ['any other name', '.old'],
  ])('reads the rest of a file that was renamed to %s meanwhile, then the new one', async (_name, suffix) => {
    writeFileSync(path, 'a\n')
    const mark = lastMark(await items(follow()))
    appendFileSync(path, 'b\n')
    renameSync(path, `${path}${suffix}`)
    writeFileSync(path, 'c\n')
    const tail = follow({ mark })
    expect(await lines(tail)).toEqual(['b'])
    clock += 500
    expect(await lines(tail)).toEqual(['c'])
  })

  it('reads all files of several rotations, oldest first', async () => {
    writeFileSync(path, 'a\n')
    const mark = lastMark(await items(follow()))
    appendFileSync(path, 'b\n')
    at(path, 1_000)
    for (const [n, text] of ['c', 'd', 'e'].entries()) {
      for (let i = n; i >= 0; i--) if (existsSync(`${path}.${i}`)) renameSync(`${path}.${i}`, `${path}.${i + 1}`)
      renameSync(path, `${path}.0`)
      writeFileSync(path, `${text}\n`)
      at(path, 2_000 + n)
    }
    const all: string[] = []
    const tail = follow({ mark })
    for (let i = 0; i < 5; i++) {
      all.push(...(await lines(tail)))
      clock += 500
    }
    expect(all).toEqual(['b', 'c', 'd', 'e'])
  })

  it('goes on in a file that has only moved and not been replaced', async () => {
    writeFileSync(path, 'a\n')
    const mark = lastMark(await items(follow()))
    renameSync(path, `${path}.1`)
    appendFileSync(`${path}.1`, 'b\n')
    const tail = follow({ mark })
    expect(await lines(tail)).toEqual(['b'])
  })

  it('reads what copytruncate moved to a copy meanwhile', async () => {
    writeFileSync(path, big('a'))
    const mark = lastMark(await items(follow()))
    appendFileSync(path, 'b\n')
    copyFileSync(path, `${path}.1`)
    writeFileSync(path, 'c\n')
    expect(await lines(follow({ mark }))).toEqual(['b', 'c'])
  })

  it('goes on in a restored volume, where every file has a new inode', async () => {
    writeFileSync(path, big('a'))
    const mark = lastMark(await items(follow()))
    appendFileSync(path, 'b\n')
    copyFileSync(path, join(dir, 'copy'))
    renameSync(join(dir, 'copy'), path)
    expect(await lines(follow({ mark: { ...mark, dev: '1' } }))).toEqual(['b'])
  })

  it('says that the file of the mark is gone, and reads the new one whole', async () => {
    writeFileSync(path, 'a\n')
    const mark = lastMark(await items(follow()))
    writeFileSync(join(dir, 'new'), 'b\n')
    renameSync(join(dir, 'new'), path)
    const tail = follow({ mark })
    const all: string[] = []
    for (let i = 0; i < 4; i++) all.push(...(await lines(tail)))
    expect(all).toEqual(['<lost 2>', 'b'])
  })

  it('is not misled by another file with the inode of the mark', async () => {
    writeFileSync(path, 'a\nb\n')
    const mark = lastMark(await items(follow()))
    writeFileSync(path, 'other\nlines\n')
    const tail = follow({ mark })
    const all: string[] = []
    for (let i = 0; i < 4; i++) all.push(...(await lines(tail)))
    expect(all).toEqual(['<lost 4>', 'other', 'lines'])
  })

  it('keeps the mark until the file is there: a volume may come late', async () => {
    writeFileSync(path, 'a\n')
    const mark = lastMark(await items(follow()))
    renameSync(path, join(tmpdir(), `yarak-away-${mark.ino}`))
    const tail = follow({ mark, from: 'end' })
    for (let i = 0; i < 5; i++) await lines(tail)
    renameSync(join(tmpdir(), `yarak-away-${mark.ino}`), path)
    appendFileSync(path, 'b\n')
    expect(await lines(tail)).toEqual(['b'])
  })

  it('takes nothing for a mark that is not one', () => {
    for (const stored of [undefined, null, 7, 'x', {}, { offset: 1 }, { dev: '1', ino: '2', offset: -1 }]) {
      expect(parseMark(stored)).toBeUndefined()
    }
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
