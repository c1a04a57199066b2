import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { locked } from './lock.ts'

let lock = ''

beforeEach(() => {
  lock = join(mkdtempSync(join(tmpdir(), 'yarak-lock-')), 'lock')
})

afterEach(() => rmSync(join(lock, '..'), { recursive: true }))

test('one after the other, each with the lock to itself', async () => {
  const order: string[] = []
  const work = (name: string) =>
    locked(lock, async () => {
      order.push(`${name} begins`)
      expect(readFileSync(lock, 'utf8')).toBe(String(process.pid))
      await new Promise((wake) => setTimeout(wake, 20))
      order.push(`${name} ends`)
    })
  await Promise.all([work('a'), work('b')])
  expect(order).toEqual(['a begins', 'a ends', 'b begins', 'b ends'])
})

test('is given back when the work fails', async () => {
  await expect(locked(lock, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(existsSync(lock)).toBe(false)
})

test('is taken over from a process that has died', async () => {
  writeFileSync(lock, '4194305')
  expect(await locked(lock, () => Promise.resolve('done'))).toBe('done')
})

test('is taken over from a process that has long said nothing, though its pid is in use', async () => {
  writeFileSync(lock, String(process.pid))
  const before = new Date(Date.now() - 61_000)
  utimesSync(lock, before, before)
  expect(await locked(lock, () => Promise.resolve('done'))).toBe('done')
})
