import {
  appendFileSync,
  copyFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { at, big, items, lines, positions, said } from './_steps.ts'
import { dir, follow, pass, path, tailRig } from './_tail-rig.ts'

tailRig()

describe('rotation by rename', () => {
  it('reads the rest of the old file, late writes too, before the new one', async () => {
    writeFileSync(path, 'a\n')
    const tail = follow()
    expect(await lines(tail)).toEqual(['a'])
    appendFileSync(path, 'b\n')
    renameSync(path, `${path}.1`)
    writeFileSync(path, 'new\n')
    expect(await lines(tail)).toEqual(['b'])
    pass(400)
    appendFileSync(`${path}.1`, 'late\n')
    expect(await lines(tail)).toEqual(['late'])
    pass(499)
    expect(await lines(tail)).toEqual([])
    pass(1)
    expect(await lines(tail)).toEqual(['new'])
  })

  it('stays with the old file while the new one is empty: the writer has not moved yet', async () => {
    writeFileSync(path, 'a\n')
    const tail = follow()
    await lines(tail)
    renameSync(path, `${path}.1`)
    writeFileSync(path, '')
    pass(50_000)
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
    pass(500)
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
      pass(500)
      all.push(...(await lines(tail)))
    }
    expect(all).toEqual(['b', 'c', 'd'])
  })

  it('finds them while the next rotation moves their names under it', async () => {
    for (let ticks = 0; ticks < 60; ticks++) {
      for (const n of [1, 2]) rmSync(`${path}.${n}`, { force: true })
      writeFileSync(`${path}.1`, 'a\n')
      writeFileSync(path, 'b\n')
      const tail = follow({ history: true })
      const first = tail.poll()
      for (let i = 0; i < ticks; i++) await new Promise(setImmediate)
      renameSync(`${path}.1`, `${path}.2`)
      renameSync(path, `${path}.1`)
      writeFileSync(path, 'c\n')
      const all = said((await first).items)
      for (let i = 0; i < 4; i++) {
        all.push(...(await lines(tail)))
        pass(500)
      }
      // the path is away for a moment, which is told
      expect(all.filter((one) => !one.startsWith('<')).sort(), `after ${ticks} ticks`).toEqual(['a', 'b', 'c'])
      await tail.close()
    }
  })

  it('does not read a file again that comes back under the path, and reads a very late write to one it left', async () => {
    writeFileSync(path, 'a\n')
    const tail = follow()
    await lines(tail)
    renameSync(path, `${path}.1`)
    writeFileSync(path, 'b\n')
    await lines(tail)
    pass(500)
    expect(await lines(tail)).toEqual(['b'])
    appendFileSync(`${path}.1`, 'very late\n')
    renameSync(path, `${path}.2`)
    renameSync(`${path}.1`, path)
    await lines(tail)
    pass(500)
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
    expect(await lines(tail)).toEqual(['<truncated>', 'b'])
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
    pass(500)
    expect(await lines(tail)).toEqual(['unread', 'b'])
  })

  it('lets go of a deleted file after a while', async () => {
    writeFileSync(path, 'a\n')
    const tail = follow()
    await lines(tail)
    unlinkSync(path)
    pass(60_000)
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
    pass(500)
    expect(await lines(tail)).toEqual(['b'])
    link(one)
    appendFileSync(one, 'c\n')
    await lines(tail)
    pass(500)
    expect(await lines(tail)).toEqual(['c'])
  })
})
