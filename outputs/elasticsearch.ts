/** Elasticsearch: each notice is a document of an index by date. */
import { createElasticOutput } from './_elastic-output.ts'

/**
 * Writes each notice as a document.
 *
 * Source: the `elasticsearch` output of Falcosidekick 2.x (`outputs/elasticsearch.go`); Elasticsearch's references of
 * `_bulk`, of index templates and of dynamic templates.
 * @example elasticsearch({ hostPort: 'https://elasticsearch:9200', apiKey: '…', createIndexTemplate: true })
 */
export const elasticsearch = createElasticOutput({
  type: 'elasticsearch',
  summary: 'Writes the event as a document to Elasticsearch.',
  notes: `
The document is the event as \`webhook\` sends it, with \`@timestamp\`: the time of the event, for the report of a response
the time it began. A request has at most 500 documents and \`batchSize\` bytes.

Of a batch, documents that the server is too busy for (429, 5xx, a blocked index) are sent again. A document that the
server refuses for a field that does not fit the index is sent again without that field, up to five times; the rest is a
dead letter with the server's reason. In a batch the document's \`_id\` is the id of the notice: what is sent a second time,
since the answer was lost, is not indexed a second time. A single document gets its id from the server, and may come twice.

Differences from Falcosidekick: documents are batched unless \`batching.enabled\` is false, and no refused one is counted as
delivered; batches have \`_id\` and the content type \`application/x-ndjson\`; the date in the name of the index is that of
the event in UTC, not the local date of sending; the retry without a field keeps \`@timestamp\` and flat names, happens in
batches too, and drops that field only; the index template is called as the index, makes every field of an event text with
a keyword, whatever its name, and takes 0 replicas.
`.trim(),
  hostPort: 'https://elasticsearch:9200',
})
