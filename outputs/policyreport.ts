/** Policy reports in the cluster: one for each namespace, and one for what is of none. */
import { defineOutput, type FailedItem, messageOf, type Notice, YarakError, z } from '../src/plugin.ts'
import { apiPath, type Clients, kubernetes } from '../src/resources/kubernetes.ts'
import { unlessAborted } from './_connection.ts'
import { isKubeName, isReason, isWithoutNamespace, kubeName } from './_kube.ts'
import {
  type Bounds,
  emptyReport,
  namespaceOf,
  type PolicyReport,
  REPORT_API,
  resultOf,
  withResults,
} from './_policy-report.ts'
import { serial } from './_serial.ts'

const config = z.strictObject({
  falcoNamespace: kubeName()
    .optional()
    .describe('Where results go whose namespace does not exist. Default: the namespace that Yarak is in.'),
  maxEvents: z
    .int()
    .min(1)
    .max(10_000)
    .default(1_000)
    .describe('How many results a report keeps; of about 1 MB at most. Default 1000.'),
  pruneByPriority: z
    .boolean()
    .default(false)
    .describe('When it is full, the results of the least severity go first. Default false: the oldest.'),
})

/** Times that a report is read and written again after somebody else has written it. */
const TRIES = 8

const pathOf = ({ kind }: PolicyReport, namespace: string | undefined, name?: string): string =>
  kind === 'PolicyReport'
    ? apiPath(REPORT_API, 'namespaces', namespace, 'policyreports', name)
    : apiPath(REPORT_API, 'clusterpolicyreports', name)

type Send = Clients['send']

const current = async (send: Send, empty: PolicyReport, namespace: string | undefined) => {
  try {
    return (await send({ method: 'GET', path: pathOf(empty, namespace, empty.metadata.name) })) as PolicyReport
  } catch (error) {
    if (isReason(error, 'not-found')) return undefined
    throw error
  }
}

/** Reads the report, adds the results and writes it, as often as somebody else was faster. */
const add = async (send: Send, notices: readonly Notice[], namespace: string | undefined, bounds: Bounds) => {
  const empty = emptyReport(namespace)
  const results = notices.map((notice) => resultOf(notice, namespace))
  for (let left = TRIES; ; left--) {
    try {
      const there = await current(send, empty, namespace)
      const body = withResults(there ?? empty, results, bounds)
      const path = pathOf(empty, namespace, there && empty.metadata.name)
      await send({ method: there ? 'PUT' : 'POST', path, query: { fieldManager: 'yarak' }, body })
      return
    } catch (error) {
      if (left === 0 || !isReason(error, 'conflict', 'already-exists')) throw error
    }
  }
}

/** To the report of the namespace; to that of `fallback` where there is no such namespace. */
const addOrFallBack = async (
  send: Send,
  notices: readonly Notice[],
  namespace: string | undefined,
  fallback: string,
  bounds: Bounds,
): Promise<void> => {
  if (namespace === undefined || namespace === fallback) return add(send, notices, namespace, bounds)
  if (!isKubeName(namespace)) return add(send, notices, fallback, bounds)
  try {
    await add(send, notices, namespace, bounds)
  } catch (error) {
    if (!isWithoutNamespace(error)) throw error
    await add(send, notices, fallback, bounds)
  }
}

/** One write for each report; `failed` names the notices of those that were not written. */
const writeAll = async (
  notices: readonly Notice[],
  write: (some: readonly Notice[], namespace: string | undefined) => Promise<void>,
): Promise<void> => {
  const failed: FailedItem[] = []
  let last: YarakError | undefined
  for (const [namespace, items] of Map.groupBy(notices.entries(), ([, notice]) => namespaceOf(notice))) {
    try {
      await write(
        items.map(([, notice]) => notice),
        namespace,
      )
    } catch (error) {
      if (!(error instanceof YarakError) || error.code === 'interrupted') throw error
      last = error
      failed.push(...items.map(([index]) => ({ index, permanent: error.permanent, reason: error.reason })))
    }
  }
  if (!last) return
  const { code, reason, retryAfter } = last
  throw new YarakError(code, messageOf(last), {
    ...{ cause: last, reason, failed, permanent: failed.every(({ permanent }) => permanent) },
    ...(retryAfter !== undefined && { retryAfter }),
  })
}

/**
 * Keeps each notice as a result of the policy report of its namespace, else of that of the cluster.
 *
 * Source: the `policyreport` output of Falcosidekick 2.x (`outputs/policyreport.go`);
 * https://github.com/kubernetes-sigs/wg-policy-prototypes/tree/master/policy-report
 * @example policyreport({ maxEvents: 500, pruneByPriority: true })
 */
export const policyreport = defineOutput({
  type: 'policyreport',
  summary: 'Keeps the events as results of policy reports in the cluster.',
  notes: `
The report \`falco-policy-report\` of the namespace of the event (\`k8s.ns.name\`, else \`ka.target.namespace\`), else
\`falco-cluster-policy-report\`, in the cluster of the resource \`kubernetes\`, which must serve
\`wgpolicyk8s.io/v1alpha2\`. An event is skip below Warning, warn at Warning, fail above. The report of a response is a
result with the source \`Yarak\`, the policy \`response\` and the category IR: pass when it succeeded, skip when there was
nothing to do, warn when it was refused, error else. Many notices are one write of each report.

| API group | Resources | Verbs |
|---|---|---|
| wgpolicyk8s.io | \`policyreports\`, \`clusterpolicyreports\` | get, create, update |

Differences from Falcosidekick: a report that somebody else has written meanwhile is read and written again; timestamps
are seconds since 1970; a namespace that does not exist is no fault, also of an event that names no object;
\`pruneByPriority\` holds; a report stays below 1 MB, so that etcd takes it, and messages, values and the number of fields
are cut for it; a null field is left out, other values that are not text are JSON; a Secret is of the kind Secret; new
reports are labelled \`managed-by: yarak\`; namespaces are not read; in place of \`kubeconfig\` there is the resource
\`kubernetes\`; events of all sources are kept, set \`condition: source in (syscall, syscalls, k8saudit)\` for its choice.
`.trim(),
  config,
  batch: 200,
  linger: 1_000,
  permissions: [
    {
      apiGroups: ['wgpolicyk8s.io'],
      resources: ['policyreports', 'clusterpolicyreports'],
      verbs: ['get', 'create', 'update'],
    },
  ],
  preview: (notice) => resultOf(notice, namespaceOf(notice)),
  open: ({ falcoNamespace, ...bounds }, io) => {
    const inTurn = serial()
    const write = async (notices: readonly Notice[], signal: AbortSignal): Promise<void> => {
      signal.throwIfAborted()
      const cluster = await io.use(kubernetes)
      const { send } = cluster.as({ call: io.call, signal })
      const fallback = falcoNamespace ?? cluster.namespace
      await writeAll(notices, (some, namespace) => addOrFallBack(send, some, namespace, fallback, bounds))
    }
    return {
      // Two writes of one report at a time would be each other's conflict.
      send: (notices, signal) =>
        unlessAborted(signal, 'the policy reports', () => inTurn(() => write(notices, signal))),
    }
  },
  example: { config: { maxEvents: 500, pruneByPriority: true } },
})
