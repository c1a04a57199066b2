import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { YarakError } from '../src/errors.ts'
import { defineResource, type Resource, z } from '../src/plugin.ts'
import { createResources } from '../src/resources.ts'
import { testIo } from '../src/testing.ts'

interface Client {
  readonly address: string
  readonly io: string
}

/** A resource that remembers what became of its clients. */
const clientOf = (more: Partial<Pick<Resource<Client>, 'open' | 'close' | 'check'>> = {}) => {
  const opened: Client[] = []
  const closed: Client[] = []
  const resource = defineResource({
    type: 'database',
    summary: 'Remembers.',
    config: z.strictObject({ address: z.string().default('localhost') }),
    async open({ address }, io) {
      const client = { address, io: io.id }
      opened.push(client)
      return client
    },
    async close(client: Client) {
      closed.push(client)
    },
    ...more,
  })
  return { resource, opened, closed }
}

const ioOf = (id: string) => testIo({ id })

describe('a resource', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it('is opened on first use, once for all users, and closed at the end', async () => {
    const { resource, opened, closed } = clientOf()
    const resources = createResources([], ioOf)
    expect(opened).toEqual([])
    const clients = await Promise.all([resources.use(resource), resources.use(resource)])
    expect(clients).toEqual([opened[0], await resources.use(resource)])
    expect(opened).toEqual([{ address: 'localhost', io: 'database' }])
    await resources.close()
    expect(closed).toEqual(opened)
  })

  it('has the settings and the id that were given for its type', async () => {
    const { resource } = clientOf()
    const resources = createResources([resource({ address: 'db.example.com' }, 'main')], ioOf)
    expect(await resources.use(resource)).toEqual({ address: 'db.example.com', io: 'database/main' })
    await resources.close()
  })

  it('that cannot be opened is tried again later, not at once', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const open = vi.fn<Resource<Client>['open']>().mockRejectedValueOnce(new Error('no route'))
    open.mockResolvedValue({ address: 'a', io: 'b' })
    const { resource } = clientOf({ open })
    const resources = createResources([], ioOf)
    for (let i = 0; i < 3; i++) {
      await expect(resources.use(resource)).rejects.toMatchObject({ code: 'unavailable', message: 'no route' })
    }
    expect(open).toHaveBeenCalledTimes(1)
    vi.setSystemTime(Date.now() + 1_001)
    await expect(resources.use(resource)).resolves.toEqual({ address: 'a', io: 'b' })
    expect(open).toHaveBeenCalledTimes(2)
    await resources.close()
  })

  it('fails with its own error, or for its settings', async () => {
    const mine = new YarakError('missing_package', 'pg is not installed', { permanent: true })
    const resources = createResources([], ioOf)
    const { resource } = clientOf({ open: () => Promise.reject(mine) })
    await expect(resources.use(resource)).rejects.toBe(mine)
    const needy = defineResource({
      type: 'needy',
      summary: 'Needs a setting.',
      config: z.strictObject({ url: z.string() }),
      open: async () => 'open',
    })
    await expect(resources.use(needy)).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('that fails to close is told of, and does not keep the others open', async () => {
    const io = testIo()
    const thrown: NonNullable<Resource<Client>['close']>[] = [
      () => Promise.reject(new Error('stuck')),
      () => {
        throw new Error('stuck')
      },
    ]
    for (const close of thrown) {
      const bad = clientOf({ close })
      const good = defineResource({ ...clientOf().resource, type: 'good', close: vi.fn(async () => {}) })
      const resources = createResources([], () => io)
      await Promise.all([resources.use(bad.resource), resources.use(good)])
      await resources.close()
      expect(good.close).toHaveBeenCalledTimes(1)
    }
    const line = {
      level: 'warn',
      message: 'closing a resource failed',
      fields: { resource: 'database', error: 'stuck' },
    }
    expect(io.lines).toEqual([line, line])
  })

  it('is not opened again after the end, and one that never opened is not closed', async () => {
    const { resource, opened } = clientOf()
    const broken = clientOf({ open: () => Promise.reject(new Error('no route')) })
    const resources = createResources([], ioOf)
    await expect(resources.use(broken.resource)).rejects.toThrow('no route')
    await resources.close()
    await expect(resources.use(resource)).rejects.toMatchObject({ code: 'closing' })
    await resources.close()
    expect([opened, broken.closed]).toEqual([[], []])
  })

  it('that opens while everything closes is closed too', async () => {
    const ready = Promise.withResolvers<Client>()
    const { resource, closed } = clientOf({ open: () => ready.promise })
    const resources = createResources([], ioOf)
    const using = resources.use(resource)
    const closing = resources.close()
    ready.resolve({ address: 'a', io: 'b' })
    await Promise.all([using, closing])
    expect(closed).toEqual([{ address: 'a', io: 'b' }])
  })
})

