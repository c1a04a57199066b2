import { Hono } from 'hono'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createCounters } from '../src/counters.ts'
import { defineInput, YarakError } from '../src/index.ts'
import { type InputIo, type LogFields, z } from '../src/plugin.ts'
import { createSupervisor } from '../src/supervise.ts'
import { gate } from './kit.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

type Run = (io: InputIo) => Promise<void>

/** A supervisor of inputs that do what the test says, by their labels. */
const supervise = (runs: Readonly<Record<string, Run | 'routes'>>) => {
  const stop = new AbortController()
  const counters = createCounters()
  const errors: LogFields[] = []
  const log = {
    debug() {},
    info() {},
    warn() {},
    error: (_text: string, fields: LogFields = {}) => void errors.push(fields),
  }
  const entries = Object.entries(runs).map(([label, run]) => {
    const input = defineInput({
      type: 'test',
      summary: 'Does what the test says.',
      config: z.strictObject({}),
      replayable: false,
      ...(run === 'routes'
        ? { routes: () => new Hono().get(`/${label}`, (c) => c.text(label)) }
        : { run: (_config: object, io: InputIo) => run(io) }),
    })
    const io: Partial<InputIo> = {
      signal: stop.signal,
      emit: (raw) =>
        raw === 'refused'
          ? Promise.reject(new YarakError('overloaded', 'no room'))
          : Promise.resolve({ id: 'e1', done: Promise.resolve([]) }),
      count() {},
      measure() {},
    }
    return { use: input({}, label), io: io as InputIo }
  })
  const supervisor = createSupervisor(entries, { log, counters, signal: stop.signal })
  const failures = (label: string): number => counters.sum('yarak_input_failures_total', { input: `test/${label}` })
  return { supervisor, stop: () => stop.abort(), errors, failures }
}

const forever: Run = ({ signal }) => new Promise((done) => signal.addEventListener('abort', () => done()))
const down = (more = {}) => Promise.reject(new YarakError('unavailable', 'the broker is down', more))

/** Whether it has resolved by now. */
const isOver = async (promise: Promise<unknown>): Promise<boolean> => {
  let over = false
  void promise.then(() => (over = true))
  await vi.advanceTimersByTimeAsync(0)
  return over
}

describe('status', () => {
  it('tells of each input what it does', async () => {
    const end = gate()
    const { supervisor, stop } = supervise({
      web: 'routes',
      file: () => end.promise,
      topic: forever,
      bad: () => down(),
    })
    supervisor.start()
    await vi.advanceTimersByTimeAsync(0)
    end.resolve()
    await vi.advanceTimersByTimeAsync(0)
    const since = new Date().toISOString()
    expect(supervisor.status()).toEqual([
      { id: 'test/web', state: 'serving', since },
      { id: 'test/file', state: 'ended', since },
      { id: 'test/topic', state: 'running', since },
      { id: 'test/bad', state: 'failing', error: 'the broker is down', since },
    ])
    stop()
  })

  it('runs nothing before the start, and gives the routes at once', async () => {
    const run = vi.fn(forever)
    const { supervisor } = supervise({ web: 'routes', topic: run })
    expect(run).not.toHaveBeenCalled()
    expect(supervisor.mounts).toHaveLength(1)
    expect(await (await supervisor.mounts[0]?.app.request('/web'))?.text()).toBe('web')
  })
})

describe('an input that fails', () => {
  it('waits longer each time, up to 30 s, and is told and counted each time', async () => {
    const { supervisor, stop, errors, failures } = supervise({ bad: () => down() })
    supervisor.start()
    await vi.advanceTimersByTimeAsync(300_000)
    const waits = errors.map(({ in_ms }) => Number(in_ms))
    expect(waits.length).toBeGreaterThan(10)
    expect(failures('bad')).toBe(waits.length)
    for (const [i, wait] of waits.entries()) {
      const whole = Math.min(30_000, 1_000 * 2 ** i)
      expect(wait).toBeGreaterThanOrEqual(whole / 2)
      expect(wait).toBeLessThanOrEqual(whole)
    }
    expect(errors[0]).toMatchObject({ input: 'test/bad', error: 'the broker is down' })
    stop()
  })

  it('waits as long as the other side asks', async () => {
    const { supervisor, stop, errors } = supervise({ bad: () => down({ retryAfter: 120 }) })
    supervisor.start()
    await vi.advanceTimersByTimeAsync(599)
    expect(errors.map(({ in_ms }) => in_ms)).toEqual([120, 120, 120, 120, 120])
    stop()
  })

  it('is not started again when it says that trying again cannot help', async () => {
    const run = vi.fn(() => down({ permanent: true }))
    const { supervisor, stop, errors, failures } = supervise({ bad: run })
    supervisor.start()
    await vi.advanceTimersByTimeAsync(300_000)
    await supervisor.ended()
    expect(run).toHaveBeenCalledTimes(1)
    expect(failures('bad')).toBe(1)
    expect(errors).toEqual([{ input: 'test/bad', error: 'the broker is down' }])
    expect(supervisor.status()).toMatchObject([{ id: 'test/bad', state: 'failing', error: 'the broker is down' }])
    stop()
  })

  it('runs again when what was wrong has gone', async () => {
    let tries = 0
    const { supervisor, stop } = supervise({ shaky: (io) => (++tries < 3 ? down() : forever(io)) })
    supervisor.start()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(tries).toBe(3)
    await vi.advanceTimersByTimeAsync(30_000)
    expect(supervisor.status()).toMatchObject([{ id: 'test/shaky', state: 'running' }])
    stop()
  })

  it('starts its waits anew after it has run for a while', async () => {
    let tries = 0
    const late = () => new Promise<void>((_done, fail) => setTimeout(() => fail(new Error('lost')), 61_000))
    const { supervisor, stop, errors } = supervise({ shaky: () => (++tries === 5 ? late() : down()) })
    supervisor.start()
    await vi.advanceTimersByTimeAsync(90_000)
    const after = errors.findIndex(({ error }) => error === 'lost')
    expect(Number(errors[after - 1]?.in_ms)).toBeGreaterThanOrEqual(4_000)
    expect(Number(errors[after]?.in_ms)).toBeLessThanOrEqual(1_000)
    stop()
  })

  it('may throw at once, or throw what is no error', async () => {
    const { supervisor, stop, errors } = supervise({
      sync: () => {
        throw new Error('at once')
      },
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what a plugin may do
      odd: () => Promise.reject('a text'),
    })
    supervisor.start()
    await vi.advanceTimersByTimeAsync(0)
    expect(errors.map(({ error }) => error)).toEqual(['at once', 'a text'])
    stop()
  })
})

