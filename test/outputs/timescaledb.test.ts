import type { Socket } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { identifier, insert, type Statement } from '../../outputs/_postgres.ts'
import { createTimescaledb, timescaledb } from '../../outputs/timescaledb.ts'
import { type Notice, YarakError } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport, oddEvents } from '../../src/testing.ts'
import { falcosidekickSent } from './_falcosidekick.ts'
import { opened } from './_link.ts'
import { speak } from './_tcp.ts'

type Run = (statement: Statement) => Promise<void>

const rigged = async (settings: object = {}, run: Run = async () => {}) => {
  const statements: Statement[] = []
  const output = createTimescaledb(async () => ({
    async run(statement) {
      await run(statement)
      statements.push(statement)
    },
    close: async () => {},
  }))
  return { statements, ...(await opened(output, { host: 'db', ...settings })) }
}

/** The row that a notice becomes, by column. */
const rowOf = async (notice: Notice, settings: object = {}): Promise<Record<string, string | null>> => {
  const { statements, send } = await rigged(settings)
  await send(notice)
  const [{ text, values }] = statements as [Statement]
  const columns = [...(text.split('VALUES')[0] ?? '').matchAll(/"((?:[^"]|"")+)"(?=[,)])/g)].map(([, name]) => name)
  return Object.fromEntries(columns.map((name = '', i) => [name, values[i] ?? null]))
}

describe('a row', () => {
  it.each(falcosidekickSent('timescaledb').exchanges.map((one) => [one.name, one] as const))(
    'is what Falcosidekick inserts: %s',
    async (name, { notice, requests }) => {
      const recorded = JSON.parse(requests[0]?.body ?? '') as Record<string, string | null>
      const { time, tags = null, hostname = null, ...row } = await rowOf(notice)
      // the recorded time is as PostgreSQL shows it, in microseconds and UTC
      expect(Date.parse(time ?? '')).toBe(Date.parse(recorded.time ?? ''))
      expect({ time: recorded.time, tags, hostname, ...row }).toEqual({
        ...recorded,
        // tags stay in the order in which they came
        ...(name === 'an offset' && { tags: 'b,a' }),
        // fields of events over 4,096 bytes are not cut
        ...(name === 'over 4,096 bytes' && { output: notice.event.output }),
      })
    },
  )

  it('has a column for each field that is to have one, and that the event has', async () => {
    const output_fields = { 'proc.pid': 4711, 'user.name': 'NULL', args: ['a', { b: 1 }], none: null, text: 'say "x"' }
    const columns = ['proc.pid', 'user.name', 'args', 'none', 'missing', 'text']
    expect(await rowOf(aNotice({ event: anEvent({ output_fields }) }), { columns })).toMatchObject({
      'proc.pid': '4711',
      'user.name': null,
      args: '["a",{"b":1}]',
      text: 'say "x"',
    })
    const row = await rowOf(aNotice({ event: anEvent({ output_fields }) }), { columns })
    expect(Object.keys(row)).not.toContain('missing')
    expect(Object.keys(row)).not.toContain('none')
  })

  it('holds what is NULL as NULL, and what no text can hold as what it can', async () => {
    const event = anEvent({ output: 'null', rule: 'a\u0000b\ud800', hostname: 'Null' })
    expect(await rowOf(aNotice({ event }))).toMatchObject({ output: null, rule: 'a\ufffdb\ufffd', hostname: null })
  })

  it('of a report tells what was done, and can have its parts in columns', async () => {
    const report = aReport({ outcome: 'failed' })
    const notice = aNotice({ report, traceUrl: 'https://traces.example/4bf9' })
    const row = await rowOf(notice, { columns: ['outcome', 'response', 'trace', 'proc.cmdline'] })
    expect(row).toMatchObject({
      time: '2026-01-31T12:00:00.200Z',
      rule: 'Shell in a container',
      source: 'yarak',
      outcome: 'failed',
      response: report.id,
      trace: 'https://traces.example/4bf9',
      'proc.cmdline': 'bash',
    })
    expect(row.output).toMatch(/^\[failed\] Shell in a container\nkubernetes:label: succeeded/)
    expect(row.output).toContain('trace: https://traces.example/4bf9')
    expect(row.output).toContain('duration: 42 ms')
  })

  it('of an event has no part of a report', async () => {
    expect(Object.keys(await rowOf(aNotice(), { columns: ['outcome', 'rule'] }))).not.toContain('outcome')
  })
})

