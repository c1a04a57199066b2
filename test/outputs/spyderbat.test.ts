import { describe, expect, it } from 'vitest'
import { spyderbat } from '../../outputs/spyderbat.ts'
import type { HttpRequest, Notice, Outcome, YarakError } from '../../src/plugin.ts'
import { aNotice, anEvent, type Answers, aReport, testIo } from '../../src/testing.ts'
import { falcosidekickSent } from './_falcosidekick.ts'
import { sent } from './_hosted.ts'

const ORG = { orgUid: 'org1', apiKey: 'secret-key' }
const SOURCES = 'https://api.spyderbat.com/api/v1/org/org1/source/'
const DATA = `${SOURCES}falcosidekick_org1/data/sb-agent`

const here: Answers = { body: [{ uid: 'other' }, null, { uid: 'falcosidekick_org1' }] }

/** What is sent once the source is there, before it is compressed. */
const dataFor = async (notices: readonly Notice[]): Promise<HttpRequest[]> => {
  const requests: HttpRequest[] = []
  const io = testIo({ answer: here })
  const http: typeof io.http = (request, signal) => {
    requests.push(request)
    return io.http({ ...request, compression: 'none' }, signal)
  }
  const sender = await spyderbat.open(spyderbat.config.parse(ORG), { ...io, http })
  await sender.send(notices, new AbortController().signal)
  return requests.slice(1)
}

const textOf = (body: HttpRequest['body']): string => (typeof body === 'string' ? body : expect.fail('no text'))

