/** Nothing that an attacker writes into an event is read as more than text: by any action, from any field, in any store. */
import { describe, expect, it } from 'vitest'
import { type Action, type Use, z } from '../src/plugin.ts'
import { expectNoCanary } from './injection/canaries.ts'
import { LEAVES, type Leaves } from './injection/leaves-taken.ts'
import { leavesOf, nameOf, withLeaf } from './injection/leaves.ts'
import { EVIL, PAYLOADS } from './injection/payloads.ts'
import { type Row, rowsIn } from './injection/rows.ts'
import { ALL, expectWhole, NAMED, ordinarily, step, trial, useOf } from './injection/trials.ts'
import { aWorld, type World } from './injection/world.ts'
import { recordSpans } from './spans.ts'

const spans = recordSpans()

describe.each(ALL.map(({ type }) => type))('%s', (type) => {
  const rows = rowsIn('/nowhere')[type] ?? []
  const indexes = rows.map((_, index) => index)

  it('has settings here, and every one of them', () => {
    const schema = z.toJSONSchema(NAMED.get(type)?.config ?? z.never(), { io: 'input', unrepresentable: 'any' })
    const named = new Set(rows.flatMap((row) => Object.keys(row.with)))
    expect(rows.length, `${type} has no row in injection/rows.ts`).toBeGreaterThan(0)
    expect([...named].sort()).toEqual(Object.keys(schema.properties ?? {}).sort())
  })

  it.each(indexes)('takes values of an event as values, with settings %i', async (index) => {
    const world = await aWorld()
    const row = rowsIn(world.folder)[type]?.[index] ?? expect.fail('no such row')
    const { gateway, shapes } = await ordinarily(world, type, row)
    await gateway.stop()
    const found: Record<Taken, string[]> = { text: [], checked: [], fixed: [] }
    for (const path of leavesOf(row.with)) {
      const name = nameOf(path)
      const use = madeFrom(type, withLeaf(row.with, path, row.templates?.[name] ?? `{{ ${EVIL} }}`))
      found[use === undefined ? 'fixed' : await throwAll(world, use, row, name)].push(name)
    }
    for (const names of Object.values(found)) names.sort()
    expect(found, 'injection/leaves-taken.ts').toEqual(asFound(LEAVES[type]?.[index]))
    await expectNoCanary(world, spans.all(), shapes)
  })
})

/** What a template in a leaf gives: any text, or only what is valid there; or it may be none. */
type Taken = 'text' | 'checked' | 'fixed'

const asFound = ({ text = '', checked = '', fixed = '' }: Leaves = {}): Record<Taken, string[]> => ({
  text: text.split(' ').filter(Boolean),
  checked: checked.split(' ').filter(Boolean),
  fixed: fixed.split(' ').filter(Boolean),
})

/** Undefined: it is refused as soon as it is loaded. */
const madeFrom = (type: string, settings: unknown): Use<Action> | undefined => {
  try {
    return useOf(type, settings)
  } catch (error) {
    expect(String(error)).toMatch(/must be fixed text|an event may not/)
    return undefined
  }
}

const throwAll = async (world: World, use: Use<Action>, row: Row, leaf: string): Promise<Taken> => {
  const gateway = world.gateway([step(use)])
  const becomes = row.becomes?.[leaf] ?? String
  let taken: Taken = 'checked'
  for (const [name, payload] of Object.entries(PAYLOADS)) {
    await trial(`${name} in ${leaf}`, async () => {
      const mark = world.mark()
      const [report] = await world.respond(gateway, { ...row.fields, [EVIL]: payload })
      await expectWhole(report, becomes(payload), () => world.received(mark))
      if (report?.outcome === 'succeeded') taken = 'text'
    })
  }
  await gateway.stop()
  return taken
}
