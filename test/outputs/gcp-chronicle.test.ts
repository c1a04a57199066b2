import { describe, expect, it } from 'vitest'
import { gcpChronicle } from '../../outputs/gcp-chronicle.ts'
import type { YarakError } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport } from '../../src/testing.ts'
import { BIG, rejection } from './_fake-aws.ts'
import { decoded, googleFault, googleRig } from './_fake-google.ts'

interface Log {
  readonly data: string
  readonly logEntryTime: string
  readonly collectionTime: string
}
interface Body {
  readonly inlineSource: { readonly logs: readonly Log[] }
}

const config = { projectId: 'secops', instanceId: '01234567-89ab', region: 'europe-west3' }

const rig = (more: object = {}, answer?: Parameters<typeof googleRig>[2]) =>
  googleRig(gcpChronicle, { ...config, ...more }, answer)

const logsIn = (body: string): readonly Log[] => (JSON.parse(body) as Body).inlineSource.logs

describe('gcp.chronicle', () => {
  // https://cloud.google.com/chronicle/docs/reference/rest/v1beta/projects.locations.instances.logTypes.logs/import
  it('imports events as raw logs', async () => {
    const { io, send, only } = await rig()
    await send(aNotice({ event: anEvent({ output_fields: { 'evt.time': BIG } }) }))
    const { method, url, body } = only()
    expect([method, url]).toEqual([
      'POST',
      'https://chronicle.europe-west3.rep.googleapis.com/v1beta/projects/secops/locations/europe-west3/instances/01234567-89ab/logTypes/FALCO_IDS/logs:import',
    ])
    const [log = expect.fail()] = logsIn(body)
    expect(Object.keys(JSON.parse(body) as object)).toEqual(['inlineSource'])
    expect(Object.keys(log)).toEqual(['data', 'logEntryTime', 'collectionTime'])
    expect(decoded(log.data)).toContain(`"evt.time":${BIG}`)
    expect(log.logEntryTime).toBe('2026-01-31T12:00:00.123456789Z')
    expect(io.spans.map(({ name }) => name)).toEqual(['POST /v1beta/{instance}/logTypes/{logType}/logs:import'])
  })

  it('has collected it after it happened, whatever the clock of the sender says', async () => {
    const { send, only } = await rig()
    await send(aNotice(), aNotice({ event: anEvent({ time: '2999-01-01T00:00:00Z' }) }))
    const logs = logsIn(only().body)
    for (const { logEntryTime, collectionTime } of logs) {
      expect(Date.parse(collectionTime)).toBeGreaterThan(Date.parse(logEntryTime))
    }
    expect(logs[1]?.collectionTime).toBe('2999-01-01T00:00:01.000Z')
  })

  it('imports a report with the time when the response began', async () => {
    const { send, only } = await rig({ logType: 'YARAK', endpoint: 'http://fake:1/' })
    await send(aNotice({ report: aReport() }))
    expect(only().url).toMatch(/^http:\/\/fake:1\/v1beta\/.*\/logTypes\/YARAK\/logs:import$/)
    const [log] = logsIn(only().body)
    expect(log?.logEntryTime).toBe('2026-01-31T12:00:00.200Z')
    expect(JSON.parse(decoded(log?.data))).toMatchObject({ response: { outcome: 'succeeded' } })
  })

  it('imports many at once, in requests of less than 1 MB', async () => {
    const { io, send } = await rig()
    await send(...Array.from({ length: 5 }, () => aNotice({ event: anEvent({ output: 'x'.repeat(300_000) }) })))
    expect(io.requests.map(({ body }) => logsIn(body).length)).toEqual([2, 2, 1])
    expect(Math.max(...io.requests.map(({ body }) => body.length))).toBeLessThan(1_000_000)
  })

  it('cuts what is too large by itself', async () => {
    const { send, only } = await rig()
    await send(aNotice({ event: anEvent({ output: 'x'.repeat(4_000_000) }) }))
    expect(only().body.length).toBeLessThan(1_000_000)
    expect(JSON.parse(decoded(logsIn(only().body)[0]?.data))).toMatchObject({ truncated: true })
  })

  it('tries each alone when the import is refused for what is in it', async () => {
    const { send } = await rig({}, ({ body }) =>
      logsIn(body).some(({ data }) => decoded(data).includes('poison'))
        ? googleFault(400, 'INVALID_ARGUMENT')
        : undefined,
    )
    const error = await rejection(send(aNotice(), aNotice({ event: anEvent({ output: 'poison' }) })))
    expect((error as YarakError).failed).toMatchObject([{ index: 1, permanent: true }])
  })

  it.each([
    [429, false, 3_000],
    [503, false, 3_000],
    [403, true, 3_000],
  ])('is refused with %s: permanent %s', async (code, permanent, retryAfter) => {
    const { send } = await rig({}, () => ({ ...googleFault(code, 'X'), headers: { 'retry-after': '3' } }))
    expect(await rejection(send(aNotice()))).toMatchObject({ permanent, retryAfter })
  })

  it.each(['projectId', 'instanceId', 'region', 'logType'])('refuses a path in %s', (name) =>
    expect(() => gcpChronicle({ ...config, [name]: '../x' })).toThrow('must be letters, digits, _ and -'),
  )
})
