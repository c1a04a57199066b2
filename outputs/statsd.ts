/** StatsD: events and responses as counts. */
import { datagramsOf, type Lines, type Place } from './_lines.ts'
import { createStatsdOutput, type Line, tagged } from './_statsd.ts'

/** `outputs` of Falcosidekick too puts the words behind the name: plain StatsD knows no tags. */
const line: Line = ({ name, tags, ...count }, settings) =>
  tagged({ ...count, name: [name, ...Object.values(tags)].join('.'), tags: [] }, settings)

const spec = {
  type: 'statsd',
  summary: 'Counts events and responses in StatsD, by UDP.',
  notes: `
An event is \`falco.accepted.<priority>\`, and as in Falcosidekick \`total\` and \`inputs.requests.accepted\`, each behind
the namespace. Of a digest all its alerts are counted. The report of a response is \`responses.<mode>.<outcome>\`, and
\`responses.duration.<mode>.<outcome>\` in milliseconds. Words are in it that are from closed lists, and none of an event.

Not sent, since an output is not told of it: \`inputs.requests.rejected\` (and so \`total\` is without the rejected) and
\`outputs\`; Yarak's own \`/metrics\` has both. \`tags\` are written as DogStatsD has them, which plain StatsD refuses.

Differences from Falcosidekick: the namespace is \`yarak.\`, and \`falcosidekick.\` where its configuration is read; the
priority is a part of the name, as it means to do, and no tag; several lines are one datagram, of at most 1,432 bytes.
`.trim(),
  line,
  example: { config: { forwarder: 'statsd.monitoring:8125' } },
}

/** The output on a server of your own, e.g. a fake in a test. */
export const createStatsd = (connect: (place: Place) => Lines = datagramsOf) => createStatsdOutput(spec, connect)

/**
 * Sends counts as datagrams; nobody answers, so what is lost on the way is lost.
 *
 * Source: the `statsd` output of Falcosidekick 2.x (`outputs/statsd.go`); "Metric types" of StatsD's documentation.
 * @example statsd({ forwarder: 'statsd.monitoring:8125' })
 */
export const statsd = createStatsd()
