import { createHmac } from 'node:crypto'
import { defineOutput, inChunks, type Notice, secret, wholeOrEach, z } from '../src/plugin.ts'
import { azure } from '../src/resources/azure.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { sendParts } from './_parts.ts'
import { payload } from './_payload.ts'
import { jsonWithin } from './_shrink.ts'

const config = z
  .strictObject({
    namespace: z
      .string()
      .regex(/^[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$/, 'must be the name or the host of a namespace')
      .describe('The namespace: its name, or its host, e.g. `secops.servicebus.windows.net`.'),
    name: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,255}$/, 'must be the name of an event hub')
      .describe('Name of the event hub.'),
    sharedAccessKeyName: z
      .string()
      .min(1)
      .optional()
      .describe('Name of a shared access policy with the claim Send. Default: the identity of `resources: azure`.'),
    sharedAccessKey: secret().optional().describe('Key of the shared access policy.'),
  })
  .refine(
    ({ sharedAccessKeyName, sharedAccessKey }) =>
      (sharedAccessKeyName === undefined) === (sharedAccessKey === undefined),
    'needs sharedAccessKeyName and sharedAccessKey together',
  )

type Settings = z.output<typeof config>

/** Bytes of one publication, of the 1 MB (1,048,576) that the tiers from Standard on take. */
const MAX_BYTES = 1_000_000

const AUDIENCE = 'https://eventhubs.azure.net'

interface Message {
  readonly Body: string
  readonly UserProperties?: object
}

/** The event is a text within JSON: its quotes and backslashes are escaped once more, so at most twice its bytes. */
const messageOf = (notice: Notice): Message => {
  const event = payload(notice)
  const whole = { Body: jsonWithin(event, MAX_BYTES) }
  const fits = sizeOf(whole) < MAX_BYTES - 1_024
  return {
    Body: fits ? whole.Body : jsonWithin(event, MAX_BYTES / 2 - 1_024),
    ...(notice.traceparent && { UserProperties: { traceparent: notice.traceparent } }),
  }
}

const sizeOf = (message: Message): number => Buffer.byteLength(JSON.stringify(message)) + 1

const hostOf = ({ namespace }: Settings): string =>
  (namespace.includes('.') ? namespace : `${namespace}.servicebus.windows.net`).toLowerCase()

/** Seconds that a token made of a key holds. */
const LASTS = 3_600

/** Source: "Generate SAS token" of the REST reference of Event Hubs. */
const sasToken = (resource: string, name: string, key: string): string => {
  const uri = encodeURIComponent(resource)
  const expiry = Math.floor(Date.now() / 1_000) + LASTS
  const signature = createHmac('sha256', key).update(`${uri}\n${expiry}`).digest('base64')
  return `SharedAccessSignature sr=${uri}&sig=${encodeURIComponent(signature)}&se=${expiry}&skn=${encodeURIComponent(name)}`
}

/**
 * Sends notices to an event hub of Azure Event Hubs, many in one request.
 *
 * Source: the `azureeventhub` output of Falcosidekick 2.x (`outputs/azure.go`); "Send batch events" of the REST reference
 * of Event Hubs.
 * @example azureEventhub({ namespace: 'secops.servicebus.windows.net', name: 'falco' })
 */
export const azureEventhub = defineOutput({
  type: 'azure.eventhub',
  summary: 'Sends the event to an event hub of Azure Event Hubs.',
  notes: `
By HTTPS, not by AMQP. The body of an event is what \`webhook\` sends; for the report of a response with the member
\`response\`. The trace goes along as the property \`traceparent\`. An event is cut, with \`truncated: true\`, where the
request would be over 1 MB; the tier Basic takes 256 KB, and refuses what is over it.

Without a shared access key it is the identity of \`resources: azure\`, which needs the role Azure Event Hubs Data Sender.

Differences from Falcosidekick: an event is sent once, where Falcosidekick sends each twice; by HTTPS; many events are
one request; a shared access key may be set, and the namespace by its name alone.
`.trim(),
  config,
  http: true,
  batch: 500,
  kind: 'producer',
  async open(settings, io) {
    const resource = `https://${hostOf(settings)}/${settings.name}`
    const { sharedAccessKeyName: name, sharedAccessKey: key } = settings
    const identity = name === undefined ? await io.use(azure) : undefined
    const authorization = async () =>
      identity ? identity.authorization(AUDIENCE) : sasToken(resource.toLowerCase(), name ?? '', key ?? '')
    const post = async (messages: readonly Message[], signal: AbortSignal): Promise<void> => {
      const headers = {
        authorization: await authorization(),
        'content-type': 'application/vnd.microsoft.servicebus.json',
      }
      const url = `${resource}/messages?timeout=60&api-version=2014-01`
      await io.http({ url, template: '/{name}/messages', headers, body: messages }, signal)
    }
    return {
      send(notices, signal) {
        const parts = inChunks(notices.map(messageOf), { count: 500, size: MAX_BYTES }, sizeOf)
        return sendParts(parts, (part) => wholeOrEach(part, (some) => post(some, signal)))
      },
    }
  },
  example: {
    config: {
      namespace: 'secops.servicebus.windows.net',
      name: 'falco',
      sharedAccessKeyName: 'yarak',
      sharedAccessKey: 'ZmFsY28tZXZlbnRzLXNoYXJlZC1hY2Nlc3Mta2V5',
    },
    sends: {
      url: 'https://secops.servicebus.windows.net/falco/messages?timeout=60&api-version=2014-01',
      body: [
        {
          Body: JSON.stringify(EXAMPLE_BODY),
          UserProperties: { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' },
        },
      ],
    },
  },
})
