import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ownerOf, takeLock } from '../../src/journal/lock.ts'

let dir = ''
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'yarak-lock-'))))
afterEach(() => rmSync(dir, { recursive: true, force: true }))
const path = (): string => join(dir, 'journal.db.lock')

it('names its owner while it is held, and nobody after', () => {
  const lock = takeLock(path())
  expect(ownerOf(path())).toBe(process.pid)
  lock.release()
  expect(ownerOf(path())).toBeUndefined()
})

it('is had by one at a time', () => {
  const lock = takeLock(path())
  expect(() => takeLock(path())).toThrow(
    `the process ${process.pid} uses this data directory; give each gateway a dataDir of its own`,
  )
  lock.release()
  takeLock(path()).release()
})

it('is not given up by a look at it', () => {
  const lock = takeLock(path())
  expect(() => takeLock(path())).toThrow()
  expect(() => takeLock(path())).toThrow()
  lock.release()
})

it('says as much as it knows when nobody signed', () => {
  const lock = takeLock(path())
  for (const text of ['', 'not a number\n']) {
    writeFileSync(`${path()}.pid`, text)
    expect(() => takeLock(path())).toThrow('another process uses this data directory')
  }
  lock.release()
})

it('does not care about what a process that was killed left behind', () => {
  writeFileSync(`${path()}.pid`, '1\n')
  writeFileSync(path(), '')
  const lock = takeLock(path())
  expect(readFileSync(`${path()}.pid`, 'utf8')).toBe(`${process.pid}\n`)
  lock.release()
})

it('writes nothing into the file', () => {
  takeLock(path()).release()
  expect(readFileSync(path())).toHaveLength(0)
  expect(existsSync(`${path()}-journal`)).toBe(false)
})

it('of a folder that is not there is no lock, and says why', () => {
  expect(() => takeLock(join(dir, 'none', 'lock'))).toThrow('unable to open database file')
})
