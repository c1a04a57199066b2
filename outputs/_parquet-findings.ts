/** Security Findings as an Apache Parquet file, in memory. */
import type { SchemaElement } from 'hyparquet-writer'
import type { Finding } from './_aws-ocsf.ts'
import { optional } from './_package.ts'

const text = (name: string): SchemaElement => ({
  name,
  type: 'BYTE_ARRAY',
  converted_type: 'UTF8',
  repetition_type: 'REQUIRED',
})

const number = (name: string, type: 'INT32' | 'INT64' = 'INT32'): SchemaElement => ({
  name,
  type,
  repetition_type: 'REQUIRED',
})

const group = (name: string, ...members: SchemaElement[][]): SchemaElement[] => [
  { name, repetition_type: 'REQUIRED', num_children: members.length },
  ...members.flat(),
]

/** A list of three levels, as the format's description of logical types has it. */
const list = (name: string, [element, ...inner]: readonly SchemaElement[]): SchemaElement[] => [
  { name, repetition_type: 'REQUIRED', converted_type: 'LIST', num_children: 1 },
  { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
  { ...element, name: 'element' },
  ...inner,
]

const observable = group('element', [text('name')], [text('type')], [number('type_id')], [text('value')])

/** Columns in the order of Falcosidekick. */
const COLUMNS: Readonly<Record<keyof Finding, SchemaElement[]>> = {
  activity_id: [number('activity_id')],
  activity_name: [text('activity_name')],
  category_name: [text('category_name')],
  category_uid: [number('category_uid')],
  classname: [text('classname')],
  class_uid: [number('class_uid')],
  finding: group(
    'finding',
    [number('created_time', 'INT64')],
    [text('desc')],
    [text('title')],
    list('types', [text('element')]),
    [text('uid')],
  ),
  message: [text('message')],
  metadata: group(
    'metadata',
    [text('version')],
    group('product', [text('vendor_name')], [text('name')]),
    list('labels', [text('element')]),
  ),
  observables: list('observables', observable),
  raw_data: [text('raw_data')],
  severity: [text('severity')],
  severity_id: [number('severity_id')],
  state: [text('state')],
  state_id: [number('state_id')],
  status: [text('status')],
  time: [number('time', 'INT64')],
  type_name: [text('type_name')],
  type_uid: [number('type_uid')],
}

/** @throws YarakError `config` when hyparquet-writer is not installed */
export const parquetOf = async (findings: readonly Finding[]): Promise<Uint8Array> => {
  const { parquetWriteBuffer } = await optional('hyparquet-writer', () => import('hyparquet-writer'))
  const names = Object.keys(COLUMNS) as (keyof Finding)[]
  const file = parquetWriteBuffer({
    // The least and the greatest value help a query where it asks for a time, and nowhere else.
    columnData: names.map((name) => ({
      name,
      data: findings.map((one) => one[name]),
      statistics: name === 'time',
    })),
    schema: [...group('root', ...Object.values(COLUMNS))],
    createdBy: 'yarak',
  })
  return new Uint8Array(file)
}
