/** The same trace as Jaeger has, read back from Tempo. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { About } from './_trace-table.ts'
import { NAMESPACE, type Stage, startStage } from './_trace-stage.ts'
import { answered, expectOpen, expectPassedOn, expectTable, type Whole } from './_trace-whole.ts'
import { kafka } from './kafka.ts'
import { kubernetes } from './kubernetes.ts'
import { tempo } from './tempo.ts'
import { describeParts, running } from './vitest.ts'

describeParts([kafka, kubernetes, tempo], () => {
  const at = running(tempo)
  let stage: Stage
  let pods: About['pod'][]

  beforeAll(async () => {
    stage = await startStage(at().otlpHttp)
    await stage.start()
    const made = await stage.cluster.deployment('web', { namespace: NAMESPACE, replicas: 2 })
    pods = made.map(({ metadata }) => ({ name: metadata?.name ?? '', uid: metadata?.uid ?? '' }))
  }, 120_000)
  afterAll(async () => {
    expect(await stage?.stop()).toBe(0)
  })

  describe.each([
    ['by HTTP', 'http', 0],
    ['from Kafka', 'kafka', 1],
  ] as const)('an alert %s', (_, way, index) => {
    let whole: Whole
    beforeAll(async () => {
      whole = await answered(stage, { ...at(), api: 'tempo' }, way, pods[index] as About['pod'])
    }, 60_000)

    it('has every span of the table below the span of its sender, and no other', () => expectTable(whole))
    it('is open until all that is below it has ended, but for the reception', () => expectOpen(whole))
    it('goes on at both outputs and at whom a step calls', () => expectPassedOn(whole, stage))
  })
})
