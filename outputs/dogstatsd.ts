/** DogStatsD of the Datadog agent: events and responses as counts with tags. */
import { datagramsOf, type Lines, type Place } from './_lines.ts'
import { createStatsdOutput, type Line, tagged } from './_statsd.ts'

const line: Line = ({ tags, ...count }, settings) =>
  tagged({ ...count, tags: Object.entries(tags).map(([name, value]) => `${name}:${value}`) }, settings)

const spec = {
  type: 'dogstatsd',
  summary: 'Counts events and responses in DogStatsD of the Datadog agent, by UDP.',
  notes: `
An event is \`falco.accepted\` with the tag \`priority\`, and as in Falcosidekick \`total\` and \`inputs.requests.accepted\`,
each behind the namespace. Of a digest all its alerts are counted. The report of a response is \`responses\`, and
\`responses.duration\` in milliseconds, with the tags \`mode\` and \`outcome\`.

Not sent, since an output is not told of it: \`inputs.requests.rejected\` (and so \`total\` is without the rejected) and
\`outputs\`; Yarak's own \`/metrics\` has both.

Differences from Falcosidekick: the namespace is \`yarak.\`, and \`falcosidekick.\` where its configuration is read; no
\`unix://\` socket, as there are no Unix datagram sockets in Node.js: let the agent listen on UDP; several lines are one
datagram, of at most 1,432 bytes.
`.trim(),
  line,
  example: { config: { forwarder: '127.0.0.1:8125', tags: ['env:prod'] } },
}

/** The output on a server of your own, e.g. a fake in a test. */
export const createDogstatsd = (connect: (place: Place) => Lines = datagramsOf) => createStatsdOutput(spec, connect)

/**
 * Sends counts as datagrams; nobody answers, so what is lost on the way is lost.
 *
 * Source: the `dogstatsd` output of Falcosidekick 2.x (`outputs/statsd.go`); "DogStatsD datagram format" of Datadog's
 * documentation.
 * @example dogstatsd({ forwarder: '127.0.0.1:8125', tags: ['env:prod'] })
 */
export const dogstatsd = createDogstatsd()
