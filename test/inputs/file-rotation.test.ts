/** Every way in which a log is rotated, as the input meets it: running, and while it was down. */
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  dir,
  errors,
  fileRig,
  path,
  positions,
  readOnce,
  start,
  stop,
  texts,
  warnings,
  type Running,
} from './_file-rig.ts'

fileRig()

const add = (text: string, to = path): void => appendFileSync(to, text)
const put = (text: string, to = path): void => writeFileSync(to, text)
/** Rotations are minutes apart in real life. */
const at = (seconds: number, file = path): void => utimesSync(file, seconds, seconds)
const SLOW = { timeout: 5_000 }

/** A line that is longer than what tells one file from another. */
const long = `{"long":"${'x'.repeat(300)}"}`

/** Numbered as logrotate does: `.1` is the newest. */
const rotate = (): void => {
  for (let n = 5; n > 0; n--) if (existsSync(`${path}.${n}`)) renameSync(`${path}.${n}`, `${path}.${n + 1}`)
  renameSync(path, `${path}.1`)
}

const running = async (text: string, first: string[]): Promise<Running> => {
  put(text)
  const one = start({ from: 'beginning' })
  await expect.poll(() => texts(one.io)).toEqual(first)
  return one
}

describe('while it is followed', () => {
  it('is renamed: the rest and late writes come before the new file', async () => {
    const { io } = await running('a\n', ['a'])
    add('b\n')
    rotate()
    put('d\n')
    add('c\n', `${path}.1`)
    await expect.poll(() => texts(io), SLOW).toEqual(['a', 'b', 'c', 'd'])
  })

  it('is renamed several times between two looks', async () => {
    put('a\n')
    at(1_000)
    const { io } = start({ from: 'beginning', pollInterval: '300ms' })
    await expect.poll(() => texts(io)).toEqual(['a'])
    for (const [n, text] of ['b', 'c', 'd'].entries()) {
      rotate()
      put(`${text}\n`)
      at(2_000 + n)
    }
    await expect.poll(() => texts(io), { timeout: 10_000 }).toEqual(['a', 'b', 'c', 'd'])
    expect(new Set(positions(io)).size).toBe(4)
  })

  it('is copied and emptied', async () => {
    const { io } = await running(`${long}\n`, [long])
    copyFileSync(path, `${path}.1`)
    truncateSync(path)
    add('b\n')
    await expect.poll(() => texts(io)).toEqual([long, 'b'])
    expect(new Set(positions(io)).size).toBe(2)
  })

  it('is copied and emptied before all was read: the rest is in the copy', async () => {
    put(`${long}\n`)
    const { io } = start({ from: 'beginning', pollInterval: '300ms' })
    await expect.poll(() => texts(io)).toEqual([long])
    add('b\n')
    copyFileSync(path, `${path}.1`)
    put('c\n')
    await expect.poll(() => texts(io), SLOW).toEqual([long, 'b', 'c'])
  })

  it('is deleted and made anew, with an unfinished line at its end', async () => {
    const { io } = await running('a\nunfinished', ['a'])
    rmSync(path)
    put('b\n')
    await expect.poll(() => texts(io), SLOW).toEqual(['a', 'unfinished', 'b'])
  })

  it('is a link that is swapped', async () => {
    const link = (target: string): void => {
      symlinkSync(join(dir, target), `${path}.new`)
      renameSync(`${path}.new`, path)
    }
    put('a\n', join(dir, '0'))
    put('', join(dir, '1'))
    link('0')
    const { io } = start({ from: 'beginning' })
    await expect.poll(() => texts(io)).toEqual(['a'])
    link('1')
    add('b\n', join(dir, '0'))
    add('c\n', join(dir, '1'))
    await expect.poll(() => texts(io), SLOW).toEqual(['a', 'b', 'c'])
    expect(warnings(io)).toEqual([])
  })

  it('comes late, and is read whole', async () => {
    const { io } = start()
    await expect.poll(() => errors(io)).toEqual([`${path} is not there`])
    put('a\nb')
    await expect.poll(() => texts(io)).toEqual(['a'])
    add('\n')
    await expect.poll(() => texts(io)).toEqual(['a', 'b'])
  })

  it('is written byte by byte, with CRLF and characters of several bytes', async () => {
    const { io } = await running('', [])
    for (const byte of Buffer.from('é🦉\r\n漢\r\n')) {
      appendFileSync(path, Buffer.from([byte]))
      await new Promise((resolve) => setTimeout(resolve, 3))
    }
    await expect.poll(() => texts(io)).toEqual(['é🦉', '漢'])
  })
})

describe('while nobody looked', () => {
  /** Reads `a`, then is down. */
  const wasRead = async (): Promise<void> => {
    put('a\n')
    at(1_000)
    expect(await readOnce()).toEqual(['a'])
  }

  it('was rotated several times: all is read, in order', async () => {
    await wasRead()
    add('b\n')
    at(1_500)
    for (const [n, text] of ['c', 'd', 'e'].entries()) {
      rotate()
      put(`${text}\n`)
      at(2_000 + n)
    }
    const running = start()
    await expect.poll(() => texts(running.io), { timeout: 10_000 }).toEqual(['b', 'c', 'd', 'e'])
    await stop(running)
    expect(warnings(running.io)).toEqual([])
  })

  it('was rotated several times, and once more while that is read', async () => {
    await wasRead()
    for (const [n, text] of ['b', 'c'].entries()) {
      rotate()
      put(`${text}\n`)
      at(2_000 + n)
    }
    const { io } = start()
    await expect.poll(() => texts(io), SLOW).toEqual(['b'])
    rotate()
    put('d\n')
    await expect.poll(() => texts(io), { timeout: 10_000 }).toEqual(['b', 'c', 'd'])
  })

  it('was rotated several times and nothing of it was settled: it comes again, the same', async () => {
    await wasRead()
    for (const [n, text] of ['b', 'c'].entries()) {
      rotate()
      put(`${text}\n`)
      at(2_000 + n)
    }
    const first = start({}, async () => ({ id: 'never', done: new Promise(() => {}) }))
    await expect.poll(() => texts(first.io), SLOW).toEqual(['b', 'c'])
    await stop(first)
    const second = start()
    await expect.poll(() => texts(second.io), SLOW).toEqual(['b', 'c'])
    expect(positions(second.io)).toEqual(positions(first.io))
  })

  it('was rotated into archives: what cannot be found is said, the rest is read', async () => {
    await wasRead()
    rmSync(path)
    put('compressed', `${path}.1.gz`)
    put('b\n')
    at(2_000)
    const { io } = start()
    await expect.poll(() => texts(io), SLOW).toEqual(['b'])
    expect(warnings(io)).toEqual([expect.stringContaining('the file of the checkpoint is gone') as string])
  })

  it('was copied and emptied', async () => {
    put(`${long}\n`)
    expect(await readOnce()).toEqual([long])
    add('b\n')
    copyFileSync(path, `${path}.1`)
    put('c\n')
    expect(await readOnce()).toEqual(['b', 'c'])
  })

  it('was emptied, and is longer again', async () => {
    await wasRead()
    put('other\nlines\n')
    expect(await readOnce()).toEqual(['other', 'lines'])
  })
})