describe('the statement', () => {
  it('inserts all rows at once; a column that a row has not gets its default', () => {
    const rows = [new Map([['a', '1']]), new Map<string, string | null>([['b', null]]), new Map([['a', '2'], ['b', '3']])] // prettier-ignore
    expect(insert('"t"', rows)).toEqual({
      text: 'INSERT INTO "t" ("a","b") VALUES ($1,DEFAULT),(DEFAULT,$2),($3,$4)',
      values: ['1', null, '2', '3'],
    })
  })

  it.each([
    ['events', '"events"'],
    ['Falco_Events', '"falco_events"'],
    ['audit.Events', '"audit"."events"'],
    ['audit."My Events"', '"audit"."My Events"'],
  ])('goes to the table %s', async (hypertableName, table) => {
    const { statements, send } = await rigged({ hypertableName })
    await send(aNotice())
    expect(statements[0]?.text).toMatch(`INSERT INTO ${table} ("time","rule",`)
  })

  it('holds no text of an event, whatever it is', async () => {
    const { statements, send } = await rigged()
    for (const { event } of oddEvents()) await send(aNotice({ event }))
    const texts = new Set(statements.map(({ text }) => text))
    expect([...texts].join('')).toMatch(/^[\w "$,()]+$/)
  })

  it('quotes any name so that it stays one', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (name) => {
        const quoted = identifier(name)
        expect(quoted.slice(1, -1).replaceAll('""', '')).not.toContain('"')
        expect(quoted.slice(1, -1).replaceAll('""', '"').toLowerCase()).toBe(name.toLowerCase())
      }),
    )
  })

  it('stays below the number of values that PostgreSQL takes', () => {
    expect((timescaledb.batch ?? 1) * (500 + 7)).toBeLessThan(65_535)
  })
})

const refusing = (bad: (text: string) => boolean, code: string): Run => {
  const permanent = code.startsWith('22')
  return async ({ values }) => {
    if (values.some((value) => bad(String(value)))) throw new YarakError('failed', code, { reason: code, permanent })
  }
}

describe('a batch', () => {
  const notices = ['a', 'bad', 'c'].map((rule) => aNotice({ event: anEvent({ rule }) }))

  it('is one statement, and one span', async () => {
    const { statements, send, io } = await rigged({ hypertableName: 'events', database: 'falco' })
    await send(...notices)
    expect(statements).toHaveLength(1)
    expect(io.spans).toEqual([
      {
        name: 'INSERT events',
        kind: 'client',
        attributes: {
          'db.system.name': 'postgresql',
          'db.operation.name': 'INSERT',
          'db.namespace': 'falco',
          'db.collection.name': 'events',
          'db.operation.batch.size': 3,
        },
      },
    ])
  })

  it('is taken apart for a row that is refused', async () => {
    const { statements, send } = await rigged(
      {},
      refusing((text) => text === 'bad', '22001'),
    )
    await expect(send(...notices)).rejects.toMatchObject({ failed: [{ index: 1, permanent: true, reason: '22001' }] })
    expect(statements).toHaveLength(2)
  })

  it('is kept whole for a failure that may pass', async () => {
    const { statements, send } = await rigged(
      {},
      refusing(() => true, '42P01'),
    )
    const error = await send(...notices).catch((one: unknown) => one as YarakError)
    expect(error).toMatchObject({ permanent: false, failed: undefined })
    expect(statements).toEqual([])
  })
})

