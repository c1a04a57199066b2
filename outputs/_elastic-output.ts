/** Makes the outputs that speak the API of Elasticsearch. */
import { defineOutput, type Io, YarakError } from '../src/plugin.ts'
import { basicAuth } from './_basic.ts'
import { docOf } from './_elastic-document.ts'
import { type Api, MAX_DOCS, sendDocs } from './_elastic-send.ts'
import { type ElasticSettings, elasticSettings } from './_elastic-settings.ts'
import { createTemplate } from './_elastic-template.ts'
import { EXAMPLE_BODY } from './_example.ts'
import { under } from './_url.ts'

export interface ElasticSpec {
  readonly type: string
  readonly summary: string
  readonly notes: string
  /** Address of the example. */
  readonly hostPort: string
}

/** @example export const opensearch = createElasticOutput({ type: 'opensearch', ... }) */
export const createElasticOutput = ({ hostPort, ...spec }: ElasticSpec) =>
  defineOutput({
    ...spec,
    config: elasticSettings,
    http: true,
    batch: MAX_DOCS,
    linger: 1_000,
    batching: ({ batching: { enabled, flushInterval } }) =>
      enabled ? { batch: MAX_DOCS, linger: flushInterval } : { batch: 1, linger: 0 },
    open(settings, io) {
      const api = apiOf(settings, io)
      const prepared = { template: !settings.createIndexTemplate }
      return {
        async send(notices, signal) {
          if (!prepared.template) await prepare(api, settings, io, signal)
          prepared.template = true
          const docs = notices.map((notice) => docOf(notice, settings))
          await sendDocs(docs, settings, api, io.log, signal)
        },
      }
    },
    example: {
      config: { hostPort },
      sends: {
        url: `${hostPort}/_bulk`,
        body: [
          { create: { _index: 'falco-2026.01.31', _id: '019c13e6-8b3b-7000-8000-0000000000aa' } },
          { ...EXAMPLE_BODY, '@timestamp': EXAMPLE_BODY.time },
        ]
          .map((line) => `${JSON.stringify(line)}\n`)
          .join(''),
      },
    },
  })

const apiOf = (settings: ElasticSettings, io: Io): Api => {
  const { apiKey, username, password, enableCompression, hostPort } = settings
  const authorization = basicAuth(username, password) ?? (apiKey && `ApiKey ${apiKey}`)
  return ({ path, headers, ...request }, signal) =>
    io.http(
      {
        ...request,
        ...(enableCompression && { compression: 'gzip' }),
        url: under(hostPort, path),
        headers: { authorization, ...headers },
      },
      signal,
    )
}

/** Documents are worth more than how they are indexed: without the right to make a template they are sent all the same. */
const prepare = async (api: Api, settings: ElasticSettings, io: Io, signal: AbortSignal): Promise<void> => {
  try {
    await createTemplate(api, settings, signal)
  } catch (error) {
    if (!(error instanceof YarakError) || !error.permanent) throw error
    io.log.warn('the index template was not made', { error: error.message })
  }
}
