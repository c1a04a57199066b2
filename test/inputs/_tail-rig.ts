/** A folder, a file in it and a clock for the tests of the tailer. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import { Tail, type TailOptions } from '../../inputs/_tail.ts'

export let dir: string
export let path: string
let clock = 0
const open: Tail[] = []

/** Lets so many milliseconds pass for every tail. */
export const pass = (milliseconds: number): void => void (clock += milliseconds)

/** Call once in a test file: a fresh folder for each test, and its tails are closed. */
export const tailRig = (): void => {
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'yarak-tail-'))
    path = join(dir, 'events.log')
    clock = 0
  })
  afterEach(async () => {
    await Promise.all(open.splice(0).map((tail) => tail.close()))
    rmSync(dir, { recursive: true, force: true })
  })
}

/** A tail of the file. */
export const follow = (options: Partial<TailOptions> = {}): Tail => {
  const tail = new Tail({ path, from: 'beginning', now: () => clock, ...options })
  open.push(tail)
  return tail
}
