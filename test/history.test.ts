/** Which responses the journal keeps, as a gateway with a journal shows. */
import { describe, expect, it, onTestFinished } from 'vitest'
import type { GatewayOptions } from '../src/index.ts'
import { memoryJournal } from '../src/journal/memory.ts'
import { YarakError } from '../src/plugin.ts'
import { alert, answering, probe, type Run } from './kit.ts'

const kept = async (run: Run, changes: 'nothing' | 'reversible', options: GatewayOptions & { if?: string } = {}) => {
  const journal = memoryJournal()
  const { if: condition, ...rest } = options
  const action = probe(run, { changes })({})
  const gateway = answering([condition === undefined ? action : { action, if: condition }], { ...rest, journal })
  onTestFinished(() => gateway.stop())
  await (
    await gateway.emit(alert())
  ).done
  return (await journal.responses()).map(({ report }) => report)
}

const fails = (): never => {
  throw new YarakError('failed', 'no luck', { permanent: true })
}

describe('the history', () => {
  it('has responses that changed something, with all their steps', async () => {
    expect(await kept(() => 'done', 'reversible')).toMatchObject([
      { rule: 'all', outcome: 'succeeded', mode: 'enforce', steps: [{ outcome: 'succeeded', summary: 'done' }] },
    ])
  })

  it('has those that would have', async () => {
    expect(await kept(() => 'done', 'reversible', { mode: 'observe' })).toMatchObject([
      { mode: 'observe', steps: [{ simulated: true }] },
    ])
  })

  it('has those that did not succeed', async () => {
    expect(await kept(fails, 'nothing')).toMatchObject([{ outcome: 'failed' }])
  })

  it.each<[string, Run, 'nothing' | 'reversible', string | undefined]>([
    ['only looked', () => 'seen', 'nothing', undefined],
    ['did nothing, as their condition did not hold', () => 'done', 'reversible', 'rule = "Another"'],
    ['found nothing', () => Promise.reject(new YarakError('gone', 'it is gone')), 'reversible', undefined],
  ])('has none of those that %s', async (_what, run, changes, condition) => {
    expect(await kept(run, changes, condition === undefined ? {} : { if: condition })).toEqual([])
  })
})
