import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { createRedis, redis } from '../../outputs/redis.ts'
import type { RedisCommand } from '../../outputs/_redis.ts'
import { payload } from '../../outputs/_payload.ts'
import { type Notice, toJson, type YarakError } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { opened } from './_link.ts'
import { speak } from './_tcp.ts'

const commands = async (settings: object, ...notices: Notice[]): Promise<RedisCommand[]> => {
  const run: RedisCommand[] = []
  const output = createRedis(async () => ({ run: async (some) => (run.push(...some), []), close: () => {} }))
  await (await opened(output, { address: 'redis:6379', ...settings })).send(...notices)
  return run
}

/** As `redis.io/docs/latest/commands` has them. */
describe('the command', () => {
  const json = toJson(payload(aNotice()))
  const uuid = anEvent().id
  const { traceparent = '' } = aNotice()

  it.each<[object, RedisCommand]>([
    [{}, ['RPUSH', 'falco', json]],
    [{ storageType: 'hashmap', key: 'k' }, ['HSET', 'k', uuid, json]],
    [{ storageType: 'stream' }, ['XADD', 'falco', '*', 'event', json, 'traceparent', traceparent]],
    [
      { storageType: 'stream', maxLength: 10 },
      ['XADD', 'falco', 'MAXLEN', '~', '10', '*', 'event', json, 'traceparent', traceparent],
    ],
  ])('of %j', async (settings, command) => {
    expect(await commands(settings, aNotice())).toEqual([command])
  })

  it('sets an event under its own uuid, and a report beside its event', async () => {
    const event = anEvent({ uuid: 'mine' })
    const sent = await commands({ storageType: 'hashmap' }, aNotice({ event }), aNotice({ event, report: aReport() }))
    expect(sent.map(([, , field]) => field)).toEqual(['mine', `mine/${aReport().id}`])
  })

  it('has no context where there is none', async () => {
    const [command] = await commands({ storageType: 'stream' }, { id: 'untraced', event: anEvent() })
    expect(command).toHaveLength(5)
  })

  it('is told in the span', async () => {
    const output = createRedis(async () => ({ run: async () => [], close: () => {} }))
    const { io, send } = await opened(output, { address: 'redis:6379', database: 2, storageType: 'hashmap' })
    await send(aNotice())
    expect(io.spans).toEqual([
      {
        name: 'HSET falco',
        kind: 'client',
        attributes: {
          'db.system.name': 'redis',
          'db.operation.name': 'HSET',
          'db.namespace': '2',
          'db.operation.batch.size': 1,
        },
      },
    ])
  })
})

type Answer = (command: readonly string[], socket: Socket) => string

/** The little of RESP that pipelines take. Source: redis.io/docs/latest/develop/reference/protocol-spec. */
const server = async (answer: Answer = () => ':1\r\n') => {
  const heard: string[][] = []
  const started = await speak((socket, data) => {
    for (let rest = data; ;) {
      const parsed = command(rest)
      if (!parsed) return rest
      rest = rest.subarray(parsed.end)
      const { args } = parsed
      heard.push(args)
      const name = args[0]?.toUpperCase() ?? ''
      const said = /^(CLIENT|SELECT)$/.test(name) ? '+OK\r\n' : name === 'INFO' ? '$0\r\n\r\n' : answer(args, socket)
      if (said === 'drop') return (socket.destroy(), Buffer.alloc(0))
      socket.write(said)
    }
  })
  const of = (name: string) => heard.filter(([one]) => one?.toUpperCase() === name)
  return Object.assign(started, { of })
}

const command = (data: Buffer): { args: string[]; end: number } | undefined => {
  const line = (at: number) => {
    const end = data.indexOf('\r\n', at)
    return end < 0 ? undefined : { number: Number(data.subarray(at + 1, end).toString()), next: end + 2 }
  }
  const head = line(0)
  if (!head) return undefined
  const args: string[] = []
  let at = head.next
  for (let i = 0; i < head.number; i++) {
    const size = line(at)
    if (!size || data.length < size.next + size.number + 2) return undefined
    args.push(data.subarray(size.next, size.next + size.number).toString())
    at = size.next + size.number + 2
  }
  return { args, end: at }
}

