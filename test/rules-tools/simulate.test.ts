import { describe, expect, it } from 'vitest'
import { createGateway } from '../../src/index.ts'
import { OutOfReach } from '../../src/rules-tools/offline.ts'
import { simulated } from '../../src/rules-tools/simulate.ts'
import { alert, probe } from '../kit.ts'

type Options = Parameters<typeof probe>[1]

const report = async (
  more: Options,
  run: () => unknown,
  mode: 'observe' | 'enforce' = 'enforce',
  standIns?: Map<string, unknown>,
) => {
  const steps = [probe(run, more)({ value: 'x' })]
  const gateway = createGateway({ mode, rules: simulated([{ name: 'all', steps, join: 0 }], standIns) })
  const [found] = await (await gateway.emit(alert())).done
  await gateway.stop()
  return found?.steps[0]
}

describe('a simulated action', () => {
  it.each(['nothing', 'reversible', 'destructive'] as const)(
    'that changes %s is not run, in either mode',
    async (changes) => {
      let ran = 0
      for (const mode of ['observe', 'enforce'] as const) {
        expect(await report({ changes }, () => ran++, mode)).toMatchObject({
          outcome: 'succeeded',
          summary: 'would run test:probe',
        })
      }
      expect(ran).toBe(0)
    },
  )

  it('with stand-ins validates as in a dry run, when it can', async () => {
    const seen: boolean[] = []
    const run = (_: unknown, step: { dryRun: boolean }) => void seen.push(step.dryRun)
    await report({ dryRun: true, changes: 'destructive' }, run as never, 'enforce', new Map())
    await report({ changes: 'destructive' }, run as never, 'enforce', new Map())
    await report({ dryRun: true, changes: 'destructive' }, run as never)
    expect(seen).toEqual([true])
  })

  it('is judged by the guard on what its resolver says, or else on what the event claims', async () => {
    const system = { kind: 'Pod', key: 'k', namespace: 'kube-system', name: 'x' }
    const own = await report({ changes: 'destructive', target: () => Promise.resolve(system) }, () => {})
    expect(own).toMatchObject({ outcome: 'refused', error: { reason: 'protected-namespace' } })
    const claimed = await report(
      { changes: 'destructive', target: () => Promise.reject(new OutOfReach('x')) },
      () => {},
    )
    expect(claimed).toMatchObject({ outcome: 'succeeded', summary: 'would run test:probe on pod/shop/web-1' })
  })
})
