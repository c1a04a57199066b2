/** The index template: how the server is to index our documents. */
import type { ElasticSettings } from './_elastic-settings.ts'
import type { Api } from './_elastic-send.ts'

const text = (ignore_above: number) => ({ type: 'text', fields: { keyword: { type: 'keyword', ignore_above } } })

/** A field of Falco's is a number in one event and a text in another: all are text, with a keyword to filter by. */
const FIELDS = ['string', 'long', 'double', 'boolean'].map((type) => ({
  [`output_fields_${type}`]: { path_match: 'output_fields.*', match_mapping_type: type, mapping: text(256) },
}))

const MEMBERS = ['uuid', 'priority', 'rule', 'source', 'tags', 'hostname']

/** @example templateOf(settings).index_patterns // ['falco-*'] */
export const templateOf = ({ index, suffix, numberOfShards, numberOfReplicas }: ElasticSettings) => ({
  index_patterns: [suffix === 'none' ? index : `${index}-*`],
  template: {
    settings: { number_of_shards: numberOfShards, number_of_replicas: numberOfReplicas },
    mappings: {
      date_detection: false,
      dynamic_templates: FIELDS,
      properties: {
        '@timestamp': { type: 'date' },
        time: { type: 'date' },
        output: text(2_048),
        ...Object.fromEntries(MEMBERS.map((name) => [name, text(256)])),
      },
    },
  },
})

/**
 * Makes the template unless there is one of its name.
 * @throws YarakError of the server, also permanent ones
 */
export const createTemplate = async (api: Api, settings: ElasticSettings, signal: AbortSignal): Promise<void> => {
  const path = `/_index_template/${settings.index}`
  const found = await api({ method: 'GET', path, template: '/_index_template/{name}', expect: [200, 404] }, signal)
  if (found.status === 200) return
  await api({ method: 'PUT', path, template: '/_index_template/{name}', body: templateOf(settings) }, signal)
}
