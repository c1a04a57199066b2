/** The settings of Elasticsearch and what speaks its API. */
import { duration, secret, size, z } from '../src/plugin.ts'
import { serverUrl } from './_settings.ts'

/** What the servers take as the name of an index. */
const INDEX = /^(?![-_+.])[^\p{Lu}\\/*?"<>|\s,#:]{1,200}$/u

const batching = z.strictObject({
  enabled: z.boolean().default(true).describe('Sends many documents by one request (`_bulk`). Default true.'),
  batchSize: size().prefault('5MiB').describe('Size of a request, in bytes or as 5MiB. Default 5MiB.'),
  flushInterval: duration().prefault('1s').describe('How long a document waits for others. Default 1s.'),
})

export const elasticSettings = z.strictObject({
  hostPort: serverUrl().describe('Address of the server, e.g. `https://elasticsearch:9200`.'),
  index: z
    .string()
    .regex(INDEX, 'must be the name of an index: lower case, without spaces and \\ / * ? " < > | , # :')
    .default('falco')
    .describe('Name of the index, without the suffix. Default falco.'),
  type: z
    .string()
    .regex(/^[\w-]+$/)
    .default('_doc')
    .describe('The last part of the path of a single document. Default _doc.'),
  suffix: z
    .enum(['daily', 'monthly', 'annually', 'none'])
    .default('daily')
    .describe("What of the event's date, in UTC, the name of the index ends in. Default daily: `falco-2026.01.31`."),
  pipeline: z.string().min(1).optional().describe('The ingest pipeline to use. Default none.'),
  apiKey: secret().optional().describe('API key, as the server encodes it.'),
  username: z.string().min(1).optional().describe('User name; with a password it goes before the API key.'),
  password: secret().optional().describe('Password of the user.'),
  flattenFields: z
    .boolean()
    .default(false)
    .describe('Writes `_` for `.` in the names of the fields. Default false; `createIndexTemplate` does it too.'),
  createIndexTemplate: z
    .boolean()
    .default(false)
    .describe('Makes an index template, called as the index, unless there is one. Default false.'),
  numberOfShards: z.int().min(1).default(3).describe('Shards that the index template sets. Default 3.'),
  numberOfReplicas: z.int().nonnegative().default(3).describe('Replicas that the index template sets. Default 3.'),
  enableCompression: z.boolean().default(false).describe('Sends with gzip. Default false.'),
  batching: batching.prefault({}).describe('How documents are put together.'),
})

export type ElasticSettings = z.output<typeof elasticSettings>