/** The little of PostgreSQL's protocol that an INSERT takes. Source: postgresql.org/docs/current, "Message Formats". */
const server = async (how: { login?: string; insert?: () => string | undefined } = {}) => {
  const statements: string[] = []
  const message = (type: string, body = '') => {
    const head = Buffer.alloc(5)
    head.write(type)
    head.writeInt32BE(Buffer.byteLength(body) + 4, 1)
    return Buffer.concat([head, Buffer.from(body)])
  }
  const error = (code: string) => message('E', `SERROR\0VERROR\0C${code}\0Mrefused with ${code}\0\0`)
  const ready = message('Z', 'I')
  const start = (socket: Socket) =>
    socket.write(how.login ? error(how.login) : Buffer.concat([message('R', '\0\0\0\0'), ready]))
  let begun = new WeakSet<Socket>()
  const started = await speak((socket, data) => {
    for (let rest = data; ;) {
      const isFirst = !begun.has(socket)
      const at = isFirst ? 0 : 1
      const size = rest.length < at + 4 ? Infinity : rest.readInt32BE(at)
      if (rest.length < at + size) return rest
      const type = isFirst ? 'start' : String.fromCharCode(rest.readUInt8(0))
      const body = rest.subarray(at + 4, at + size).toString()
      rest = rest.subarray(at + size)
      if (type === 'start') {
        begun = begun.add(socket)
        start(socket)
      }
      if (type === 'P') statements.push(body.split('\0')[1] ?? '')
      if (type !== 'S') continue
      const answer = how.insert?.()
      if (answer === 'drop') return (socket.destroy(), Buffer.alloc(0))
      const done = [message('1'), message('2'), message('n'), message('C', 'INSERT 0 1\0')]
      socket.write(Buffer.concat([...(answer ? [error(answer)] : done), ready]))
    }
  })
  return Object.assign(started, { statements })
}

const real = (port: number, more: object = {}) =>
  opened(timescaledb, { host: '127.0.0.1', port, password: 'hush-hush', ...more })

describe('the client', () => {
  it('inserts, over one connection', async () => {
    await using at = await server()
    const { send, sender } = await real(at.port)
    await send(aNotice(), aNotice())
    await send(aNotice())
    await sender.close?.()
    expect(at.counts.connections).toBe(1)
    expect(at.statements[0]).toMatch(/^INSERT INTO "falcosidekick_events" \("time".*\$14\)$/)
  })

  it.each([
    ['22007', true],
    ['23514', true],
    ['54000', true],
    ['42P01', false],
    ['42703', false],
    ['42501', false],
    ['53100', false],
  ])('knows whether SQLSTATE %s may pass', async (code, permanent) => {
    let refused = true
    await using at = await server({ insert: () => (refused ? code : undefined) })
    const { send, sender } = await real(at.port)
    const reason = `sql-${code.toLowerCase()}`
    await expect(send(aNotice())).rejects.toMatchObject({ code: 'failed', permanent, reason })
    refused = false
    await send(aNotice())
    await sender.close?.()
    expect(at.counts.connections).toBe(1)
  })

  it.each(['57P01', 'drop'])('connects again after the server has ended it: %s', async (end) => {
    let ended = false
    await using at = await server({ insert: () => (ended ? undefined : ((ended = true), end)) })
    const { send, sender } = await real(at.port)
    await expect(send(aNotice())).rejects.toMatchObject({ code: 'unavailable', permanent: false })
    await send(aNotice())
    await sender.close?.()
    expect(at.counts.connections).toBe(2)
  })

  it.each([
    ['28P01', 'authentication'],
    ['28000', 'authentication'],
    ['3D000', 'no-database'],
  ])('says when it is not let in: %s', async (login, reason) => {
    await using at = await server({ login })
    const { send } = await real(at.port)
    const error = await send(aNotice()).catch((one: unknown) => one as YarakError)
    expect(error).toMatchObject({ code: 'unavailable', reason, permanent: false })
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
  it('have the defaults of Falcosidekick', () => {
    expect(timescaledb.config.parse({ host: 'db' })).toMatchObject({
      ...{ port: 5_432, user: 'postgres', password: 'postgres', database: 'falcosidekick' },
      ...{ hypertableName: 'falcosidekick_events', columns: [] },
    })
  })

  it.each([
    [{}, /host is required/],
    [{ host: 'db', port: '5432' }, /port must be a number, not a string/],
    [{ host: 'db', hypertableName: 'events; DROP TABLE x' }, /must be the name of a table/],
    [{ host: 'db', hypertableName: 'a"b' }, /must be the name of a table/],
    [{ host: 'db', columns: ['a\u0000b'] }, /name of a field/],
    [{ host: 'db', columns: Array.from({ length: 501 }, (_, i) => `c${i}`) }, /columns/],
  ])('refuse %j', (config, message) => {
    expect(() => timescaledb(config as never)).toThrow(message)
  })
})