describe('the health of resources', () => {
  const down = new YarakError('unavailable', 'the server does not answer')
  /** Aborts with the test. */
  const stopAfter = (): AbortController => {
    const stop = new AbortController()
    onTestFinished(() => stop.abort())
    return stop
  }
  const EVERY = 15_000
  /** Time in which a look surely came. */
  const SURELY = EVERY * 1.2 + 1
  const fake = () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
  }

  it('tells of those with settings from the beginning, and of others once they are used', async () => {
    const { resource } = clientOf()
    const other = defineResource({ ...clientOf().resource, type: 'other' })
    const resources = createResources([resource({ address: 'a' }, 'main')], ioOf)
    expect(resources.health()).toEqual([{ id: 'database/main', type: 'database', state: 'unused' }])
    await resources.use(other)
    await resources.use(resource)
    const since = expect.stringMatching(/^\d{4}-.*Z$/)
    expect(resources.health()).toEqual([
      { id: 'database/main', type: 'database', state: 'ok', since },
      { id: 'other', type: 'other', state: 'ok', since },
    ])
    await resources.close()
  })

  it('is failing at once when one cannot be opened, and ok when it can', async () => {
    fake()
    const open = vi.fn<Resource<Client>['open']>().mockRejectedValueOnce(new Error('no route'))
    open.mockResolvedValue({ address: 'a', io: 'b' })
    const { resource } = clientOf({ open })
    const resources = createResources([], ioOf)
    await expect(resources.use(resource)).rejects.toThrow('no route')
    const since = new Date().toISOString()
    expect(resources.health()).toEqual([
      { id: 'database', type: 'database', state: 'failing', error: 'no route', since },
    ])
    await vi.advanceTimersByTimeAsync(1_001)
    await resources.use(resource)
    expect(resources.health()).toEqual([
      { id: 'database', type: 'database', state: 'ok', since: new Date().toISOString() },
    ])
    await resources.close()
  })

  it('shows that the other side went away and came back though nobody uses it, and since when', async () => {
    fake()
    const check = vi.fn<NonNullable<Resource<Client>['check']>>(async () => {})
    const { resource } = clientOf({ check })
    const resources = createResources([], ioOf)
    const client = await resources.use(resource)
    const stop = stopAfter()
    const watching = resources.watch(stop.signal, EVERY)
    await vi.advanceTimersByTimeAsync(SURELY)
    expect(check).toHaveBeenCalledTimes(1)
    expect(check.mock.calls[0]?.[0]).toBe(client)
    expect(resources.health()).toMatchObject([{ state: 'ok' }])
    check.mockRejectedValue(down)
    await vi.advanceTimersByTimeAsync(SURELY)
    const [failed] = resources.health()
    expect(failed).toMatchObject({ state: 'failing', error: 'the server does not answer' })
    await vi.advanceTimersByTimeAsync(10 * SURELY)
    expect(resources.health()).toEqual([failed])
    check.mockResolvedValue(undefined)
    await vi.advanceTimersByTimeAsync(SURELY)
    expect(resources.health()).toMatchObject([{ state: 'ok', since: expect.not.stringMatching(failed?.since ?? '') }])
    expect(resources.health()[0]).not.toHaveProperty('error')
    stop.abort()
    await watching
    expect(vi.getTimerCount()).toBe(0)
  })

  it('opens one again that could not be opened, though nobody uses it', async () => {
    fake()
    const open = vi.fn<Resource<Client>['open']>().mockRejectedValueOnce(new Error('no route'))
    open.mockResolvedValue({ address: 'a', io: 'b' })
    const { resource } = clientOf({ open })
    const resources = createResources([], ioOf)
    await expect(resources.use(resource)).rejects.toThrow('no route')
    void resources.watch(stopAfter().signal, EVERY)
    await vi.advanceTimersByTimeAsync(SURELY)
    expect(resources.health()).toMatchObject([{ state: 'ok' }])
  })

  it('is asked at once when somebody uses it, and once a second at most', async () => {
    const check = vi.fn<NonNullable<Resource<Client>['check']>>(() => Promise.reject(down))
    const { resource } = clientOf({ check })
    const resources = createResources([], ioOf)
    void resources.watch(stopAfter().signal, 3_600_000)
    for (let i = 0; i < 100; i++) await resources.use(resource)
    await expect.poll(() => resources.health()).toMatchObject([{ state: 'failing', error: down.message }])
    expect(check).toHaveBeenCalledTimes(1)
    check.mockResolvedValue(undefined)
    await expect
      .poll(
        async () => {
          await resources.use(resource)
          return resources.health()
        },
        { timeout: 5_000 },
      )
      .toMatchObject([{ state: 'ok' }])
    expect(check).toHaveBeenCalledTimes(2)
  })

  it('waits 5 s for an answer, and asks nobody who has not answered yet', async () => {
    fake()
    const answers: PromiseWithResolvers<void>[] = []
    const signals: AbortSignal[] = []
    const { resource } = clientOf({
      check(_client, _io, signal) {
        const answer = Promise.withResolvers<void>()
        answers.push(answer)
        signals.push(signal)
        return answer.promise
      },
    })
    const resources = createResources([], ioOf)
    await resources.use(resource)
    void resources.watch(stopAfter().signal, EVERY)
    await vi.advanceTimersByTimeAsync(SURELY + 5_000)
    expect(resources.health()).toMatchObject([{ state: 'failing', error: 'no answer within 5 s' }])
    expect(signals[0]?.aborted).toBe(true)
    await vi.advanceTimersByTimeAsync(10 * SURELY)
    expect(answers).toHaveLength(1)
    answers[0]?.resolve()
    await vi.advanceTimersByTimeAsync(0)
    expect(resources.health()).toMatchObject([{ state: 'failing' }])
    while (answers.length < 2) await vi.advanceTimersByTimeAsync(1_000)
    answers[1]?.resolve()
    await vi.advanceTimersByTimeAsync(0)
    expect(resources.health()).toMatchObject([{ state: 'ok' }])
  })

  it('takes a stop for no failure, and asks nothing after it', async () => {
    const hold = Promise.withResolvers<void>()
    const check = vi.fn<NonNullable<Resource<Client>['check']>>(() => hold.promise)
    const { resource } = clientOf({ check })
    const resources = createResources([], ioOf)
    const stop = stopAfter()
    const watching = resources.watch(stop.signal, 3_600_000)
    await resources.use(resource)
    await expect.poll(() => check.mock.calls.length).toBe(1)
    stop.abort()
    await watching
    hold.reject(new Error('cut'))
    await resources.use(resource)
    await resources.close()
    expect(resources.health()).toMatchObject([{ state: 'ok' }])
    expect(check).toHaveBeenCalledTimes(1)
  })

  it('is asked outside of any trace', async () => {
    const io = testIo()
    const headers: unknown[] = []
    const { resource } = clientOf({
      check: (_client, { call }) => call({ name: 'GET /readyz' }, async (own) => void headers.push(own.headers)),
    })
    const resources = createResources([], () => io)
    void resources.watch(stopAfter().signal, 3_600_000)
    await resources.use(resource)
    await expect.poll(() => headers).toEqual([{}])
    expect(io.spans).toEqual([])
  })
})
