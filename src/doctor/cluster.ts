/** Whether the cluster can be asked, and has what the rules need. */
import { isWithoutCluster, missingPermissions } from '../cli/permissions.ts'
import type { Plugins } from '../config/index.ts'
import { mergePermissions, neededBy } from '../permissions.ts'
import type { PolicyRule } from '../plugin.ts'
import { type Clients, kubernetes } from '../resources/kubernetes.ts'
import type { Patient } from './context.ts'
import { about, type Finding, words } from './finding.ts'
import { skewOf } from './running.ts'
import { within } from './within.ts'

const { ok, warn, fail, skip } = about('cluster')

export interface ClusterFacts {
  readonly findings: readonly Finding[]
  /** Milliseconds that the clock of the API server is ahead of ours. */
  readonly skew?: number | undefined
}

export const clusterFacts = async (patient: Patient, plugins: Plugins): Promise<ClusterFacts> => {
  const { options, timeout, signal } = patient
  const needs = mergePermissions(neededBy(options).map(({ rule }) => rule))
  if (needs.length === 0) return { findings: [skip('API server', 'no rule and no output needs a cluster')] }
  try {
    const { server, clients } = await connect(patient)
    const { version, skew } = await within(timeout, () => askServer(clients), signal)
    const others = await Promise.all([
      accountFinding(clients, patient),
      rightsFindings(patient, plugins),
      ...groupsOf(needs).map((group) => kindFinding(group, needs, clients, patient)),
    ])
    return { findings: [ok('API server', `${server} is ${version}`), ...others.flat(), placeFinding(patient)], skew }
  } catch (error) {
    const say = isWithoutCluster(error) && options.mode === 'observe' ? warn : fail
    return {
      findings: [say('API server', words(error), 'kubectl version; resources.kubernetes.kubeconfig says where')],
    }
  }
}

/**
 * To be done before others are asked: loading the client may block a slow machine for as long as they have to answer.
 * Never rejects: {@link clusterFacts} tells what is wrong.
 */
export const loadClient = async ({ options, lone }: Pick<Patient, 'options' | 'lone'>): Promise<void> => {
  if (neededBy(options).length > 0) await lone.resources.use(kubernetes).catch(() => {})
}

/** Asks nobody yet. */
const connect = async ({ lone, signal }: Patient): Promise<{ server: string; clients: Clients }> => {
  const cluster = await lone.resources.use(kubernetes)
  const { call } = lone.io('kubernetes')
  return { server: cluster.server, clients: cluster.as({ call, signal }) }
}

const askServer = async (clients: Clients): Promise<{ version: string; skew: number | undefined }> => {
  const before = Date.now()
  const { headers } = await clients.core.getAPIResourcesWithHttpInfo()
  const skew = skewOf(headers['date'], before, Date.now())
  const { gitVersion = 'of an unknown version' } = (await clients.send({ method: 'GET', path: '/version' })) as {
    gitVersion?: string
  }
  return { version: gitVersion, skew }
}

const REVIEW = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }

const accountFinding = async (clients: Clients, { timeout, signal }: Patient): Promise<Finding> => {
  const path = `/apis/${REVIEW.apiVersion}/selfsubjectreviews`
  try {
    const answer = await within(timeout, () => clients.send({ method: 'POST', path, body: REVIEW }), signal)
    const name = (answer as { status?: { userInfo?: { username?: string } } }).status?.userInfo?.username
    return ok('account', `we are ${name ?? 'nobody by name'} there`)
  } catch (error) {
    return skip('account', `the API server does not tell who we are: ${words(error)}`)
  }
}

const rightsFindings = async (patient: Patient, plugins: Plugins): Promise<Finding[]> => {
  const { options, env, timeout, signal } = patient
  try {
    const lines = await within(2 * timeout, () => missingPermissions({ options, plugins, env }), signal)
    if (lines.length === 0) return [ok('permissions', 'the account may do all that rules and outputs need')]
    return lines.map((line) => fail('permissions', line, 'yarak rbac | kubectl apply -f -'))
  } catch (error) {
    return [fail('permissions', `they could not be asked for: ${words(error)}`, 'yarak check --cluster')]
  }
}

/** The groups beside Kubernetes' own core. */
const groupsOf = (needs: readonly PolicyRule[]): string[] =>
  [...new Set(needs.flatMap(({ apiGroups }) => apiGroups))].filter((group) => group !== '' && group !== '*').sort()

interface GroupAnswer {
  readonly versions?: readonly { readonly groupVersion: string }[]
}

interface ResourceAnswer {
  readonly resources?: readonly { readonly name: string }[]
}

/** Whether the cluster serves the kinds of one group: those of Calico, Cilium and others come with their installation. */
const kindFinding = async (
  group: string,
  needs: readonly PolicyRule[],
  clients: Clients,
  { timeout, signal }: Patient,
): Promise<Finding> => {
  const get = (path: string): Promise<unknown> => within(timeout, () => clients.send({ method: 'GET', path }), signal)
  const remedy = `install what brings ${group}, or leave out the steps and outputs that need it`
  try {
    const { versions = [] } = (await get(`/apis/${group}`)) as GroupAnswer
    const answers = await Promise.all(versions.map(({ groupVersion }) => get(`/apis/${groupVersion}`)))
    const there = new Set(answers.flatMap((one) => (one as ResourceAnswer).resources ?? []).map(({ name }) => name))
    const wanted = needs.filter(({ apiGroups }) => apiGroups.includes(group)).flatMap(({ resources }) => resources)
    const missing = [...new Set(wanted)].filter((name) => name !== '*' && !there.has(name))
    return missing.length === 0
      ? ok(group, 'the cluster has it')
      : fail(group, `the cluster has no ${missing.join(', ')} in it`, remedy)
  } catch (error) {
    if (['no-such-api', 'not-found'].includes((error as { reason?: string }).reason ?? ''))
      return fail(group, 'the cluster does not have it', remedy)
    return skip(group, `it could not be asked for: ${words(error)}`)
  }
}

const placeFinding = ({ options }: Patient): Finding => {
  const { guards, mode } = options
  if (guards.ownNamespace !== undefined) return ok('own namespace', `${guards.ownNamespace}: nothing there is changed`)
  const say = mode === 'enforce' ? warn : skip
  return say('own namespace', 'it is not known, and so not protected', 'set guards.ownNamespace, or POD_NAMESPACE')
}
