/** Where the files of Talon's actions go: its outputs are outputs of ours that keep files. */
import { suggestion } from '../config/suggest.ts'
import type { Action } from '../plugin.ts'
import type { TalonAction, Tell } from './talon-read.ts'

/** Which output of ours an output of Talon's is, and where ours says the bucket or the folder. */
const OUTPUTS: ReadonlyMap<string, { readonly type: string; readonly place: string; readonly own: string }> = new Map([
  ['aws:s3', { type: 'aws.s3', place: 'bucket', own: 'bucket' }],
  ['minio:s3', { type: 'minio', place: 'bucket', own: 'bucket' }],
  ['gcp:gcs', { type: 'gcp.storage', place: 'bucket', own: 'bucket' }],
  ['local:file', { type: 'file', place: 'destination', own: 'dir' }],
])

export interface Kept {
  readonly store?: string
  /** There is nowhere to put what the step makes, so it is not run. */
  readonly leftOut?: true
}

interface Context {
  readonly title: string
  readonly tell: Tell
  /** The outputs that keep files, with their settings; undefined: not known. */
  readonly stores?: ReadonlyMap<string, unknown> | undefined
}

/** The store of a step; undefined when something is wrong with its output, which is told. */
export const storeFor = (action: TalonAction, plugin: Action, context: Context): Kept | undefined => {
  const { target, parameters } = action.output
  const { title, tell, stores } = context
  if (target && parameters.size === 0) return void tell(target.spot, `${title}: output.parameters is required`)
  if (!target && plugin.saves !== 'always') return {}
  if (!target) return void tell(action.spot, `${title}: an output is required`)
  const output = OUTPUTS.get(target.value)
  if (!output) {
    return void tell(
      target.spot,
      `${title}: ${target.value} is not a known output${suggestion(target.value, OUTPUTS.keys())}`,
    )
  }
  const warn = (message: string): void => tell(target.spot, `${title}: output ${target.value}: ${message}`, 'warning')
  if (!plugin.saves) {
    warn(`${plugin.type} makes no files, so it is ignored`)
    return {}
  }
  const { type, place, own } = output
  const wanted = parameters.get(place)?.value
  const entry = entryOf(action, output)
  if (!stores) {
    warn(`files go to the output ${type}, which has to be there: ${entry}`)
    return { store: type }
  }
  const known = [...stores].filter(
    ([id, settings]) => id.split('/')[0] === type && placeIn(settings, own) !== undefined,
  )
  const found = known.find(([, settings]) => placeIn(settings, own) === wanted) ?? known[0]
  if (!found) {
    const until = plugin.saves === 'always' ? 'the action is left out' : 'files go to `evidence` in the data directory'
    warn(`no ${type} is configured; until there is one, ${until}; add to \`outputs\`: ${entry}`)
    return plugin.saves === 'always' ? { leftOut: true } : {}
  }
  const [store, settings] = found
  const actual = placeIn(settings, own)
  if (actual !== wanted) warn(`files go to ${store}, whose ${own} is ${String(actual)}, not ${String(wanted)}`)
  return { store }
}

const placeIn = (settings: unknown, key: string): unknown =>
  typeof settings === 'object' && settings !== null ? (settings as Record<string, unknown>)[key] : undefined

type Output = NonNullable<ReturnType<(typeof OUTPUTS)['get']>>

/** What to add to a configuration; such an output is told of no events. */
const entryOf = ({ output: { parameters } }: TalonAction, { type, place, own }: Output): string => {
  const given = [...parameters].map(([key, { value }]) => `${key === place ? own : key}: ${JSON.stringify(value)}`)
  const more = type === 'minio' ? ['endpoint: ...', 'accessKeyId: ...', 'secretAccessKey: ...'] : []
  return `\`${type}: { ${[...given, ...more, 'tell: none'].join(', ')} }\``
}
