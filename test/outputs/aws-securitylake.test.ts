import { createHash } from 'node:crypto'
import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import { describe, expect, it } from 'vitest'
import { finding } from '../../outputs/_aws-ocsf.ts'
import { parquetOf } from '../../outputs/_parquet-findings.ts'
import { awsSecuritylake } from '../../outputs/aws-securitylake.ts'
import { type HttpRequest, type Notice, PRIORITIES } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport, type Answers, testIo } from '../../src/testing.ts'
import { oddEvents } from '../../src/testing/samples.ts'
import { BIG, KEYS, NEVER, rejection } from './_fake-aws.ts'

const config = {
  bucket: 'aws-security-data-lake-eu-central-1-abcdefgh',
  prefix: 'ext/falco',
  region: 'eu-central-1',
  accountId: '123456789012',
  ...KEYS,
}

/** The recorder keeps texts: the bytes are taken before they get there. */
const rig = async (more: object = {}, answer: Answers = {}) => {
  const io = testIo({ answer })
  const files: Uint8Array[] = []
  const http = (request: HttpRequest, signal?: AbortSignal) => {
    files.push(request.body as Uint8Array)
    return io.http(request, signal)
  }
  const sender = await awsSecuritylake.open(awsSecuritylake.config.parse({ ...config, ...more }), { ...io, http })
  return { io, files, send: (...notices: Notice[]) => sender.send(notices, NEVER) }
}

const bufferOf = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer

const read = (bytes: Uint8Array) => parquetReadObjects({ file: bufferOf(bytes) })

const on = (day: string, id = day) => aNotice({ id, event: anEvent({ time: `${day}T12:00:00Z` }) })

const HOST = 'https://aws-security-data-lake-eu-central-1-abcdefgh.s3.eu-central-1.amazonaws.com'

describe('aws.securitylake', () => {
  // https://docs.aws.amazon.com/security-lake/latest/userguide/custom-sources.html: the partitions of a custom source.
  it('writes a file for the day, with its checksum and ACL', async () => {
    const { io, files, send } = await rig()
    await send(aNotice(), aNotice({ id: 'another' }))
    const [{ method, url, headers } = expect.fail()] = io.requests
    expect(method).toBe('PUT')
    expect(decodeURIComponent(url)).toMatch(
      new RegExp(
        `^${HOST}/ext/falco/region=eu-central-1/accountId=123456789012/eventDay=20260131/[0-9a-f]{32}\\.parquet$`,
      ),
    )
    const [bytes = expect.fail()] = files
    expect(headers).toMatchObject({
      'content-type': 'Apache Parquet',
      'x-amz-acl': 'bucket-owner-full-control',
      'x-amz-checksum-sha256': createHash('sha256').update(bytes).digest('base64'),
      'x-amz-content-sha256': createHash('sha256').update(bytes).digest('hex'),
    })
    expect(await read(bytes)).toHaveLength(2)
  })

  it('writes a file for each day, by the time of the events in UTC', async () => {
    const { io, files, send } = await rig()
    const early = aNotice({ event: anEvent({ time: '2026-02-01T00:30:00+01:00' }) })
    await send(on('2026-01-31', 'a'), on('2026-02-01', 'b'), early)
    const days = io.requests.map(({ url }) => /eventDay%3D(\d+)|eventDay=(\d+)/.exec(url)?.slice(1).join(''))
    expect(days).toEqual(['20260131', '20260201'])
    expect(await Promise.all(files.map(async (one) => (await read(one)).length))).toEqual([2, 1])
  })

  it('gives the same file the same name when it is sent again, and another one another', async () => {
    const { io, send } = await rig()
    await send(on('2026-01-31'))
    await send(on('2026-01-31'))
    await send(on('2026-01-31', 'another'))
    const names = io.requests.map(({ url }) => url)
    expect([names[0] === names[1], names[0] === names[2]]).toEqual([true, false])
  })

  it('tells which events are not in the lake when the file of a day was refused', async () => {
    const { send } = await rig({}, ({ url }) => (url.includes('20260201') ? { status: 503, body: 'SlowDown' } : {}))
    expect(await rejection(send(on('2026-02-01', 'a'), on('2026-01-31', 'b'), on('2026-02-01', 'c')))).toMatchObject({
      permanent: false,
      failed: [
        { index: 0, permanent: false, reason: '503' },
        { index: 2, permanent: false, reason: '503' },
        { index: 1, permanent: false, reason: '503' },
      ],
    })
    const later = await rig({}, ({ url }) => (url.includes('20260201') ? { status: 403 } : {}))
    expect(await rejection(later.send(on('2026-01-31', 'a'), on('2026-02-01', 'b')))).toMatchObject({
      permanent: true,
      failed: [{ index: 1, permanent: true }],
    })
  })

  it('writes several files of a day where the events are large', async () => {
    const { io, send } = await rig()
    const large = (id: string) => aNotice({ id, event: anEvent({ output: 'x'.repeat(11_500_000) }) })
    await send(large('a'), large('b'), large('c'))
    expect(new Set(io.requests.map(({ url }) => url)).size).toBe(2)
  })

  it('collects as long and as many as it is set to', () => {
    const batching = (more: object) => awsSecuritylake.batching?.(awsSecuritylake.config.parse({ ...config, ...more }))
    expect(batching({})).toEqual({ batch: 1_000, linger: 300_000 })
    expect(batching({ interval: '1h', batchSize: 50 })).toEqual({ batch: 50, linger: 3_600_000 })
  })

  it.each([
    [{ interval: '4m' }, 'must be from 5m to 60m'],
    [{ interval: '61m' }, 'must be from 5m to 60m'],
    [{ prefix: '/' }, 'must not be empty'],
    [{ bucket: 'a/b' }, 'name of a bucket'],
    [{ accountId: '../x' }, 'id of an account'],
  ])('refuses %j', (more, message) => expect(() => awsSecuritylake({ ...config, ...more })).toThrow(message))

  it('writes to another store by path', async () => {
    const { io, send } = await rig({ endpoint: 'http://store:9000/' })
    await send(aNotice())
    expect(io.requests[0]?.url.startsWith(`http://store:9000/${config.bucket}/ext/falco/`)).toBe(true)
  })
})

