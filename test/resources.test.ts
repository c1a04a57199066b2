import { afterEach, describe, expect, it, vi } from 'vitest'
import { YarakError } from '../src/errors.ts'
import { defineResource, type Resource, z } from '../src/plugin.ts'
import { createResources } from '../src/resources.ts'
import { testIo } from '../src/testing.ts'

interface Client {
  readonly address: string
  readonly io: string
}

/** A resource that remembers what became of its clients. */
const clientOf = (more: Partial<Pick<Resource<Client>, 'open' | 'close'>> = {}) => {
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
