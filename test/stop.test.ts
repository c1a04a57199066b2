import { describe, expect, it } from 'vitest'
import { defineInput } from '../src/index.ts'
import { z } from '../src/plugin.ts'
import { about, alert, answering, gate, probe, sink } from './kit.ts'

describe('stop', () => {
  it('lets running responses finish', async () => {
    const hold = gate()
    const gateway = answering([probe(() => hold.promise.then(() => 'finished'))({})])
    const { done } = await gateway.emit(alert())
    const stopping = gateway.stop()
    hold.resolve()
    await stopping
    expect((await done)[0]).toMatchObject({ outcome: 'succeeded', steps: [{ summary: 'finished' }] })
  })

  it('cuts short what is not done by the deadline, and says so', async () => {
    let aborted: unknown
    const step = probe(
      (_params, { signal }) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener('abort', () => {
            aborted = signal.reason
            reject(signal.reason as Error)
          }),
        ),
    )
    const { told, use } = sink()
    const gateway = answering([{ action: step({}), retries: 3 }, probe(() => 'never')({})], {
      outputs: [{ output: use, tell: 'responses' }],
    })
    const { done } = await gateway.emit(alert())
    await gateway.stop({ deadline: 20 })
    expect((await done)[0]).toMatchObject({
      outcome: 'interrupted',
      steps: [{ outcome: 'interrupted', attempts: 1 }, { outcome: 'skipped' }],
    })
    expect(aborted).toMatchObject({ code: 'interrupted' })
    expect(told).toEqual([])
  })

  it('leaves what it cuts short unsettled where the source redelivers', async () => {
    const hold = gate()
    const settled: string[] = []
    const input = defineInput({
      type: 'again',
      summary: 'Emits two events and says which are settled.',
      config: z.strictObject({}),
      replayable: true,
      async run(_config, io) {
        for (const [i, pod] of ['quick', 'slow'].entries()) {
          const { done } = await io.emit(about(pod), { position: String(i) })
          void done.then(() => settled.push(pod))
        }
      },
    })
    const step = probe((_params, { target }) => (target.pod === 'slow' ? hold.promise : 'ok'))
    const gateway = answering([step({})], { inputs: [input({})] })
    await gateway.start()
    await gateway.ended()
    await gateway.stop({ deadline: 20 })
    expect(settled).toEqual(['quick'])
    expect(gateway.health().unsettled).toBe(1)
  })
})
