/** A folder, a state that outlives restarts, and the input file on them, for its tests. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import { file } from '../../inputs/file.ts'
import type { InputIo, Report, State } from '../../src/plugin.ts'
import { fileState } from '../../src/state.ts'
import { testInputIo, type TestInputIo } from '../../src/testing.ts'

export let dir: string
export let path: string

export interface Running {
  readonly io: TestInputIo
  readonly done: Promise<void>
}

const running: Running[] = []

/** Call once in a test file: a fresh folder for each test, and what was started is stopped. */
export const fileRig = (): void => {
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'yarak-file-'))
    path = join(dir, 'events.log')
  })
  afterEach(async () => {
    for (const one of running.splice(0)) await stop(one).catch(() => {})
    rmSync(dir, { recursive: true, force: true })
  })
}

/** The state as a process that starts finds it. */
export const openState = (): State => fileState(join(dir, '.yarak'), () => {}).of('file/test')

export type Settings = Parameters<typeof file>[0]

/** Starts the input as a process does. */
export const start = (settings: Partial<Settings> = {}, emit?: InputIo['emit'], state = openState()): Running => {
  const io = Object.assign(testInputIo({ id: 'file/test', ...(emit && { emit }) }), { state })
  const fast = { pollInterval: '2ms', discoverInterval: '5ms', stopTimeout: '10ms' }
  const config = file.config.parse({ path, ...fast, ...settings })
  const one = { io, done: Promise.resolve(file.run?.(config, io)) }
  one.done.catch(() => {})
  running.push(one)
  return one
}

export const stop = async ({ io, done }: Running): Promise<void> => {
  io.stop()
  await done
}

/** Reads all there is, then ends: what it handed over, as text. */
export const readOnce = async (settings: Partial<Settings> = {}): Promise<string[]> => {
  const { io, done } = start({ once: true, ...settings })
  await done
  return texts(io)
}

export const texts = (io: TestInputIo): string[] => io.emitted.map(({ raw }) => String(raw))
export const positions = (io: TestInputIo): (string | undefined)[] => io.emitted.map(({ options }) => options.position)
export const warnings = (io: TestInputIo): string[] =>
  io.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)
/** What the warnings give as the reason. */
export const errors = (io: TestInputIo): unknown[] =>
  io.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields.error)

/** Accepts everything; settles what it is told to, by text. */
export const byHand = (): { emit: InputIo['emit']; settle: (text: string) => void } => {
  const open = new Map<string, (reports: readonly Report[]) => void>()
  return {
    emit: async (raw) => {
      const { promise, resolve } = Promise.withResolvers<readonly Report[]>()
      open.set(String(raw), resolve)
      return { id: 'event', done: promise }
    },
    settle: (text) => open.get(text)?.([]),
  }
}

/** Long enough for a wrong thing to happen. */
export const aWhile = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 40))
