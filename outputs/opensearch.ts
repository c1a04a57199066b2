/** OpenSearch: each notice is a document of an index by date. */
import { createElasticOutput } from './_elastic-output.ts'

/**
 * Writes each notice as a document.
 *
 * Source: OpenSearch's references of `_bulk` and of index templates, which are Elasticsearch's of version 7.10.
 * @example opensearch({ hostPort: 'https://opensearch:9200', username: 'falco', password: '…' })
 */
export const opensearch = createElasticOutput({
  type: 'opensearch',
  summary: 'Writes the event as a document to OpenSearch.',
  notes: `
The same documents, batches and index template as \`elasticsearch\`, whose notes hold here too. Signed requests to a domain
of AWS are not made: use a user of its internal database. Falcosidekick has no output of this name.
`.trim(),
  hostPort: 'https://opensearch:9200',
})
