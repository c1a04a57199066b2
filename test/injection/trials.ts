/** What the tests of injection do with one action: an ordinary event first, and then what nobody should send. */
import { expect } from 'vitest'
import { actions } from '../../src/actions/index.ts'
import type { StepReport } from '../../src/index.ts'
import type { Action, Use } from '../../src/plugin.ts'
import { pathsIn, shapeOf } from './canaries.ts'
import { EVIL } from './payloads.ts'
import type { Row } from './rows.ts'
import type { World } from './world.ts'

export const ALL = actions as unknown as readonly (Action & ((config: unknown) => Use<Action>))[]
export const NAMED = new Map(ALL.map((action) => [action.type, action]))

export const useOf = (type: string, settings: unknown): Use<Action> =>
  NAMED.get(type)?.(settings) ?? expect.fail(`there is no action ${type}`)

/** What an ordinary event leads to: it succeeds, and these are the paths that are asked for. */
export const ordinarily = async (world: World, type: string, row: Row) => {
  const gateway = world.gateway([step(useOf(type, row.with))])
  const [report] = await world.respond(gateway, { ...row.fields, [EVIL]: 'ordinary' })
  expect(report, `${type}: ${report?.summary}`).toMatchObject({ outcome: 'succeeded' })
  const shapes = new Set(pathsIn(world.tap.taken()).map(shapeOf))
  world.counted = world.cluster.requests.length + world.calls.length
  return { gateway, shapes }
}

export const step = (action: Use<Action>) => (action.plugin.saves === 'always' ? { action, store: 'file' } : { action })

/** Of the ways in which a step ends without having been done, those that tell by name why. */
const NAMED_ENDS: readonly string[] = ['failed', 'gone', 'refused']

/** It was done with exactly this text, or not done, and then it is told by name why. */
export const expectWhole = async (
  report: StepReport | undefined,
  wanted: string | undefined,
  received: () => Promise<ReadonlySet<string>>,
): Promise<void> => {
  if (report?.outcome !== 'succeeded') return expectNamed(report)
  if (wanted !== undefined) expect((await received()).has(wanted), 'it arrived as something else').toBe(true)
}

const expectNamed = (report: StepReport | undefined): void => {
  expect(NAMED_ENDS, report?.summary).toContain(report?.outcome)
  expect(report?.error?.reason, report?.summary).toMatch(/^[a-z0-9-]+$/)
}

/** Says in which trial it was that something does not hold. */
export const trial = async <T>(what: string, run: () => Promise<T>): Promise<T> => {
  try {
    return await run()
  } catch (error) {
    if (error instanceof Error) error.message = `${what}: ${error.message}`
    throw error
  }
}
