/** CloudEvents over HTTP: Knative brokers and whatever else takes them. */
import { defineHttpOutput, z } from '../src/plugin.ts'
import { ceHeaders } from './_cloudevent.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { payload } from './_payload.ts'
import { secretUrl } from './_settings.ts'

/** The attributes that are not extensions. */
const OWN = new Set(['id', 'source', 'specversion', 'type', 'datacontenttype', 'dataschema', 'subject', 'time', 'data'])

const extensionName = () =>
  z
    .string()
    .regex(/^[A-Za-z0-9]{1,20}$/, 'must be the name of an extension: letters and digits, at most 20')
    .refine((name) => !OWN.has(name.toLowerCase()), 'is an attribute that is not to be set')

const config = z.strictObject({
  address: secretUrl().describe('Where to send, e.g. http://broker-ingress.knative-eventing/default/falco.'),
  extensions: z
    .record(extensionName(), z.string().min(1))
    .default({})
    .transform((given) => Object.fromEntries(Object.entries(given).map(([name, value]) => [name.toLowerCase(), value])))
    .describe('Further attributes, for triggers to select by. Default none.'),
})

/**
 * Sends each notice as a CloudEvent 1.0 in binary mode: attributes as `ce-` headers, the event as the body.
 *
 * Source: the `cloudevents` output of Falcosidekick 2.x (`outputs/cloudevents.go`); CloudEvents 1.0.2 and its HTTP
 * binding, https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
 * @example cloudevents({ address: 'http://broker-ingress.knative-eventing/default/falco', extensions: { region: 'eu' } })
 */
export const cloudevents = defineHttpOutput({
  type: 'cloudevents',
  summary: 'Sends the event as a CloudEvent over HTTP, as Knative takes it.',
  notes: `
| Attribute | Of an event | Of the report of a response |
|---|---|---|
| \`id\` | its \`uuid\` | the id of the response |
| \`source\` | \`https://falco.org\` | \`/yarak\` |
| \`type\` | \`falco.rule.output.v1\` | \`falco.response.v1\` |
| \`time\` | its time | when the response began |
| \`rule\` | its rule | the rule that answered |
| \`priority\`, \`eventsource\`, \`hostname\` | its own | those of the event |
| \`outcome\`, \`mode\` | none | those of the response |

The body is the event; for a report with \`response\` and \`trace_url\`. A delivery that is tried again has the same id.

Differences from Falcosidekick: an answer of 4xx or 5xx is a failure; values are percent-encoded as the binding asks for,
and cut after 256 characters; \`time\` is as it came; attributes that would be empty are left out; \`extensions\` cannot replace \`id\`,
\`source\` and the like; redirects are not followed.
`.trim(),
  config,
  request: (notice, { address, extensions }) => ({
    url: address,
    headers: { ...ceHeaders(notice, extensions), 'content-type': 'application/json' },
    body: payload(notice),
  }),
  example: {
    config: { address: 'http://broker-ingress.knative-eventing/default/falco', extensions: { region: 'eu' } },
    sends: { url: 'http://broker-ingress.knative-eventing/default/falco', body: EXAMPLE_BODY },
  },
})
