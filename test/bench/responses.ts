/** Rows about responses on a real API server. */
import { label } from '../../src/actions/kubernetes/label.ts'
import { createGateway, defineAction, type Gateway } from '../../src/index.ts'
import { z } from '../../src/plugin.ts'
import { kubernetes as cluster } from '../../src/resources/kubernetes.ts'
import { kubernetes, type RunningKubernetes } from '../real/kubernetes.ts'
import type { Opened, Row } from './measure.ts'

/** Responses of one round. */
const RESPONSES = 200
const NAMESPACE = 'bench'

/** Takes 60 s and touches nothing, as a capture does. */
const capture = defineAction({
  type: 'bench:capture',
  summary: 'Takes a minute.',
  config: z.strictObject({}),
  changes: 'nothing',
  concurrency: 4,
  timeout: 90_000,
  run: (_params, { signal }) =>
    new Promise((resolve) => {
      const timer = setTimeout(() => resolve({ summary: 'done' }), 60_000)
      signal.addEventListener('abort', () => (clearTimeout(timer), resolve({ summary: 'cut short' })))
    }),
})

const gatewayOn = (kubeconfig: string): Gateway =>
  createGateway({
    mode: 'enforce',
    resources: [cluster({ kubeconfig })],
    rules: [
      { name: 'mark', match: { rules: ['Mark'] }, join: 0, steps: [label({ labels: { seen: '{{ uuid }}' } })] },
      { name: 'capture', match: { rules: ['Capture'] }, join: 0, steps: [capture({})] },
    ],
  })

const alertOf = (rule: string, pod: string, uuid: string) => ({
  rule,
  uuid,
  priority: 'Warning',
  time: new Date().toISOString(),
  output: 'x',
  output_fields: { 'k8s.ns.name': NAMESPACE, 'k8s.pod.name': pod },
})

/** Reciprocal of the 99th percentile of the seconds from alert to the answered PATCH. */
const alertToPatch = async (gateway: Gateway): Promise<number> => {
  const took: number[] = []
  for (let n = 0; n < RESPONSES; n++) {
    const started = performance.now()
    const [report] = await (await gateway.emit(alertOf('Mark', 'web-1', `n${n}`))).done
    if (report?.outcome !== 'succeeded') throw new Error(`not labelled: ${JSON.stringify(report)}`)
    took.push(performance.now() - started)
  }
  const p99 = took.toSorted((a, b) => a - b)[Math.floor(RESPONSES * 0.99)] ?? Number.NaN
  return 1_000 / p99
}

const withCaptures = async (kubeconfig: string): Promise<number> => {
  const gateway = gatewayOn(kubeconfig)
  for (const pod of ['web-2', 'web-3', 'web-4', 'web-5']) await gateway.emit(alertOf('Capture', pod, pod))
  try {
    return await alertToPatch(gateway)
  } finally {
    await gateway.stop({ deadline: 0 })
  }
}

const quiet = async (kubeconfig: string): Promise<number> => {
  const gateway = gatewayOn(kubeconfig)
  try {
    return await alertToPatch(gateway)
  } finally {
    await gateway.stop()
  }
}

const open = async (): Promise<Opened> => {
  await kubernetes.ensure(console.error)
  const running: RunningKubernetes = await kubernetes.start()
  const { kubeconfig } = running.addresses
  await running.cluster.namespace(NAMESPACE)
  await running.cluster.pod('web-1', { namespace: NAMESPACE })
  return {
    ours: () => withCaptures(kubeconfig),
    anchor: () => quiet(kubeconfig),
    close: () => running.stop(),
  }
}

export const responseRows: readonly Row[] = [
  {
    name: 'slow-step',
    what: '99th percentile from alert to PATCH with four captures of 60 s on other pods in flight, of that without any',
    unit: '/s',
    goal: 0.67,
    missing: () => kubernetes.missing(),
    open,
  },
]
