import { defineOutput, inChunks, type Notice, wholeOrEach, z } from '../src/plugin.ts'
import { googleOf, googleSettings } from '../src/resources/google.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { sendParts } from './_parts.ts'
import { payload } from './_payload.ts'
import { serverUrl } from './_settings.ts'
import { jsonWithin } from './_shrink.ts'

const config = z.strictObject({
  projectId: z
    .string()
    .regex(/^[a-z0-9.:-]{4,64}$/, 'must be the id of a project')
    .optional()
    .describe('Id of the project of the topic. Default: that of `resources: google`.'),
  topic: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9._~+%-]{2,254}$/, 'must be the name of a topic')
    .describe('Name of the topic.'),
  customAttributes: z
    .record(
      z.string().regex(/^(?!goog).{1,256}$/, 'must be 1 to 256 characters, not beginning with goog'),
      z.string().max(1_024),
    )
    .default({})
    .describe('Attributes that every message has. Default none.'),
  endpoint: serverUrl()
    .default('https://pubsub.googleapis.com')
    .describe('Address of the service. Default https://pubsub.googleapis.com.'),
  ...googleSettings,
})

/** Of one request: messages, and bytes of its body. */
const REQUEST = { count: 1_000, size: 9_500_000 }
/** Bytes of data that are within a request when they are in Base64. */
const MAX_DATA = 7_000_000

interface Message {
  readonly data: string
  readonly attributes: Readonly<Record<string, string>>
}

/** Google's own clients write and read the trace in this attribute. */
const messageOf = (notice: Notice, customAttributes: Readonly<Record<string, string>>): Message => ({
  data: Buffer.from(jsonWithin(payload(notice), MAX_DATA)).toString('base64'),
  attributes: { ...customAttributes, ...(notice.traceparent && { googclient_traceparent: notice.traceparent }) },
})

/**
 * Publishes notices to a topic of Google Cloud Pub/Sub, up to 1,000 in one request.
 *
 * Source: the `gcppubsub` output of Falcosidekick 2.x (`outputs/gcp.go`); `projects.topics.publish` of the Pub/Sub REST
 * reference; "Pub/Sub quotas and limits".
 * @example gcpPubsub({ projectId: 'secops', topic: 'falco', customAttributes: { cluster: 'prod' } })
 */
export const gcpPubsub = defineOutput({
  type: 'gcp.pubsub',
  summary: 'Publishes the event to a topic of Google Cloud Pub/Sub.',
  notes: `
The data of a message is the event as \`webhook\` sends it; for the report of a response with the member \`response\`. The
attributes are \`customAttributes\` and, where the event is traced, \`googclient_traceparent\`, by which Google's clients
go on in the same trace. An event of more than 7 MB is cut, with \`truncated: true\`.

Credentials come from \`resources: google\` unless they are set here; they need \`pubsub.topics.publish\`.

Differences from Falcosidekick: by REST; many messages are one request; the trace is an attribute.
`.trim(),
  config,
  http: true,
  batch: 1_000,
  kind: 'producer',
  async open(settings, io) {
    const google = await googleOf(settings, io)
    const { topic, customAttributes, endpoint } = settings
    const post = async (messages: readonly Message[], signal: AbortSignal): Promise<void> => {
      const project = encodeURIComponent(await google.project(settings.projectId))
      await io.http(
        {
          url: `${endpoint.replace(/\/+$/, '')}/v1/projects/${project}/topics/${encodeURIComponent(topic)}:publish`,
          template: '/v1/projects/{project}/topics/{topic}:publish',
          headers: { authorization: await google.authorization() },
          body: { messages },
        },
        signal,
      )
    }
    return {
      send(notices, signal) {
        const messages = notices.map((notice) => messageOf(notice, customAttributes))
        const parts = inChunks(messages, REQUEST, (one) => JSON.stringify(one).length)
        return sendParts(parts, (part) => wholeOrEach(part, (some) => post(some, signal)))
      },
    }
  },
  example: {
    config: { projectId: 'secops', topic: 'falco', customAttributes: { cluster: 'prod' } },
    sends: {
      url: 'https://pubsub.googleapis.com/v1/projects/secops/topics/falco:publish',
      body: {
        messages: [
          {
            data: Buffer.from(JSON.stringify(EXAMPLE_BODY)).toString('base64'),
            attributes: {
              cluster: 'prod',
              googclient_traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
            },
          },
        ],
      },
    },
  },
})
