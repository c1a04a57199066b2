import { defineAction, type PolicyRule, type Result, type Step, z } from '../../plugin.ts'
import { kubernetes } from '../../resources/kubernetes.ts'
import { fixed } from '../_fixed.ts'
import { objectSubject } from './_audited.ts'
import { refused } from './_identity.ts'
import { isResourceName, type Place, RESOURCE_NAMES, type ResourceName, RESOURCES } from './_resources.ts'
import { podPermissions } from './resolve.ts'

/** The resources that Falco Talon deletes, and pods, which it says it does. */
const USUAL = RESOURCE_NAMES.filter(
  (name) => !['rolebindings', 'clusterrolebindings', 'jobs', 'cronjobs'].includes(name),
)

const params = z
  .strictObject({
    resources: z
      .array(z.enum(RESOURCE_NAMES))
      .min(1)
      .default(USUAL)
      .describe(`What may be deleted. Default: ${USUAL.map((name) => `\`${name}\``).join(', ')}.`),
  })
  .refine(...fixed('resources'))

/**
 * Deletes what an event of the Kubernetes audit log is about (`ka.target.resource`, `ka.target.name`). What is gone
 * already is a success. Falco Talon has it under the same name.
 * @example deleteResource({ resources: ['configmaps', 'secrets'] })
 */
export const deleteResource = defineAction({
  type: 'kubernetes:delete',
  summary: 'Deletes the resource that an event of the Kubernetes audit log is about.',
  notes: [
    'It needs an event with `ka.target.resource` and `ka.target.name`; one of system calls is refused.',
    'The deletion carries the uid of what was looked up, and takes what it owns along (`propagationPolicy: Background`).',
    'Roles that the API server itself makes and renews (`kubernetes.io/bootstrapping`) are refused.',
    'Name in `resources` what the rule is about: no more is then asked for in the Role.',
  ].join('\n'),
  config: params,
  changes: 'destructive',
  done: 'repeatable',
  target: objectSubject,
  dryRun: true,
  permissions: ({ resources }) => permissionsFor(resources),
  example: { resources: ['configmaps', 'secrets'] },
  async run({ resources }, step): Promise<Result> {
    const { resource, at, uid } = targetOf(step)
    if (!resources.includes(resource)) throw refused('not-listed', `\`resources\` does not list ${resource}`)
    const body = { preconditions: { uid }, propagationPolicy: 'Background', ...(step.dryRun && { dryRun: ['All'] }) }
    await RESOURCES[resource].remove((await step.use(kubernetes)).as(step), { ...at, body })
    const id = at.namespace ? `${at.namespace}/${at.name}` : at.name
    return {
      summary: `${step.dryRun ? 'would delete' : 'deleted'} ${RESOURCES[resource].kind} ${id}`,
      objects: { resource, name: at.name, ...(at.namespace && { namespace: at.namespace }) },
    }
  },
})

const targetOf = ({ target, subject }: Step): { resource: ResourceName; at: Place; uid: string } => {
  const { resource } = target
  if (!subject?.name || !subject.uid || resource === undefined || !isResourceName(resource)) {
    throw refused('no-target', 'the event is not of the Kubernetes audit log')
  }
  if (subject.labels?.['kubernetes.io/bootstrapping']) {
    throw refused('bootstrap', `${subject.key} is made and renewed by the API server itself`)
  }
  return { resource, at: { namespace: subject.namespace ?? '', name: subject.name }, uid: subject.uid }
}

const permissionsFor = (names: readonly ResourceName[]): readonly PolicyRule[] => {
  const groups = Map.groupBy(names, (name) => RESOURCES[name].group)
  const rules = [...groups].map(([group, resources]) => ({ apiGroups: [group], resources, verbs: ['get', 'delete'] }))
  return names.includes('pods') ? [...podPermissions, ...rules] : rules
}
