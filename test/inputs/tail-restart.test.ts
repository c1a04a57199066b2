import { appendFileSync, copyFileSync, existsSync, renameSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseMark } from '../../inputs/_source.ts'
import { at, big, items, lastMark, lines, positions, said } from './_steps.ts'
import { dir, follow, pass, path, tailRig } from './_tail-rig.ts'

tailRig()

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
    pass(500)
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
      pass(500)
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

  it('takes no file for a copy that only begins in the same way', async () => {
    writeFileSync(path, `${big('a')}b\n`)
    const mark = lastMark(await items(follow()))
    writeFileSync(`${path}.1`, `${big('a')}another line, longer than the first\n`)
    at(`${path}.1`, 1_000)
    writeFileSync(path, 'c\n')
    const tail = follow({ mark })
    const all: string[] = []
    for (let i = 0; i < 4; i++) all.push(...(await lines(tail)))
    expect(all).toEqual([`<lost ${mark.offset}>`, 'c'])
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
