import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fileNameOf, fileState, memoryState, type StateStore } from '../src/state.ts'
import type { YarakError } from '../src/errors.ts'

let dir: string
let problems: YarakError[]

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'yarak-state-'))
  problems = []
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const open = (): StateStore => fileState(dir, (problem) => problems.push(problem))
const fileOf = (id: string): string => join(dir, 'state', fileNameOf(id))

describe.each([
  ['memoryState', () => memoryState()],
  ['fileState', () => open()],
])('%s', (_name, make) => {
  it('gives what was set, and undefined for what was not', async () => {
    const state = make().of('file/alerts')
    await state.set('a', { offset: 12, list: [1, null] })
    expect(await state.get('a')).toEqual({ offset: 12, list: [1, null] })
    expect(await state.get('b')).toBeUndefined()
  })

  it('keeps plugins apart, and gives the same state for the same id', async () => {
    const store = make()
    await store.of('file/a').set('key', 1)
    await store.of('file/b').set('key', 2)
    expect(await store.of('file/a').get('key')).toBe(1)
    expect(store.of('file/a')).toBe(store.of('file/a'))
  })

  it('copies values in and out', async () => {
    const state = make().of('x')
    const value = { list: [1] }
    await state.set('key', value)
    value.list.push(2)
    ;((await state.get('key')) as { list: number[] }).list.push(3)
    expect(await state.get('key')).toEqual({ list: [1] })
  })

  it('forgets a key that is set to undefined', async () => {
    const state = make().of('x')
    await state.set('key', 1)
    await state.set('key', undefined)
    expect(await state.get('key')).toBeUndefined()
  })

  it('takes any key, also names of members of objects', async () => {
    const state = make().of('x')
    for (const key of ['__proto__', 'constructor', '', '/var/log/événements.log', 'a"b\nc']) {
      await state.set(key, { key })
      expect(await state.get(key)).toEqual({ key })
    }
  })
})

describe('a file state', () => {
  it('is there again for the next process', async () => {
    const first = open().of('file/alerts')
    await first.set('__proto__', [1])
    await first.set('b', 'two')
    const second = open().of('file/alerts')
    expect(await second.get('__proto__')).toEqual([1])
    expect(await second.get('b')).toBe('two')
  })

  it('is durable once set has resolved, and leaves no other file behind', async () => {
    await open().of('file/alerts').set('a', 1)
    expect(JSON.parse(readFileSync(fileOf('file/alerts'), 'utf8'))).toEqual({ a: 1 })
    expect(readdirSync(join(dir, 'state'))).toEqual(['file%2Falerts.json'])
  })

  it('makes nothing before the first write', async () => {
    expect(await open().of('x').get('a')).toBeUndefined()
    expect(readdirSync(dir)).toEqual([])
  })

  it('takes many writes at once: the last value of each key stays', async () => {
    const state = open().of('x')
    await Promise.all(Array.from({ length: 500 }, (_, i) => state.set(`key${i % 5}`, i)))
    const again = open().of('x')
    const values = await Promise.all([0, 1, 2, 3, 4].map((i) => again.get(`key${i}`)))
    expect(values).toEqual([495, 496, 497, 498, 499])
  })

  it('goes over the rest of a write that was cut short', async () => {
    await open().of('x').set('a', 1)
    writeFileSync(`${fileOf('x')}.tmp`, '{"a": 2, "half')
    const state = open().of('x')
    expect(await state.get('a')).toBe(1)
    await state.set('a', 3)
    expect(await open().of('x').get('a')).toBe(3)
    expect(problems).toEqual([])
  })

  it.each(['{"a": 1', '', '[1]', 'null', '\0\0\0'])(
    'keeps a damaged file %j aside, says so once, and starts empty',
    async (text) => {
      mkdirSync(join(dir, 'state'))
      writeFileSync(fileOf('x'), text)
      const state = open().of('x')
      expect(await state.get('a')).toBeUndefined()
      await state.set('a', 2)
      expect(await state.get('a')).toBe(2)
      expect(problems).toHaveLength(1)
      const aside = readdirSync(join(dir, 'state')).filter((name) => name.includes('.corrupt-'))
      expect(aside).toHaveLength(1)
      expect(readFileSync(join(dir, 'state', aside[0]!), 'utf8')).toBe(text)
      expect(problems[0]).toMatchObject({ code: 'unavailable', reason: 'corrupt' })
      expect(problems[0]?.message).toContain(
        `${fileOf('x')} is damaged, it is kept as ${join(dir, 'state', aside[0]!)}`,
      )
    },
  )

  it('rejects what cannot be written with the path, and writes it with the next one that can', async () => {
    mkdirSync(`${fileOf('x')}.tmp`, { recursive: true })
    const state = open().of('x')
    await expect(state.set('a', 1)).rejects.toMatchObject({ code: 'unavailable' })
    await expect(state.set('b', 2)).rejects.toThrow(`cannot write ${fileOf('x')}`)
    rmSync(`${fileOf('x')}.tmp`, { recursive: true })
    await state.set('c', 3)
    const again = open().of('x')
    expect(await Promise.all(['a', 'b', 'c'].map((key) => again.get(key)))).toEqual([1, 2, 3])
  })

  it('does not take a file that cannot be read for an empty one', async () => {
    mkdirSync(fileOf('x'), { recursive: true })
    const state = open().of('x')
    await expect(state.get('a')).rejects.toMatchObject({ code: 'unavailable' })
    await expect(state.set('a', 1)).rejects.toThrow('cannot read')
    rmSync(fileOf('x'), { recursive: true })
    await state.set('a', 1)
    expect(await state.get('a')).toBe(1)
  })

  it('is for its owner only', async () => {
    await open().of('x').set('a', 'private')
    chmodSync(fileOf('x'), 0o644)
    await open().of('x').set('a', 'private')
    expect(statSync(fileOf('x')).mode & 0o777).toBe(0o600)
  })
})

describe('a file name', () => {
  it('says what it is for', () => {
    expect(fileNameOf('file')).toBe('file.json')
    expect(fileNameOf('file/alerts')).toBe('file%2Falerts.json')
    expect(fileNameOf('aws.s3/evidence')).toBe('aws.s3%2Fevidence.json')
  })

  it('stays in its folder and is different for different ids', () => {
    const ids = [
      '..',
      '.',
      '../../etc/passwd',
      'a/b',
      'a%2Fb',
      'A',
      'a',
      'con:x',
      'é',
      'x'.repeat(300),
      'x'.repeat(301),
    ]
    const names = ids.map(fileNameOf)
    expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(ids.length)
    for (const name of names) expect(name).toMatch(/^[a-zA-Z0-9_%-][a-zA-Z0-9._%-]{0,250}\.json$/)
  })
})
