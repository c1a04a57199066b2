/** Random lives of a folder of logs under the whole input: patterns, rotation, several names, restarts. */
import fc from 'fast-check'
import {
  appendFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { file } from '../../inputs/file.ts'
import type { State } from '../../src/plugin.ts'
import { fileState } from '../../src/state.ts'
import { testInputIo, type TestInputIo } from '../../src/testing.ts'

const NAMES = ['a.log', 'b.log', 'c.log'] as const

const ruleIn = (text: string): string => (JSON.parse(text) as { rule: string }).rule

class FilesWorld {
  readonly dir = mkdtempSync(join(tmpdir(), 'yarak-files-'))
  readonly written: string[] = []
  /** What came, by position. */
  readonly received = new Map<string, string>()
  readonly doubled: string[] = []
  #running: { io: TestInputIo; done: Promise<void> } | undefined
  #time = 1_700_000_000
  #links = 0

  at(name: string): string {
    return join(this.dir, 'logs', name)
  }

  constructor() {
    mkdirSync(this.at(''), { recursive: true })
  }

  /** Not the very first start, which begins at the end of what is there. */
  begin(): Promise<void> {
    return this.#state().set('*', { patterns: [this.at('*.log*')], passed: [] })
  }

  #state(): State {
    return fileState(this.dir, () => {}).of('file')
  }

  line(name: string, split: boolean): void {
    const text = JSON.stringify({ rule: `${this.written.length}`, priority: 'Notice', output: 'x'.repeat(300) })
    this.written.push(ruleIn(text))
    const at = split ? 100 : text.length
    const parts = [text.slice(0, at), text.slice(at)].filter(Boolean)
    const lines = parts.map((part, i) => `2026-01-01T00:00:00Z stdout ${i < parts.length - 1 ? 'P' : 'F'} ${part}\n`)
    appendFileSync(this.at(name), lines.join(''))
    this.#touch(name)
  }

  #touch(name: string): void {
    this.#time += 60
    utimesSync(this.at(name), this.#time, this.#time)
  }

  rotate(name: string): void {
    if (!existsSync(this.at(name))) return
    for (let n = 9; n > 0; n--) {
      if (existsSync(this.at(`${name}.${n}`))) renameSync(this.at(`${name}.${n}`), this.at(`${name}.${n + 1}`))
    }
    renameSync(this.at(name), this.at(`${name}.1`))
    this.line(name, false)
  }

  /** Another name, which the pattern finds. */
  link(name: string, hard: boolean): void {
    if (!existsSync(this.at(name))) return
    const other = this.at(`link-${++this.#links}.log`)
    if (hard) linkSync(this.at(name), other)
    else symlinkSync(this.at(name), other)
  }

  up(): void {
    if (this.#running) return
    const io = Object.assign(testInputIo({ id: 'file' }), { state: this.#state() })
    const emit: typeof io.emit = async (raw, options) => {
      const [position, text] = [options?.position ?? '', ruleIn(String(raw))]
      const before = this.received.get(position)
      if (before !== undefined && before !== text) this.doubled.push(`${position}: ${before} and ${text}`)
      this.received.set(position, text)
      return { id: position, done: this.received.size % 7 === 0 ? slowly : Promise.resolve([]) }
    }
    const config = file.config.parse({
      path: this.at('*.log*'),
      ...{ pollInterval: '5ms', discoverInterval: '10ms', stopTimeout: '1ms', maxInFlight: 50 },
    })
    this.#running = { io, done: Promise.resolve(file.run?.(config, Object.assign(io, { emit }))) }
  }

  async down(): Promise<void> {
    this.#running?.io.stop()
    await this.#running?.done
    this.#running = undefined
  }

  async close(): Promise<void> {
    await this.down()
    rmSync(this.dir, { recursive: true, force: true })
  }
}

/** Settled long after the life is over: it comes again after each restart. */
const slowly = new Promise<never>(() => {})

type Step = (world: FilesWorld) => void | Promise<void>

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))
const name = fc.constantFrom(...NAMES)

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(name, fc.boolean()).map(
      ([one, split]) =>
        (world: FilesWorld) =>
          world.line(one, split),
    ),
  },
  { weight: 2, arbitrary: name.map((one) => (world: FilesWorld) => world.rotate(one)) },
  {
    weight: 1,
    arbitrary: fc.tuple(name, fc.boolean()).map(
      ([one, hard]) =>
        (world: FilesWorld) =>
          world.link(one, hard),
    ),
  },
  { weight: 3, arbitrary: fc.nat(30).map((time) => () => pause(time)) },
  { weight: 1, arbitrary: fc.constant((world: FilesWorld) => world.down()) },
  { weight: 2, arbitrary: fc.constant((world: FilesWorld) => world.up()) },
)

/** So many lives at the same time, as most of a life is waiting. @throws with the seed */
export const liveTogether = async (count: number, seed = Date.now()): Promise<void> => {
  const lives = fc.sample(fc.array(step, { minLength: 5, maxLength: 40 }), { numRuns: count, seed })
  const ended = await Promise.allSettled(lives.map((steps, i) => live(steps, `seed ${seed}, life ${i}`)))
  expect(ended.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []))).toEqual([])
}

const live = async (steps: readonly Step[], which: string): Promise<void> => {
  const world = new FilesWorld()
  try {
    await world.begin()
    world.up()
    for (const one of steps) await one(world)
    world.up()
    await expect
      .poll(() => [...world.received.values()].sort(), { timeout: 20_000, interval: 50, message: which })
      .toEqual([...world.written].sort())
    await pause(50)
    expect(world.doubled, which).toEqual([])
    expect([...world.received.values()].sort(), which).toEqual([...world.written].sort())
  } finally {
    await world.close()
  }
}
