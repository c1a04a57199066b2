import type { V1Pod } from '@kubernetes/client-node'
import { defineAction, type PolicyRule, type Result, type Step, z } from '../../plugin.ts'
import { type Clients, kubernetes } from '../../resources/kubernetes.ts'
import { fixed } from '../_fixed.ts'
import { cut } from '../_text.ts'
import { readPod } from './_read-pod.ts'
import { refused } from './_identity.ts'
import { accountOf, deleteSecret, podsOf, renewed, replaceAccount, tokenSecretsOf } from './_service-account.ts'
import { subjectFrom } from './_subject.ts'
import { podOf, podPermissions, type PodSubject, podSubject } from './resolve.ts'

const params = z
  .strictObject({
    scope: z
      .enum(['pod', 'serviceaccount'])
      .default('pod')
      .describe(
        '`pod`: the pod is deleted, and with it the tokens that were bound to it. `serviceaccount`: the account is made anew, so that every token ever issued to it is void. Default pod.',
      ),
    allow_default: z
      .boolean()
      .default(false)
      .describe('Also where the account is `default`, which pods share without knowing. Default false.'),
  })
  .refine(...fixed('scope'))
  .refine(...fixed('allow_default'))

type Params = z.output<typeof params>

/**
 * Voids the tokens by which the pod of the event speaks to the API server.
 * @see https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/ on bound tokens
 * @example revokeTokens({ scope: 'serviceaccount' })
 */
export const revokeTokens = defineAction({
  type: 'kubernetes:revoke-tokens',
  summary: 'Voids the service account tokens of the pod of the event, or all of its account.',
  notes: [
    'With `scope: pod` the pod is deleted by its uid: a token that was projected into it is refused when it is gone, its grace period later.',
    'With `scope: serviceaccount` every pod of the account loses access until it is restarted: they are all named in the output, each is judged by the guards first, and one refusal refuses the whole. Tokens kept as Secrets of the old kind are deleted too. The new account is as the old one, with another uid; until it is there, its definition is noted on the pod, so that a crash in between loses nothing.',
    'It cannot void what was issued outside of the cluster, e.g. by a cloud provider in exchange for a token.',
  ].join('\n'),
  config: params,
  changes: 'destructive',
  done: 'repeatable',
  dryRun: true,
  target: podSubject,
  permissions: ({ scope }) => [...podPermissions, ...RIGHTS[scope]],
  example: { scope: 'serviceaccount' },
  async run(settings, step): Promise<Result> {
    const pod = podOf(step)
    const clients = (await step.use(kubernetes)).as(step)
    return settings.scope === 'pod' ? byPod(pod, clients, step) : byAccount(settings, pod, clients, step)
  },
})

const RIGHTS: Readonly<Record<Params['scope'], readonly PolicyRule[]>> = {
  pod: [{ apiGroups: [''], resources: ['pods'], verbs: ['delete'] }],
  serviceaccount: [
    { apiGroups: [''], resources: ['pods'], verbs: ['patch'] },
    { apiGroups: [''], resources: ['serviceaccounts'], verbs: ['get', 'create', 'delete'] },
    { apiGroups: [''], resources: ['secrets'], verbs: ['list', 'delete'] },
  ],
}

const byPod = async ({ namespace, name, uid }: PodSubject, { core }: Clients, { dryRun }: Step): Promise<Result> => {
  await core.deleteNamespacedPod({
    namespace,
    name,
    body: { preconditions: { uid }, ...(dryRun && { dryRun: ['All'] }) },
  })
  return {
    summary: `${dryRun ? 'would revoke' : 'revoked'} the tokens of pod ${namespace}/${name} by deleting it`,
    objects: { pod: name, namespace },
  }
}

const byAccount = async (settings: Params, pod: PodSubject, clients: Clients, step: Step): Promise<Result> => {
  const live = await readPod(clients, pod)
  const name = live.spec?.serviceAccountName ?? 'default'
  if (name === 'default' && !settings.allow_default) {
    throw refused('default-account', `pod ${pod.namespace}/${pod.name} runs as \`default\`: see allow_default`)
  }
  const account = { clients, namespace: pod.namespace, name }
  const [losing, secrets, old] = await Promise.all([podsOf(account), tokenSecretsOf(account), accountOf(account, live)])
  for (const one of losing) await step.judge(subjectFrom('Pod', one.metadata ?? {}))
  if (!step.dryRun) {
    const going = new Set(secrets.flatMap(({ metadata }) => metadata?.name ?? []))
    await replaceAccount(account, { old, fresh: renewed(old, going, step), pod })
    for (const secret of secrets) await deleteSecret(clients, secret)
  }
  return told(step, { pod, name, losing, tokens: secrets.length })
}

interface Revoked {
  readonly pod: PodSubject
  readonly name: string
  readonly losing: readonly V1Pod[]
  readonly tokens: number
}

const told = ({ dryRun }: Step, { pod, name, losing, tokens }: Revoked): Result => {
  const lose = `${losing.length} ${losing.length === 1 ? 'pod loses' : 'pods lose'} access until restarted`
  const kept = tokens === 0 ? '' : `, ${tokens} of them kept as a Secret`
  return {
    summary: `${dryRun ? 'would revoke' : 'revoked'} all tokens of service account ${pod.namespace}/${name}${kept}; ${lose}`,
    objects: { pod: pod.name, namespace: pod.namespace, serviceaccount: name },
    output: cut(losing.map(({ metadata }) => `${metadata?.namespace}/${metadata?.name}`).join('\n')),
  }
}