const recordsOf = (requests: readonly HttpRequest[]) =>
  requests
    .flatMap(({ body }) => textOf(body).trimEnd().split('\n'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)

const record = async (notice: Notice) => recordsOf(await dataFor([notice]))[0]

const withMembers = (members: object) => record(aNotice({ event: anEvent(members as Record<string, unknown>) }))

/** An answer for each request in turn. */
const inTurn = (...answers: readonly Exclude<Answers, (...args: never) => unknown>[]): Answers => {
  const left = [...answers]
  return () => left.shift() ?? {}
}

describe('spyderbat', () => {
  // Falcosidekick sends nothing for an event without evt.time or proc.pid
  it.each(falcosidekickSent('spyderbat').exchanges.filter(({ requests }) => requests.length > 0))(
    'sends what Falcosidekick sends, $name',
    async ({ notice, requests: [theirs] }) => {
      const { 'content-encoding': compression, ...headers } = theirs?.headers ?? {}
      const [mine] = await dataFor([notice])
      expect(mine).toMatchObject({ url: `https://api.spyderbat.com${theirs?.path}`, headers, compression })
      // of the moment, and of the machine
      const moment = { orc_time: expect.any(Number) as number, monotonic_time: expect.any(Number) as number }
      expect(recordsOf(mine ? [mine] : [])).toEqual([{ ...(JSON.parse(theirs?.body ?? '') as object), ...moment }])
    },
  )

  it('has the members of an alert in their order', async () => {
    const fields = {
      'evt.time': 1769860800123456789n,
      'proc.pid': 4711,
      'proc.cmdline': 'bash -i',
      'container.id': 'c1',
    }
    const output = '12:00:00.123456789: Notice A shell was spawned (user=root)'
    const told = await withMembers({ output, output_fields: fields })
    expect(told).toMatchObject({
      schema: 'falco_alert::1.0.0',
      id: anEvent().id,
      time: 1769860800,
      pid: 4711,
      level: 'low',
      msg: ['A', 'shell', 'was', 'spawned', '(user=root)'],
      args: 'bash -i',
      container: 'c1',
    })
    expect(Object.keys(told ?? {})).toEqual([
      ...['schema', 'id', 'monotonic_time', 'orc_time', 'time', 'pid', 'level', 'msg', 'args', 'container'],
    ])
    expect(Number.isInteger(told?.monotonic_time)).toBe(true)
    expect(typeof told?.orc_time).toBe('number')
  })

  it.each([
    ['Emergency', 'critical'],
    ['Alert', 'high'],
    ['Critical', 'critical'],
    ['Error', 'high'],
    ['Warning', 'medium'],
    ['Notice', 'low'],
    ['Informational', 'info'],
    ['Debug', 'info'],
  ])('gives the priority %s the level %s', async (priority, level) => {
    expect(await withMembers({ priority })).toMatchObject({ level })
  })

  it('sends an alert without time and pid, with those of the event and none', async () => {
    const told = await withMembers({ output_fields: { 'evt.time': 'noon', 'proc.pid': 'x', 'proc.cmdline': 7 } })
    expect(told).toMatchObject({
      time: Math.floor(Date.parse(anEvent().time) / 1_000),
      pid: 0,
      args: '',
      container: '',
    })
  })

  it.each([
    ['12:00:00.1: Notice A shell', ['A', 'shell']],
    ['2026-01-31T12:00:00.123456789+0000: Notice A shell', ['A', 'shell']],
    ['A shell was spawned', ['A', 'shell', 'was', 'spawned']],
    ['12:00:00.1: Warning A shell', ['A', 'shell']],
    ['Notice: A shell', ['Notice:', 'A', 'shell']],
    ['x', ['x']],
  ])('makes words of %j', async (output, msg) => {
    expect((await withMembers({ output }))?.msg).toEqual(msg)
  })

  it.each<[Outcome, string]>([
    ['succeeded', 'info'],
    ['refused', 'medium'],
    ['failed', 'high'],
  ])('tells of a response that %s by an alert of the level %s', async (outcome, level) => {
    const told = await record(aNotice({ report: aReport({ outcome }) }))
    expect(told).toMatchObject({ id: '7d0f4a2c9b1e', level, time: 1769860800, pid: 4711 })
    expect((told?.msg as string[]).join(' ')).toContain(`[${outcome}] Shell in a container kubernetes:label: succeeded`)
  })

  it('sends many alerts by one compressed request, cut into lines', async () => {
    const notices = Array.from({ length: 100 }, (_, i) =>
      aNotice({ event: anEvent({ uuid: `u${i}`, output: 'a\nb' }) }),
    )
    const requests = await dataFor(notices)
    expect(requests).toMatchObject([
      {
        url: DATA,
        compression: 'gzip',
        headers: { 'content-type': 'application/ndjson', authorization: 'Bearer secret-key' },
      },
    ])
    expect(recordsOf(requests).map(({ id }) => id)).toEqual(notices.map(({ event }) => event.uuid))
  })

  it('cuts what is too long', async () => {
    const notices = Array.from({ length: 60 }, () =>
      aNotice({ event: anEvent({ output: 'x'.repeat(1e6), output_fields: { 'proc.cmdline': 'y'.repeat(1e6) } }) }),
    )
    const requests = await dataFor(notices)
    for (const { body } of requests) expect(Buffer.byteLength(textOf(body))).toBeLessThanOrEqual(1_000_000)
    expect(recordsOf(requests)).toHaveLength(60)
  })

  it('makes the source when it is not there', async () => {
    const config = { ...ORG, source: 'mine', sourceDescription: 'here' }
    const { requests } = await sent(spyderbat, config, [aNotice()], inTurn({ body: [{ uid: 'other' }] }))
    expect(requests.map(({ method, url }) => `${method} ${url}`)).toEqual([
      `GET ${SOURCES}`,
      `POST ${SOURCES}`,
      `POST ${DATA}`,
    ])
    expect(JSON.parse(requests[1]?.body ?? '')).toEqual({
      name: 'mine',
      description: 'here',
      uid: 'falcosidekick_org1',
    })
    for (const { headers } of requests) expect(headers.authorization).toBe('Bearer secret-key')
  })

  it.each<Answers>([{}, { body: 'null' }, { body: [] }, { body: [null, 7, 'x'] }])(
    'makes it after the answer %j',
    async (answer) => {
      const { requests } = await sent(spyderbat, ORG, [aNotice()], inTurn({ body: '[]', ...(answer as object) }))
      expect(requests).toHaveLength(3)
    },
  )

  it('makes no source when it is there, also when somebody else made it meanwhile', async () => {
    expect((await sent(spyderbat, ORG, [aNotice()], here)).requests).toHaveLength(2)
    const raced = await sent(spyderbat, ORG, [aNotice()], inTurn({ body: [] }, { status: 400 }, here))
    expect(raced.error).toBeUndefined()
    expect(raced.requests).toHaveLength(4)
  })

  const openError = (answer: Answers): Promise<YarakError> =>
    (async () => spyderbat.open(spyderbat.config.parse(ORG), testIo({ answer })))().then(
      () => expect.fail('it opened'),
      (error: unknown) => error as YarakError,
    )

  it('says why the source cannot be made, and no secret', async () => {
    expect(
      await openError(inTurn({ body: [] }, { status: 400, body: 'bad key secret-key' }, { body: [] })),
    ).toMatchObject({
      permanent: true,
      message: 'POST https://api.spyderbat.com answered 400: bad key ***',
    })
    expect(await openError({ status: 503 })).toMatchObject({ permanent: false, reason: '503' })
    expect(await openError({ body: '<html>' })).toMatchObject({ permanent: false, reason: 'bad-answer' })
  })

  it.each([
    [429, false],
    [503, false],
    [401, true],
  ])('says what a %i means', async (status, permanent) => {
    const { error } = await sent(spyderbat, ORG, [aNotice()], inTurn(here, { status }))
    expect(error).toMatchObject({ permanent, reason: String(status) })
  })

  it.each([
    [{ apiKey: 'x' }, /orgUid is required/],
    [{ ...ORG, orgUid: 'a/../b' }, /orgUid: must be the uid of an organization/],
    [{ ...ORG, source: 'x'.repeat(33) }, /source/],
    [{ orgUid: 'org1' }, /apiKey is required/],
  ])('refuses %j', (config, message) => {
    expect(() => spyderbat(config as never)).toThrow(message)
  })
})
