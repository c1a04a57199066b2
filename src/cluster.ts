/** Of which cluster an event is: several may send to one place, and only those of our own are answered. */
import { z } from 'zod'
import { YarakError } from './errors.ts'
import type { FalcoEvent } from './event.ts'
import { checkSettings } from './settings.ts'

/** The field in which senders tell their cluster, where nothing else is set. */
const FIELD = 'k8s.cluster.name'

const NEITHER = 'must be a name, or {name, field}'

const whole = z.strictObject(
  {
    name: z.string().min(1).describe('The name of this cluster.'),
    field: z
      .string()
      .min(1)
      .default(FIELD)
      .describe(`The field of an event that names its cluster. Default \`${FIELD}\`.`),
  },
  NEITHER,
)

/** As written: the name alone, or with the field. */
export const clusterSetting = z.union([z.string(NEITHER).min(1), whole])

export type ClusterInput = z.input<typeof clusterSetting>

/** Our own cluster. */
export type OwnCluster = z.output<typeof whole>

/** The settings that every input has, beside its own. */
export const originSettings = z.strictObject({
  cluster: z
    .string()
    .min(1)
    .optional()
    .describe('The cluster that its events are of. Default: the one that an event names, else our own.'),
  shared: z
    .boolean()
    .default(false)
    .describe(
      'Several clusters send here: an event that names none counts as of none, and no step changes anything because of ' +
        'it. Default false.',
    ),
  leader: z
    .boolean()
    .default(false)
    .describe(
      'Of several replicas one reads it at a time: for a file that all of them see. Needs `claims`; not for what is ' +
        'sent here, as by HTTP, which each takes. Default false.',
    ),
})

export type OriginSettings = z.output<typeof originSettings>

/** @throws YarakError `config` when they are wrong, naming the input */
export const readOrigin = (input: string, settings: z.input<typeof originSettings>): OriginSettings => {
  const [problem] = checkSettings(originSettings, settings)
  if (problem) throw new YarakError('config', `input ${input}: ${problem.message}`)
  return originSettings.parse(settings)
}

/**
 * @throws YarakError `config` when it is wrong
 * @example ownCluster('prod') // { name: 'prod', field: 'k8s.cluster.name' }
 */
export const ownCluster = (given: ClusterInput | undefined): OwnCluster | undefined => {
  if (given === undefined) return undefined
  const [problem] = checkSettings(clusterSetting, given)
  if (problem) throw new YarakError('config', `cluster: ${problem.message}`)
  return whole.parse(typeof given === 'string' ? { name: given } : given)
}

/**
 * The cluster of an event: the one that is set for its input or topic, or that the event names; where the two differ, the
 * one that is not ours. Where none is named it is ours, unless the input is shared; then, and where we do not know our
 * own name, nobody can tell: undefined.
 */
export const clusterOf = (event: FalcoEvent, own: OwnCluster | undefined): string | undefined => {
  if (event.shared && !own) return undefined
  const told = event.field(own?.field ?? FIELD)
  const named = [event.cluster, told].filter((name): name is string => typeof name === 'string' && !ABSENT.has(name))
  return named.find((name) => name !== own?.name) ?? named[0] ?? (event.shared ? undefined : own?.name)
}

/** How Falco says that a field has no value. */
const ABSENT: ReadonlySet<string> = new Set(['', '<NA>', 'N/A'])
