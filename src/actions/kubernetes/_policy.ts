/** Policies of the network, of Kubernetes itself and of Calico and Cilium: whom they select, whom they let through. */
import { createHash } from 'node:crypto'
import type { V1LabelSelector } from '@kubernetes/client-node'
import { type PolicyRule, type Step, type Undo, type UndoKind, YarakError, z } from '../../plugin.ts'
import { apiPath, type Clients, kubernetes, type Live } from '../../resources/kubernetes.ts'
import { isNamespace } from './_names.ts'
import { marksOf, unlessGone } from './_object.ts'
import type { PodSubject } from './resolve.ts'
import { created, noteFor, undoCreated } from './_undo.ts'
import type { Workload } from './_workload.ts'

const NOT_CIDR = 'must be a CIDR such as 10.0.0.0/8 or fd00::/8'

/** What stays reachable, as Falco Talon names it. */
export const allowed = {
  allow_cidr: z
    .array(z.union([z.cidrv4(NOT_CIDR), z.cidrv6(NOT_CIDR)]))
    .default([])
    .describe('Address ranges that may still be reached. Default none.'),
  allow_namespaces: z
    .array(z.string().refine(isNamespace, 'must be the name of a namespace'))
    .default([])
    .describe('Namespaces whose pods may still be reached. Default none.'),
}

const MAX_NAME = 253

/** Kinds share names: a Deployment and a StatefulSet may both be `web`, and each needs a policy of its own. */
export const policyName = ({ kind, name }: Pick<Workload, 'kind' | 'name'>): string => {
  const full = `yarak-${kind.toLowerCase()}-${name}`
  if (full.length <= MAX_NAME) return full
  const hash = createHash('sha256').update(full).digest('hex').slice(0, 12)
  return `${full.slice(0, MAX_NAME - 13).replace(/[^a-z0-9]+$/, '')}-${hash}`
}

/** Labels that name one revision, and so would let the next rollout go free. */
const OF_REVISION = new Set(['pod-template-hash', 'pod-template-generation', 'controller-revision-hash'])

type Requirement = NonNullable<V1LabelSelector['matchExpressions']>[number]

/** What a policy selects the pods of a workload by. */
export interface Selection {
  readonly matchLabels: Readonly<Record<string, string>>
  readonly matchExpressions: readonly Requirement[]
}

/**
 * The selector of the workload, without what names one revision of it; of a pod of its own, its labels.
 * @throws YarakError `refused` with the reason `no-labels`: an empty selector would select every pod of the namespace
 */
export const selectionOf = (pod: PodSubject, { selector }: Workload): Selection => {
  const { matchLabels = {}, matchExpressions = [] } = selector ?? { matchLabels: { ...pod.labels } }
  const labels = Object.entries(matchLabels).filter(([key]) => !OF_REVISION.has(key))
  const expressions = matchExpressions.filter(({ key }) => !OF_REVISION.has(key))
  if (labels.length + expressions.length > 0) {
    return { matchLabels: Object.fromEntries(labels), matchExpressions: expressions }
  }
  throw new YarakError('refused', `pod ${pod.namespace}/${pod.name} has no labels that a policy could select it by`, {
    permanent: true,
    reason: 'no-labels',
  })
}

/** Where policies of a kind are. */
export interface PolicyKind extends UndoKind {
  readonly kind: string
}

/** The kinds of policies that we write. */
export const POLICIES = {
  kubernetes: { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', resource: 'networkpolicies' },
  calico: { apiVersion: 'projectcalico.org/v3', kind: 'NetworkPolicy', resource: 'networkpolicies' },
  cilium: { apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy', resource: 'ciliumnetworkpolicies' },
} as const satisfies Readonly<Record<string, PolicyKind>>

/** A policy as it is stored. */
export interface Policy {
  readonly metadata: {
    readonly name: string
    readonly uid?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec?: unknown
}

/** What is to be in a policy, given what is there. */
export type Draft = (before: Policy | undefined) => Partial<Policy['metadata']> & {
  readonly ownerReferences?: readonly object[]
  readonly spec: unknown
}

/** What {@link putPolicy} needs. */
export const policyPermissions = (
  { apiVersion, resource }: PolicyKind,
  verbs: readonly string[] = ['get', 'create', 'update'],
): PolicyRule => ({ apiGroups: [apiVersion.split('/')[0] ?? ''], resources: [resource], verbs })

interface Put {
  readonly clients: Clients
  readonly step: Pick<Step, 'dryRun' | 'response'>
  readonly of: PolicyKind
  readonly at: { readonly namespace: string; readonly name: string }
}

/** The note of a policy that the action alone makes, for its metadata; see {@link policyUndo}. */
export const notedPolicy = (
  step: Pick<Step, 'response'>,
  action: string,
  ttl: number | undefined,
  spec: unknown,
  before: Policy | undefined,
) => noteFor(step, { action, ttl, prior: {}, made: created(spec) }, before as Live | undefined)

/** Deletes such a policy. */
export const policyUndo = (of: PolicyKind): Undo => ({
  in: kubernetes,
  on: [of],
  permissions: [policyPermissions(of, ['get', 'patch', 'delete'])],
  run: undoCreated,
})

const MANAGED = 'app.kubernetes.io/managed-by'
const TRIES = 5

/**
 * Makes a policy, or writes over the one that we made: whole, so that nothing of before is left, and not over what
 * another has written meanwhile.
 * @throws YarakError `failed` with the reason `conflict` where somebody else has a policy of that name
 */
export const putPolicy = async (put: Put, draft: Draft): Promise<Policy> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await write(put, draft)
    } catch (error) {
      if (attempt === TRIES || !isRace(error)) throw error
    }
  }
}

/** Another has made, changed or removed it meanwhile. */
const isRace = (error: unknown): boolean =>
  error instanceof YarakError &&
  (error.code === 'gone' || error.reason === 'already-exists' || (error.reason === 'conflict' && !error.permanent))

const write = async ({ clients, step, of, at }: Put, draft: Draft): Promise<Policy> => {
  const folder = apiPath(of.apiVersion, 'namespaces', at.namespace, of.resource)
  const path = `${folder}/${encodeURIComponent(at.name)}`
  const before = await unlessGone<Policy | undefined>(
    clients.send({ method: 'GET', path }) as Promise<Policy>,
    undefined,
  )
  if (before && before.metadata.labels?.[MANAGED] !== 'yarak') throw foreign(of, at)
  const { labels, annotations, ownerReferences, spec } = draft(before)
  const marks = marksOf(step)
  const metadata = {
    ...(before?.metadata ?? { name: at.name, namespace: at.namespace }),
    labels: { ...before?.metadata.labels, [MANAGED]: 'yarak', ...marks.labels, ...labels },
    annotations: { ...before?.metadata.annotations, ...marks.annotations, ...annotations },
    ...(ownerReferences && { ownerReferences }),
  }
  const body = { apiVersion: of.apiVersion, kind: of.kind, metadata, spec }
  const query = { fieldManager: 'yarak', dryRun: step.dryRun ? 'All' : undefined }
  const request = before ? ({ method: 'PUT', path } as const) : ({ method: 'POST', path: folder } as const)
  return (await clients.send({ ...request, query, body })) as Policy
}

const foreign = ({ resource }: PolicyKind, { namespace, name }: Put['at']): YarakError =>
  new YarakError('failed', `${resource} ${namespace}/${name} is there, and Yarak has not made it`, {
    permanent: true,
    reason: 'conflict',
  })
