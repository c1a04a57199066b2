/** An event that is hostile in any field leads no action anywhere: not to another target, another path, another program. */
import { describe, expect, it } from 'vitest'
import type { StepReport } from '../../src/index.ts'
import { recordSpans } from '../spans.ts'
import { expectNoCanary } from './canaries.ts'
import { attacks, PAYLOADS } from './payloads.ts'
import { rowsIn } from './rows.ts'
import { ALL, expectWhole, NAMED, ordinarily, trial } from './trials.ts'
import { aWorld, type World } from './world.ts'

const spans = recordSpans()

/** Why there is no such target, or none to be found by this. */
const NO_TARGET = [...['bad-name', 'changed', 'host-process', 'no-target', 'not-found', 'unknown-node', 'unsupported']]

const expectUntouched = (report: StepReport | undefined, world: World, [requests]: readonly number[]): void => {
  expect(NO_TARGET, report?.summary).toContain(report?.error?.reason)
  expect(world.cluster.requests.slice(requests).filter(({ method }) => method !== 'GET')).toEqual([])
}

/** Where a target is looked for. */
const LOOKUPS = new Set(['/api/v1/pods', '/api/v1/nodes/{}', '/api/v1/namespaces/{}/pods/{}'])

/**
 * Actions that find their target by the same function need not all find it by every payload: the first of them does, the
 * others by every eighth, each by its own. It does not depend on the settings.
 */
const targetOf = (type: string, index: number, turn: number): 'none' | 'found' | 'known' => {
  const resolver = NAMED.get(type)?.target
  if (resolver === undefined) return 'none'
  const place = ALL.filter(({ target }) => target === resolver).findIndex((one) => one.type === type)
  return index === 0 && (place === 0 || (turn + place) % 8 === 0) ? 'found' : 'known'
}

describe.each(ALL.map(({ type }) => type))('%s', (type) => {
  const indexes = (rowsIn('/nowhere')[type] ?? []).map((_, index) => index)

  it.each(indexes)('is not led astray by any field, with settings %i', async (index) => {
    const world = await aWorld()
    const row = rowsIn(world.folder)[type]?.[index] ?? expect.fail('no such row')
    const { gateway, shapes } = await ordinarily(world, type, row)
    const ends = new Set<string | undefined>()
    for (const [turn, [name, payload]] of Object.entries(PAYLOADS).entries()) {
      const target = targetOf(type, index, turn)
      for (const { what, fields, misleads } of attacks(payload, row.fields ?? {}, index + type.length, target)) {
        await trial(`${name} in ${what}`, async () => {
          const mark = world.mark()
          const [report] = await world.respond(gateway, fields)
          ends.add(report?.outcome)
          await expectWhole(report, row.tells && payload, () => world.received(mark))
          if (misleads && !row.audited) expectUntouched(report, world, mark)
        })
      }
    }
    await gateway.stop()
    expect(ends).toContain('succeeded')
    await expectNoCanary(world, spans.all(), new Set([...shapes, ...LOOKUPS]))
  })
})
