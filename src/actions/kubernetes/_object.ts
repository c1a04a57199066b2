/** Objects of any kind, custom resources too: where they are in the API, and how they are marked. */
import { type PolicyRule, type Step, type Subject, YarakError, z } from '../../plugin.ts'
import { apiPath, type Clients } from '../../resources/kubernetes.ts'
import { isLabelValue } from './_names.ts'
import { type Metadata, subjectFrom } from './_subject.ts'

export const apiVersion = z
  .string()
  .regex(/^([a-z0-9][a-z0-9.-]*\/)?v[0-9]+((alpha|beta)[0-9]+)?$/, 'must be a version such as v1 or apps/v1')
  .describe('Group and version, e.g. `v1`, `apps/v1`. Fixed text.')

export const kind = z
  .string()
  .regex(/^[A-Z][A-Za-z0-9]*$/, 'must be a kind such as ConfigMap')
  .describe('Kind, e.g. `ConfigMap`. Fixed text.')

/** Some kinds have names that are no DNS names, e.g. `system:node`; but a name never leads elsewhere in a path. */
export const objectName = z
  .string()
  .min(1)
  .max(253)
  .regex(/^(?!\.{1,2}$)[^/%]+$/, 'must be a name of a Kubernetes object')
  .describe('Name of the object.')

export const objectNamespace = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'must be the name of a namespace')
  .optional()
  .describe('Namespace of the object. Default: that of the pod; none for kinds without. Fixed text.')

export interface ObjectRef {
  readonly apiVersion: string
  readonly kind: string
  readonly name: string
  readonly namespace?: string | undefined
}

interface ResourceList {
  readonly resources: readonly { readonly name: string; readonly kind: string; readonly namespaced: boolean }[]
}

/** Where an object is. */
export interface Place {
  readonly path: string
  /** For summaries: `configmap shop/settings`. */
  readonly id: string
  readonly namespace: string | undefined
}

/**
 * Asks the server how the kind is called, and whether it lives in namespaces: then in that of the reference, else in
 * `namespace`.
 * @throws YarakError `failed` with the reason `no-such-api` or `no-such-kind`
 */
export const locate = async ({ send }: Clients, ref: ObjectRef, namespace: string): Promise<Place> => {
  const { resources } = (await send({ method: 'GET', path: apiPath(ref.apiVersion) })) as ResourceList
  const found = resources.find((one) => one.kind === ref.kind && !one.name.includes('/'))
  if (!found) {
    throw new YarakError('failed', `the server has no kind ${ref.kind} in ${ref.apiVersion}`, {
      permanent: true,
      reason: 'no-such-kind',
    })
  }
  const within = found.namespaced ? (ref.namespace ?? namespace) : undefined
  const path = apiPath(ref.apiVersion, ...(within === undefined ? [] : ['namespaces', within]), found.name, ref.name)
  return { path, namespace: within, id: `${ref.kind.toLowerCase()} ${within ? `${within}/` : ''}${ref.name}` }
}

/** The object at a path, as guards judge it. */
export const readObject = async ({ send }: Clients, path: string, kind: string): Promise<Subject> =>
  subjectFrom(kind, ((await send({ method: 'GET', path })) as { readonly metadata: Metadata }).metadata)

/** An object that is not there yet. */
export const subjectAt = (kind: string, namespace: string | undefined, name: string): Subject =>
  subjectFrom(kind, { name, ...(namespace !== undefined && { namespace }) })

/** The rule that allows a verb on a kind, whose plural is taken to be the usual one. */
export const permissionOn = (apiVersion: string, kind: string, verbs: readonly string[]): PolicyRule => {
  const [group] = apiVersion.includes('/') ? apiVersion.split('/') : ['']
  return { apiGroups: [group ?? ''], resources: [usualPlural(kind.toLowerCase())], verbs }
}

const usualPlural = (word: string): string => {
  if (word === 'endpoints') return word
  if (/[^aeiou]y$/.test(word)) return `${word.slice(0, -1)}ies`
  return /(s|x|ch|sh)$/.test(word) ? `${word}es` : `${word}s`
}

/** Labels and annotations by which an object that a step wrote tells why it is there. */
export const marksOf = ({ response }: Pick<Step, 'response'>) => ({
  labels: isLabelValue(response.id) ? { 'yarak.dev/response': response.id } : {},
  annotations: {
    'yarak.dev/rule': response.rule,
    ...(response.traceparent !== undefined && { 'yarak.dev/traceparent': response.traceparent }),
  },
})

/** `otherwise` where there is none. */
export const unlessGone = async <T>(answer: Promise<T>, otherwise: T): Promise<T> => {
  try {
    return await answer
  } catch (error) {
    if (error instanceof YarakError && error.code === 'gone') return otherwise
    throw error
  }
}

/** Creates, unless it is there already. */
export const unlessExists = async (create: Promise<unknown>): Promise<void> => {
  try {
    await create
  } catch (error) {
    if (!(error instanceof YarakError) || error.reason !== 'already-exists') throw error
  }
}

/** An object that is named in the settings and is not there is a mistake, and no success as a pod that is gone is. */
export const unlessAbsent = async <T>(answer: Promise<T>): Promise<T> => {
  try {
    return await answer
  } catch (error) {
    if (!(error instanceof YarakError) || error.code !== 'gone') throw error
    throw new YarakError('failed', error.message, { permanent: true, reason: error.reason })
  }
}
