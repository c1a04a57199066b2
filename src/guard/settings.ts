/** The settings of the guard. */
import { z } from 'zod'
import { YarakError } from '../errors.ts'
import { checkSettings, duration } from '../settings.ts'

/** What a budget counts by. */
export const SCOPES = ['pod', 'workload', 'namespace', 'node', 'cluster'] as const

export type BudgetScope = (typeof SCOPES)[number]

const budget = z.strictObject({
  action: z.string().min(1).default('*').describe('Only steps with this action, a glob, e.g. `kubernetes:*`.'),
  changes: z
    .enum(['destructive', 'reversible'])
    .optional()
    .describe('Only steps that destroy, or that can be taken back. Default: all that change something.'),
  scope: z
    .enum(SCOPES)
    .describe(
      'What has the budget: each pod, each workload (the topmost owner of a pod), each namespace, each node, or the ' +
        'whole cluster.',
    ),
  limit: z.int().min(0).describe('Steps within the window. A step counts once in each scope that it touches.'),
  window: duration().describe('How long a step counts, e.g. `10m`.'),
})

export type Budget = z.output<typeof budget>

/** A breaker that does not open. */
const NEVER = { limit: Number.POSITIVE_INFINITY, window: 0, cooldown: 0 }

const breaker = z.strictObject({
  limit: z
    .int()
    .min(1)
    .default(300)
    .describe('Changing steps asked for within the window; one more opens the breaker. Default 300.'),
  window: duration().prefault('1m').describe('How long a step counts. Default 1m.'),
  cooldown: duration()
    .prefault('5m')
    .describe('How long it stays open at least; longer while so many steps are still asked for. Default 5m.'),
})

const HEALTHY = /^(?:\d+|(?:100|\d{1,2})%)$/

export const guardSettings = z.strictObject({
  protectedNamespaces: z
    .array(z.string())
    .default(['kube-system', 'kube-public', 'kube-node-lease'])
    .describe('Nothing in these namespaces is changed, nor are the namespaces themselves.'),
  protectedOwners: z
    .array(z.string().regex(/^[^/]+\/[^/]+$/, 'must be a kind and a name such as Deployment/kube-dns'))
    .default(['Node/*'])
    .describe(
      'Nothing is changed that is one of these or that one of these owns, however far up: `Kind/name`, globs, e.g. ' +
        '`Deployment/kube-dns`, `DaemonSet/*`. Default `Node/*`: static pods. A node itself is none of these.',
    ),
  protectedLabels: z
    .array(z.string().regex(/^[^=]+(?:=[^=]*)?$/, 'must be a label such as key or key=value'))
    .default(['yarak.dev/protected=true'])
    .describe(
      'Nothing with one of these labels is changed: `key`, or `key=value`. Default `yarak.dev/protected=true`.',
    ),
  protectedNodes: z
    .array(z.string().min(1))
    .default(['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master'])
    .describe(
      'These nodes are not changed: names and globs; or, with a `/` or `=`, labels as in `protectedLabels`. Default: ' +
        'the control plane. What runs on them is not protected by it.',
    ),
  maxEventAge: duration()
    .prefault('5m')
    .describe('Nothing is destroyed because of an event that is older when its response begins.'),
  ownNamespace: z
    .string()
    .optional()
    .describe('The namespace Yarak runs in; protected too. Default, of the binary in a pod: that of the pod.'),
  ownPod: z
    .string()
    .optional()
    .describe('The name of the pod Yarak runs in; protected wherever it is. Default, of the binary in a pod: its own.'),
  minHealthyReplicas: z
    .union([z.int().min(0), z.string().regex(HEALTHY, 'must be a number, or a share such as 50%')])
    .optional()
    .describe(
      'No step destroys what would leave its workload fewer ready replicas: a number, or a share of those desired, ' +
        'rounded up, e.g. `50%`. Judged where the workload tells. Default: no such floor.',
    ),
  budgets: z
    .array(budget)
    .prefault([
      { changes: 'destructive', scope: 'workload', limit: 5, window: '10m' },
      { changes: 'destructive', scope: 'namespace', limit: 20, window: '10m' },
      { changes: 'destructive', scope: 'cluster', limit: 50, window: '10m' },
    ])
    .describe(
      'How many steps may change something. Default, of steps that destroy, in 10 minutes: 5 of a workload (one whose ' +
        'pods are killed again and again is down, and killing them more does not help), 20 of a namespace, 50 of the ' +
        'cluster (beyond it a person should look first). Steps that can be taken back have none.',
    ),
  breaker: z
    .union([breaker, z.literal(false).transform(() => NEVER)])
    .prefault({})
    .describe(
      'When too many changing steps are asked for, none is run for a while, and only notices go out. `false`: never.',
    ),
  replicas: z
    .int()
    .min(1)
    .default(1)
    .describe(
      'How many processes share the work. Each counts for itself, so the limits of budgets and breaker are divided by ' +
        'it, to at least 1. Default 1.',
    ),
})

export type GuardSettings = z.output<typeof guardSettings>

/**
 * Settings as given: checked ones have their durations as numbers.
 * @throws YarakError `config` naming what is wrong
 */
export const readGuards = (given: z.input<typeof guardSettings> | GuardSettings): GuardSettings => {
  if (isChecked(given)) return given
  const [problem] = checkSettings(guardSettings, given)
  if (problem) throw new YarakError('config', `guards: ${problem.message}`)
  return guardSettings.parse(given)
}

const isChecked = (given: z.input<typeof guardSettings> | GuardSettings): given is GuardSettings =>
  typeof given.maxEventAge === 'number'

/** The same guard where time means nothing: of recorded events, and of tests of rules. */
export const timeless = (settings: GuardSettings): GuardSettings => ({
  ...settings,
  maxEventAge: Number.POSITIVE_INFINITY,
  budgets: [],
  breaker: { ...settings.breaker, limit: Number.POSITIVE_INFINITY },
})
