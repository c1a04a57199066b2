import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { folder, launch, noneLeft, yarak } from './_kit.ts'

const files = folder()
noneLeft()

const OLD = '# of the shop\n\nmode: observe # yet\n'
const NEW = '# of the shop\n\nversion: 1\nmode: observe # yet\n'
const DONE = 'version: 1 is written at the top\n'

describe('config migrate', () => {
  it('prints the file, and what was done', async () => {
    const file = files.write('yarak.yaml', OLD)
    expect(await yarak(['config', 'migrate', file])).toEqual({ code: 0, out: NEW, err: DONE })
    expect(readFileSync(file, 'utf8')).toBe(OLD)
    expect(existsSync(`${file}.bak`)).toBe(false)
  })

  it('writes it, keeps its rights, and leaves a copy of how it was', async () => {
    const file = files.write('yarak.yaml', OLD)
    chmodSync(file, 0o600)
    const { code, out, err } = await yarak(['config', 'migrate', '--write', file])
    expect({ code, out, err }).toEqual({ code: 0, out: '', err: `${DONE}written; as it was it is ${file}.bak\n` })
    expect(readFileSync(file, 'utf8')).toBe(NEW)
    expect(readFileSync(`${file}.bak`, 'utf8')).toBe(OLD)
    for (const one of [file, `${file}.bak`]) expect(statSync(one).mode & 0o777).toBe(0o600)
    expect((await yarak(['check', '--config', file])).code).toBe(0)
  })

  it('does not write over an earlier copy', async () => {
    const file = files.write('yarak.yaml', OLD)
    files.write('yarak.yaml.bak', 'kept')
    const { code, err } = await yarak(['config', 'migrate', '--write', file])
    expect(code).toBe(1)
    expect(err).toContain(`there is a ${file}.bak already: move it away first`)
    expect(readFileSync(file, 'utf8')).toBe(OLD)
    expect(readFileSync(`${file}.bak`, 'utf8')).toBe('kept')
  })

  it('says so when there is nothing to do, and writes nothing', async () => {
    const file = files.write('yarak.yaml', NEW)
    const nothing = `${file} is of the newest version: nothing to do\n`
    expect(await yarak(['config', 'migrate', file])).toEqual({ code: 0, out: NEW, err: nothing })
    expect(await yarak(['config', 'migrate', file, '--write'])).toEqual({ code: 0, out: '', err: nothing })
    expect(existsSync(`${file}.bak`)).toBe(false)
  })

  it('reads standard input, and the file of the place where it is run', async () => {
    expect(await launch(['config', 'migrate', '-'], { input: OLD }).ended).toMatchObject({
      code: 0,
      out: NEW,
      err: DONE,
    })
    files.write('yarak.yaml', OLD)
    expect(await launch(['config', 'migrate'], { cwd: files.at('.') }).ended).toMatchObject({ code: 0, out: NEW })
  })

  it('refuses a file of a newer version, with its place, as check and run do', async () => {
    const file = files.write('yarak.yaml', 'mode: observe\nversion: 7\nwings: two\n')
    for (const args of [
      ['config', 'migrate', file],
      ['check', '--config', file],
      ['run', '--config', file],
    ]) {
      const { code, out, err } = await yarak(args)
      expect({ code, out }).toEqual({ code: 1, out: '' })
      expect(err).toContain(
        `${file}:2:10: error: the configuration is of version 7, this program knows 1: run the newer Yarak`,
      )
      expect(err).toMatch(/\n1 error\n$/)
    }
  })

  it.each([
    [['none.yaml'], 1, /^yarak: cannot read none\.yaml: there is no such file\n$/],
    [['-', '--write'], 2, /^yarak: --write needs a file\n$/],
  ])('%j ends with %d', async (args, code, message) => {
    const ran = await yarak(['config', 'migrate', ...args])
    expect({ code: ran.code, out: ran.out }).toEqual({ code, out: '' })
    expect(ran.err).toMatch(message)
  })

  it('needs a file where there is none', async () => {
    const { code, err } = await launch(['config', 'migrate'], { cwd: files.at('.') }).ended
    expect({ code, err }).toEqual({ code: 2, err: 'yarak: name a file\n' })
  })

  it('leaves a file alone that cannot be written', async () => {
    const file = files.write('yarak.yaml', 'a: [\n')
    const { code, err } = await yarak(['config', 'migrate', file, '--write'])
    expect(code).toBe(1)
    expect(err).toContain('yarak.yaml:')
    writeFileSync(file, OLD)
    expect((await yarak(['config', 'migrate', file, '--write'])).code).toBe(0)
  })
})
