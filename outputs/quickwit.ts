/** Quickwit: notices as documents of one index. */
import { defineOutput, type Io, type Notice, YarakError, z } from '../src/plugin.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { ndjson, refusingSender } from './_ndjson.ts'
import { quickwitIndex } from './_quickwit-index.ts'
import { serverUrl } from './_settings.ts'

const config = z.strictObject({
  hostPort: serverUrl().describe('Address of the server, e.g. `http://quickwit:7280`.'),
  apiEndpoint: z.string().default('api/v1').describe('Path of the API. Default api/v1.'),
  index: z
    .string()
    .regex(/^[a-zA-Z][\w-]{2,254}$/, 'must be the id of an index: a letter, then letters, digits, - and _')
    .default('falco')
    .describe('Id of the index. Default falco.'),
  version: z.string().min(1).default('0.7').describe('Version of the format of the index that is made. Default 0.7.'),
  autoCreateIndex: z.boolean().default(false).describe('Makes the index when there is none. Default false.'),
})

type Config = z.output<typeof config>

const baseOf = ({ hostPort, apiEndpoint }: Config): string =>
  [hostPort, apiEndpoint].map((part) => part.replaceAll(/^\/+|\/+$/g, '')).join('/')

const requestOf = (notices: readonly Notice[], settings: Config) => ({
  ...ndjson(notices),
  url: `${baseOf(settings)}/${settings.index}/ingest`,
})

/** Versions from 0.9 on tell how many documents they could not take. */
const refusal = (answer: unknown): string | undefined => {
  const { num_rejected_docs: rejected } = (answer ?? {}) as { num_rejected_docs?: number }
  return rejected ? `Quickwit rejected ${rejected} documents` : undefined
}

const createIndex = async (settings: Config, io: Io, signal: AbortSignal): Promise<void> => {
  const { index, version } = settings
  const url = `${baseOf(settings)}/indexes`
  const found = await io.http({ method: 'GET', url: `${url}/${index}/describe`, expect: [200, 404] }, signal)
  if (found.status === 200) return
  const made = await io.http({ url, body: quickwitIndex(index, version), expect: [200, 400] }, signal)
  // somebody else may have made it in between
  if (made.status === 200 || /already exists/i.test(made.body)) return
  throw new YarakError('failed', `the index was not made: ${made.body.slice(0, 200)}`, { reason: 'no-index' })
}

/**
 * Sends notices as lines of JSON.
 *
 * Source: the `quickwit` output of Falcosidekick 2.x (`outputs/quickwit.go`); Quickwit's REST API, `ingest`.
 * @example quickwit({ hostPort: 'http://quickwit:7280', autoCreateIndex: true })
 */
export const quickwit = defineOutput({
  type: 'quickwit',
  summary: 'Writes the event as a document to Quickwit.',
  notes: `
The documents are the events as \`webhook\` sends them, up to 500 in a request; a request over the server's limit (413) is
sent again document by document. Where the answer says that documents were rejected, each is sent alone, so that those
that were taken may be there twice.

Differences from Falcosidekick: several events in a request, as \`application/x-ndjson\`; \`apiEndpoint\` may begin and end
with a slash; an index that could not be made is an error, and the documents wait.
`.trim(),
  config,
  http: true,
  batch: 500,
  linger: 500,
  open(settings, io) {
    const prepared = { index: !settings.autoCreateIndex }
    const sender = refusingSender(io, (some) => requestOf(some, settings), refusal)
    return {
      async send(notices, signal) {
        if (!prepared.index) await createIndex(settings, io, signal)
        prepared.index = true
        await sender.send(notices, signal)
      },
    }
  },
  example: {
    config: { hostPort: 'http://quickwit:7280' },
    sends: { url: 'http://quickwit:7280/api/v1/falco/ingest', body: EXAMPLE_BODY },
  },
})
