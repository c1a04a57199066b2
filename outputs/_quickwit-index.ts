/** The index that Quickwit is asked to make. Pure. */

const TEXTS = ['uuid', 'hostname', 'priority', 'source', 'rule'].map((name) => ({ name, type: 'text', fast: true }))

/**
 * Every member of an event that always is of one type has that type; the fields of the event are JSON.
 *
 * Source: Falcosidekick's `outputs/quickwit.go`; Quickwit's reference of the index configuration.
 * @example quickwitIndex('falco', '0.7').doc_mapping.timestamp_field // 'time'
 */
export const quickwitIndex = (index: string, version: string) => ({
  index_id: index,
  version,
  search_settings: { default_search_fields: ['rule', 'source', 'output', 'priority', 'hostname', 'tags'] },
  doc_mapping: {
    mode: 'dynamic',
    store_source: true,
    timestamp_field: 'time',
    dynamic_mapping: {
      description: 'Falco',
      indexed: true,
      stored: true,
      fast: true,
      expand_dots: true,
      record: 'basic',
      tokenizer: 'raw',
    },
    field_mappings: [
      { name: 'time', type: 'datetime', fast: true },
      ...TEXTS,
      { name: 'output', type: 'text', fast: false },
      { name: 'tags', type: 'array<text>', fast: true },
      { name: 'output_fields', type: 'json', fast: true },
    ],
  },
})