/** What a reader of the file gets for a notice. */
const row = async (notice: Notice): Promise<Record<string, unknown>> =>
  (await read(await parquetOf([finding(notice)])))[0] ?? expect.fail()

describe('a finding', () => {
  // https://schema.ocsf.io/0.1.0/classes/security_finding, and OCSFSecurityFinding of Falcosidekick's awssecuritylake.go.
  it('of an event is new', async () => {
    const event = anEvent({ output_fields: { 'proc.name': 'bash', 'proc.pid': 7 }, tags: ['a', 'b'], uuid: 'my-uuid' })
    const { raw_data, ...rest } = await row(aNotice({ event }))
    expect(rest).toEqual({
      activity_id: 1,
      activity_name: 'Generate',
      category_name: 'Findings',
      category_uid: 2,
      classname: 'Security Finding',
      class_uid: 2001,
      finding: {
        created_time: 1_769_860_800_123n,
        desc: event.output,
        title: 'Terminal shell in container',
        types: ['syscall'],
        uid: 'my-uuid',
      },
      message: 'Terminal shell in container',
      metadata: {
        version: '0.1.0',
        product: { vendor_name: 'Falcosecurity', name: 'Falco' },
        labels: ['a', 'b'],
      },
      observables: [
        { name: 'hostname', type: 'Other', type_id: 0, value: 'node-1' },
        { name: 'proc.name', type: 'Other', type_id: 0, value: 'bash' },
        { name: 'proc.pid', type: 'Other', type_id: 0, value: '7' },
      ],
      severity: 'Low',
      severity_id: 2,
      state: 'New',
      state_id: 1,
      status: 'Notice',
      time: 1_769_860_800_123n,
      type_name: 'Security Finding: Generate',
      type_uid: 200_101,
    })
    expect(JSON.parse(String(raw_data))).toMatchObject({ uuid: 'my-uuid', output_fields: { 'proc.pid': 7 } })
  })

  it('keeps every digit in its texts', async () => {
    const { raw_data, observables } = await row(aNotice({ event: anEvent({ output_fields: { 'evt.time': BIG } }) }))
    expect(raw_data).toContain(`"evt.time":${BIG}`)
    expect(observables).toContainEqual({ name: 'evt.time', type: 'Other', type_id: 0, value: String(BIG) })
  })

  it('has every field that is not null as an observable', () => {
    const event = anEvent({ hostname: null, output_fields: { a: null, b: false, c: ['x', { y: 1 }], d: '' } })
    expect(finding(aNotice({ event })).observables.map(({ name, value }) => `${name}=${value}`)).toEqual([
      'b=false',
      'c=["x",{"y":1}]',
      'd=',
    ])
  })

  it.each([
    ['Emergency', 6, 'Fatal'],
    ['Alert', 6, 'Fatal'],
    ['Critical', 5, 'Critical'],
    ['Error', 4, 'High'],
    ['Warning', 3, 'Medium'],
    ['Notice', 2, 'Low'],
    ['Informational', 1, 'Informational'],
    ['Debug', 1, 'Informational'],
  ])('of %s has severity %s %s', (priority, severity_id, severity) => {
    expect(finding(aNotice({ event: anEvent({ priority }) }))).toMatchObject({
      severity_id,
      severity,
      status: priority,
    })
    expect(PRIORITIES).toContain(priority)
  })

  it.each([
    [{ mode: 'enforce', outcome: 'succeeded' }, 'Resolved', 4],
    [{ mode: 'enforce', outcome: 'gone' }, 'Resolved', 4],
    [{ mode: 'observe', outcome: 'succeeded' }, 'In Progress', 2],
    [{ mode: 'enforce', outcome: 'failed' }, 'In Progress', 2],
  ] as const)('of a response %j is %s', async (report, state, state_id) => {
    const notice = aNotice({ report: aReport(report) })
    const shown = await row(notice)
    expect(shown).toMatchObject({
      activity_id: 2,
      activity_name: 'Update',
      type_uid: 200_102,
      message: `[${report.outcome}] Shell in a container`,
      finding: { uid: notice.event.id, title: 'Terminal shell in container' },
      state,
      state_id,
      time: BigInt(Date.parse('2026-01-31T12:00:00.200Z')),
    })
    expect(JSON.parse(String(shown.raw_data))).toMatchObject({ response: { outcome: report.outcome } })
  })
})