describe('an input that is tried again', () => {
  const state = (supervisor: ReturnType<typeof supervise>['supervisor']) => supervisor.status()[0]?.state

  it('is failing all the time while its source is away, though each try takes a while', async () => {
    const slow = () => new Promise<void>((_done, fail) => setTimeout(() => fail(new Error('no answer')), 28_000))
    const { supervisor, stop, failures } = supervise({ slow })
    supervisor.start()
    expect(state(supervisor)).toBe('running')
    await vi.advanceTimersByTimeAsync(28_000)
    const since = new Date().toISOString()
    for (let i = 0; i < 600; i++) {
      await vi.advanceTimersByTimeAsync(1_000)
      expect(supervisor.status()).toEqual([{ id: 'test/slow', state: 'failing', error: 'no answer', since }])
    }
    expect(failures('slow')).toBeGreaterThan(9)
    stop()
  })

  it('runs again once it has run for half a minute, since then', async () => {
    let tries = 0
    const { supervisor, stop } = supervise({ shaky: (io) => (++tries < 2 ? down({ retryAfter: 1_000 }) : forever(io)) })
    supervisor.start()
    await vi.advanceTimersByTimeAsync(30_999)
    expect(state(supervisor)).toBe('failing')
    await vi.advanceTimersByTimeAsync(1)
    expect(supervisor.status()).toEqual([{ id: 'test/shaky', state: 'running', since: new Date().toISOString() }])
    stop()
  })

  it.each<[string, (io: InputIo) => unknown]>([
    ['brings an event that is accepted', (io) => io.emit({})],
    ['counts what it passed over', (io) => io.count('skipped', 'empty')],
    ['measures its source', (io) => io.measure('lag', 3, {})],
  ])('runs again at once when it %s', async (_, bring) => {
    let tries = 0
    const again: Run = async (io) => {
      if (++tries < 2) await down({ retryAfter: 10 })
      await bring(io)
      await forever(io)
    }
    const { supervisor, stop } = supervise({ again })
    supervisor.start()
    await vi.advanceTimersByTimeAsync(9)
    expect(state(supervisor)).toBe('failing')
    await vi.advanceTimersByTimeAsync(1)
    expect(state(supervisor)).toBe('running')
    stop()
  })

  it('is failing when the gateway does not take what it brings, and when it brings something too late', async () => {
    let tries = 0
    const late = gate()
    const refused: Run = async (io) => {
      if (++tries > 1) void late.promise.then(() => io.measure('lag', 1, {}))
      await io.emit('refused').catch(() => down({ retryAfter: 10 }))
    }
    const { supervisor, stop } = supervise({ refused })
    supervisor.start()
    await vi.advanceTimersByTimeAsync(105)
    expect(tries).toBeGreaterThan(5)
    expect(state(supervisor)).toBe('failing')
    late.resolve()
    await vi.advanceTimersByTimeAsync(1)
    expect(state(supervisor)).toBe('failing')
    stop()
  })

  it('leaves no timer behind', async () => {
    let tries = 0
    const { supervisor, stop } = supervise({
      shaky: () => (++tries < 3 ? down({ retryAfter: 10 }) : Promise.resolve()),
    })
    supervisor.start()
    await vi.advanceTimersByTimeAsync(100)
    expect(state(supervisor)).toBe('ended')
    expect(vi.getTimerCount()).toBe(0)
    stop()
  })
})

describe('ended', () => {
  it('resolves at once where no input runs by itself', async () => {
    const { supervisor } = supervise({ web: 'routes' })
    supervisor.start()
    expect(await isOver(supervisor.ended())).toBe(true)
  })

  it('waits for the last input', async () => {
    const [one, two] = [gate(), gate()]
    const { supervisor } = supervise({ one: () => one.promise, two: () => two.promise })
    supervisor.start()
    const ended = supervisor.ended()
    one.resolve()
    expect(await isOver(ended)).toBe(false)
    two.resolve()
    expect(await isOver(ended)).toBe(true)
  })

  it('does not wait out a pause when the gateway stops, and what fails by the stop is no failure', async () => {
    const torn: Run = ({ signal }) =>
      new Promise((_done, fail) => signal.addEventListener('abort', () => fail(new Error('connection closed'))))
    const { supervisor, stop, errors, failures } = supervise({ bad: () => down({ retryAfter: 3_600_000 }), torn })
    supervisor.start()
    await vi.advanceTimersByTimeAsync(0)
    expect(await isOver(supervisor.ended())).toBe(false)
    stop()
    expect(await isOver(supervisor.ended())).toBe(true)
    expect(errors).toHaveLength(1)
    expect(failures('torn')).toBe(0)
  })
})