const real = (port: number, more: object = {}) => opened(redis, { address: `127.0.0.1:${port}`, ...more })
const numbered = (n: number) => aNotice({ event: anEvent({ rule: `rule ${n}` }) })

describe('the client', () => {
  it('signs in, chooses the database, and sends all at once', async () => {
    await using at = await server(([name]) => (name === 'auth' ? '+OK\r\n' : ':1\r\n'))
    const { send, sender } = await real(at.port, { username: 'u', password: 'p', database: 3 })
    await send(numbered(1), numbered(2))
    await sender.close?.()
    expect(at.of('AUTH')).toEqual([['auth', 'u', 'p']])
    expect(at.of('SELECT')).toEqual([['select', '3']])
    expect(at.of('RPUSH').map(([, key, json = '']) => [key, (JSON.parse(json) as { rule: string }).rule])).toEqual([
      ['falco', 'rule 1'],
      ['falco', 'rule 2'],
    ])
  })

  it('tells what became of each, and keeps the connection', async () => {
    let full = true
    await using at = await server(([, , json = '']) =>
      full && json.includes('rule 2') ? '-OOM command not allowed when used memory > maxmemory\r\n' : ':1\r\n',
    )
    const { send, sender } = await real(at.port)
    await expect(send(numbered(1), numbered(2), numbered(3))).rejects.toMatchObject({
      code: 'failed',
      reason: 'oom',
      failed: [{ index: 1, permanent: false, reason: 'oom' }],
    })
    full = false
    await send(numbered(2))
    await sender.close?.()
    expect(at.counts.connections).toBe(1)
  })

  it('connects again after the connection was lost in the middle', async () => {
    let drops = 1
    await using at = await server(() => (drops-- > 0 ? 'drop' : ':1\r\n'))
    const { send, sender } = await real(at.port)
    await expect(send(aNotice())).rejects.toMatchObject({ code: 'unavailable', permanent: false })
    await send(aNotice())
    await sender.close?.()
    expect(at.counts.connections).toBe(2)
    expect(at.of('RPUSH')).toHaveLength(2)
  })

  it.each([
    ['a wrong password', { username: 'u', password: 'hush-hush' }],
    ['no password where one is needed', {}],
  ])('says when it is not let in: %s', async (_, settings) => {
    await using at = await server(([name]) =>
      name === 'auth'
        ? '-WRONGPASS invalid username-password pair or user is disabled.\r\n'
        : '-NOAUTH Authentication required.\r\n',
    )
    const { send } = await real(at.port, settings)
    const error = await send(aNotice()).catch((one: unknown) => one as YarakError)
    expect(error).toMatchObject({ code: 'unavailable', reason: 'authentication', permanent: false })
    expect(String(error)).not.toContain('hush')
  })

  it('lets go of a server that says nothing', async () => {
    await using at = await speak(() => Buffer.alloc(0))
    const { sender } = await real(at.port)
    const stop = new AbortController()
    const sending = sender.send([aNotice()], stop.signal)
    await expect.poll(() => at.counts.connections).toBe(1)
    stop.abort()
    await expect(sending).rejects.toMatchObject({ code: 'interrupted' })
  })
})

describe('the settings', () => {
  it.each([
    [{}, /address is required/],
    [{ address: 'redis://r:6379' }, /must be host:port/],
    [{ address: 'r:6379', storageType: 'set' }, /storageType must be one of list, hashmap, stream/],
    [{ address: 'r:6379', database: -1 }, /database/],
    [{ address: 'r:6379', storagetype: 'list' }, /storagetype is not a known setting/],
  ])('refuse %j', (config, message) => {
    expect(() => redis(config as never)).toThrow(message)
  })

  it.each(['redis', 'redis:6379', '[::1]:6380', '10.0.0.1:1'])('take the address %s', (address) => {
    expect(redis.config.parse({ address })).toMatchObject({ address, storageType: 'list', key: 'falco', database: 0 })
  })
})