/** In UTF-8 there are no lone surrogates. */
const wellFormed = (value: unknown): unknown => {
  if (typeof value === 'string') return value.toWellFormed()
  if (Array.isArray(value)) return value.map(wellFormed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, wellFormed(inner)]))
}

describe('the Parquet file', () => {
  it('has the columns in their order, none optional, lists of three levels', async () => {
    const { schema, created_by } = parquetMetadata(bufferOf(await parquetOf([finding(aNotice())])))
    expect(created_by).toBe('yarak')
    expect(schema.map(({ name, num_children: children }) => (children ? `${name}(${children})` : name)).join(' ')).toBe(
      'root(19) activity_id activity_name category_name category_uid classname class_uid ' +
        'finding(5) created_time desc title types(1) list(1) element uid message ' +
        'metadata(3) version product(2) vendor_name name labels(1) list(1) element ' +
        'observables(1) list(1) element(4) name type type_id value ' +
        'raw_data severity severity_id state state_id status time type_name type_uid',
    )
    expect(
      schema.slice(1).filter(({ name, repetition_type: how }) => how !== (name === 'list' ? 'REPEATED' : 'REQUIRED')),
    ).toEqual([])
  })

  it('gives back what was written, also of odd events', async () => {
    const findings = oddEvents().map(({ event }) => finding(aNotice({ event })))
    const rows = await read(await parquetOf(findings))
    expect(rows).toEqual(findings.map(wellFormed))
  })

  it('holds a thousand findings', async () => {
    const rows = await read(
      await parquetOf(Array.from({ length: 1_000 }, (_, i) => finding(on('2026-01-31', `n${i}`)))),
    )
    expect(rows).toHaveLength(1_000)
  })
})
