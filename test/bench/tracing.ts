/** Rows about what tracing costs: events per second of CPU with every span exported, of those without tracing. */
import { kubernetes, type RunningKubernetes } from '../real/kubernetes.ts'
import { type Child, start } from './child.ts'
import type { Opened, Row } from './measure.ts'

const roundOf = (child: Child) => async (): Promise<number> => {
  process.kill(child.pid, 'SIGUSR2')
  return (await child.next())['rate'] as number
}

const row = (
  kind: string,
  {
    what,
    goal,
    missing,
    target,
  }: Pick<Row, 'what' | 'goal'> & {
    readonly missing?: () => string | undefined
    /** What the events need, and how it is stopped. */
    readonly target: (sink: string) => Promise<{ readonly at: string; readonly close?: () => Promise<void> }>
  },
): Row => ({
  name: `tracing-${kind}`,
  what: `${what}, every span exported, of the same without tracing`,
  unit: 'events per CPU-second',
  goal,
  ...(missing && { missing }),
  async open(): Promise<Opened> {
    const sink = start('sink.ts')
    const url = (await sink.next())['url'] as string
    const { at, close } = await target(url)
    const traced = start('trace-yarak.ts', [kind, at, url])
    const plain = start('trace-yarak.ts', [kind, at, '-'])
    await Promise.all([traced.next(), plain.next()])
    return {
      ours: roundOf(traced),
      anchor: roundOf(plain),
      async close() {
        await Promise.all([traced.stop(), plain.stop()])
        await sink.stop()
        await close?.()
      },
    }
  },
})

const withPods = async () => {
  await kubernetes.ensure(console.error)
  const running: RunningKubernetes = await kubernetes.start()
  await running.cluster.namespace('bench')
  for (let n = 0; n < 8; n++) await running.cluster.pod(`web-${n}`, { namespace: 'bench' })
  return { at: running.addresses.kubeconfig, close: () => running.stop() }
}

export const tracingRows: readonly Row[] = [
  row('unmatched', { what: 'events that nobody wants', goal: 1 / 1.03, target: () => Promise.resolve({ at: '-' }) }),
  row('notify', { what: 'events that one webhook is told', goal: 1 / 1.6, target: (at) => Promise.resolve({ at }) }),
  row('action', {
    what: 'events of which each labels a pod on a real API server',
    goal: 1 / 1.12,
    missing: () => kubernetes.missing(),
    target: withPods,
  }),
]
