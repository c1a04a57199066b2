import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { YarakError } from '../src/errors.ts'
import { storeFile } from '../src/evidence.ts'

const NEVER = new AbortController().signal

const aFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'yarak-evidence-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return folder
}

async function* pieces(...texts: readonly (string | Error)[]) {
  for (const text of texts) {
    if (text instanceof Error) throw text
    yield await Promise.resolve(Buffer.from(text))
  }
}

describe('a file made piece by piece', () => {
  it('holds all pieces, for its owner only', async () => {
    const folder = join(await aFolder(), 'new')
    const { url } = await storeFile(folder, { name: 'a.log' }, pieces('ab', '', 'c'), NEVER)
    expect(url).toBe(pathToFileURL(join(folder, 'a.log')).href)
    expect(await readFile(join(folder, 'a.log'), 'utf8')).toBe('abc')
    expect((await stat(join(folder, 'a.log'))).mode & 0o777).toBe(0o600)
    expect((await stat(folder)).mode & 0o777).toBe(0o700)
  })

  it('may stand in a folder of its own', async () => {
    const folder = await aFolder()
    await storeFile(folder, { name: 'x/y/a.log' }, pieces('a'), NEVER)
    expect(await readFile(join(folder, 'x/y/a.log'), 'utf8')).toBe('a')
  })

  it('may be empty', async () => {
    const folder = await aFolder()
    await storeFile(folder, { name: 'a' }, [], NEVER)
    expect((await stat(join(folder, 'a'))).size).toBe(0)
  })

  it('appears only when it is whole', async () => {
    const folder = await aFolder()
    async function* watched() {
      yield Buffer.from('a')
      expect(await readdir(folder)).not.toContain('a.log')
      yield Buffer.from('b')
    }
    await storeFile(folder, { name: 'a.log' }, watched(), NEVER)
    expect(await readdir(folder)).toEqual(['a.log'])
  })

  it('does not appear when a piece fails; the error is passed on', async () => {
    const folder = await aFolder()
    const error = new YarakError('unavailable', 'the socket was cut')
    await expect(storeFile(folder, { name: 'a.log' }, pieces('ab', error), NEVER)).rejects.toBe(error)
    expect(await readdir(folder)).toEqual([])
  })

  it('does not appear when it is cut short', async () => {
    const folder = await aFolder()
    const stop = new AbortController()
    async function* endless() {
      for (let i = 0; ; i++) {
        if (i === 3) stop.abort(new YarakError('interrupted', 'stopped'))
        yield await Promise.resolve(Buffer.from('x'))
      }
    }
    await expect(storeFile(folder, { name: 'a' }, endless(), stop.signal)).rejects.toThrow('stopped')
    expect(await readdir(folder)).toEqual([])
  })
})

describe('a file that cannot be written', () => {
  it.each([
    ['where a file stands in place of the folder', 'eexist', 'file'],
    ['below a file', 'enotdir', 'file/below'],
  ])('%s', async (_where, reason, path) => {
    const folder = await aFolder()
    await writeFile(join(folder, 'file'), '')
    await expect(storeFile(join(folder, path), { name: 'a' }, pieces('x'), NEVER)).rejects.toMatchObject({
      code: 'failed',
      reason,
      permanent: false,
    })
  })

  it('leaves no draft where it cannot be put in place', async () => {
    const folder = await aFolder()
    await mkdir(join(folder, 'a.log', 'in-the-way'), { recursive: true })
    const stored = storeFile(folder, { name: 'a.log' }, pieces('x'), NEVER)
    await expect(stored).rejects.toThrow('the file cannot be written')
    expect(await readdir(folder)).toEqual(['a.log'])
  })
})
