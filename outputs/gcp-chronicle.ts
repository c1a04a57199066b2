import { defineOutput, inChunks, type Notice, wholeOrEach, z } from '../src/plugin.ts'
import { googleOf, googleSettings } from '../src/resources/google.ts'
import { sendParts } from './_parts.ts'
import { payload } from './_payload.ts'
import { serverUrl } from './_settings.ts'
import { jsonWithin } from './_shrink.ts'

const name = () => z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_-]*$/, 'must be letters, digits, _ and -')

const config = z.strictObject({
  projectId: name().describe('Id of the project.'),
  instanceId: name().describe('Id of the instance, which is that of the customer.'),
  region: name().describe('Region of the instance, e.g. `us` or `europe-west3`.'),
  logType: name().default('FALCO_IDS').describe('Type of the logs. Default FALCO_IDS.'),
  endpoint: serverUrl()
    .optional()
    .describe('Address of the service. Default `https://chronicle.<region>.rep.googleapis.com`.'),
  ...googleSettings,
})

/** Of one request: logs, and bytes of its body. The reference tells no limit; that of the Ingestion API before it is 1 MB. */
const REQUEST = { count: 1_000, size: 950_000 }
/** Bytes of data that are within a request when they are in Base64. */
const MAX_DATA = 700_000

interface Log {
  readonly data: string
  readonly logEntryTime: string
  readonly collectionTime: string
}

const logOf = (notice: Notice): Log => {
  const time = notice.report?.startedAt ?? notice.event.time
  return {
    data: Buffer.from(jsonWithin(payload(notice), MAX_DATA)).toString('base64'),
    logEntryTime: time,
    collectionTime: collectionTime(Date.parse(time), Date.now()),
  }
}

/** It must be after the time of the entry. */
const collectionTime = (entry: number, now: number): string => new Date(now > entry ? now : entry + 1_000).toISOString()

/**
 * Imports notices as raw logs into Google Security Operations (Chronicle), many in one request.
 *
 * Source: the `gcpchronicle` output of Falcosidekick 2.x (`outputs/gcp.go`); `logs.import` of the Chronicle API, v1beta.
 * @example gcpChronicle({ projectId: 'secops', instanceId: '0123…', region: 'europe-west3' })
 */
export const gcpChronicle = defineOutput({
  type: 'gcp.chronicle',
  summary: 'Imports the event as a log into Google Security Operations (Chronicle).',
  notes: `
The data of a log is the event as \`webhook\` sends it, its time the event's. The report of a response is a log with the
member \`response\` and the time when the response began. A log of more than 700 kB is cut, with \`truncated: true\`.

Credentials come from \`resources: google\` unless they are set here; they need \`chronicle.logs.import\`.

Differences from Falcosidekick: \`logEntryTime\` has every digit, where Falcosidekick leaves fractions out; many logs are
one request.
`.trim(),
  config,
  http: true,
  batch: 1_000,
  linger: 1_000,
  async open(settings, io) {
    const google = await googleOf(settings, io)
    const { projectId, instanceId, region, logType, endpoint } = settings
    const origin = (endpoint ?? `https://chronicle.${region}.rep.googleapis.com`).replace(/\/+$/, '')
    const parent = `projects/${projectId}/locations/${region}/instances/${instanceId}`
    const url = `${origin}/v1beta/${parent}/logTypes/${logType}/logs:import`
    const template = '/v1beta/{instance}/logTypes/{logType}/logs:import'
    const post = async (logs: readonly Log[], signal: AbortSignal): Promise<void> => {
      const headers = { authorization: await google.authorization() }
      await io.http({ url, template, headers, body: { inlineSource: { logs } } }, signal)
    }
    return {
      send(notices, signal) {
        const parts = inChunks(notices.map(logOf), REQUEST, (one) => JSON.stringify(one).length)
        return sendParts(parts, (part) => wholeOrEach(part, (some) => post(some, signal)))
      },
    }
  },
  example: {
    config: { projectId: 'secops', instanceId: '01234567-89ab-cdef-0123-456789abcdef', region: 'europe-west3' },
  },
})
