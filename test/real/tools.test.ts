import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lacking, linkFlags, once, onPath, run } from './tools.ts'

describe('the tools of the parts', () => {
  let dir: string
  const cache = process.env.YARAK_CACHE

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'yarak-tools-'))
    process.env.YARAK_CACHE = dir
  })
  afterEach(() => {
    rmSync(dir, { recursive: true, force: true })
    if (cache === undefined) delete process.env.YARAK_CACHE
    else process.env.YARAK_CACHE = cache
  })

  it('names the first program that is not on the PATH', () => {
    expect(onPath('sh')).toBe(true)
    expect(lacking('sh')).toBeUndefined()
    expect(lacking('sh', 'no-such-program', 'nor-this')).toBe('no no-such-program on the PATH')
  })

  it('gives what a program prints, and throws with it when the program fails', async () => {
    expect(await run('sh', ['-c', 'echo out; echo err >&2'])).toBe('out\n')
    await expect(run('sh', ['-c', 'echo why >&2; exit 3'])).rejects.toThrow(/ended with 3\nwhy/)
    await expect(run('no-such-program', [])).rejects.toThrow(/ENOENT/)
  })

  it('makes a file of the cache once', async () => {
    const path = join(dir, 'made')
    await once(path, async (unfinished) => writeFileSync(unfinished, 'first'))
    await once(path, async (unfinished) => writeFileSync(unfinished, 'second'))
    expect(readFileSync(path, 'utf8')).toBe('first')
  })

  it('leaves nothing of a file that could not be finished', async () => {
    const path = join(dir, 'made')
    let used = ''
    const make = once(path, async (unfinished) => {
      used = unfinished
      writeFileSync(unfinished, 'half')
      throw new Error('no network')
    })
    await expect(make).rejects.toThrow('no network')
    expect([path, used].map((file) => existsSync(file))).toEqual([false, false])
  })

  it('writes linker flags', () => {
    expect(linkFlags({ 'a/b.version': 'v1' })).toBe('-s -w -X a/b.version=v1')
  })
})
