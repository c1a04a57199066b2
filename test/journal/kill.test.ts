/** What a journal has promised is there after the process was killed. */
import { expect, it } from 'vitest'
import type { Journal } from '../../src/journal/index.ts'
import { child, journals, noneLeft, pendingOf } from './_kit.ts'

const files = journals()
noneLeft()

interface Said {
  readonly accepted: Set<string>
  readonly settling: Set<string>
  readonly settled: Set<string>
}

/** Reads what a process said; the last line may have been cut. */
const read = (out: string): Said => {
  const said: Said = { accepted: new Set(), settling: new Set(), settled: new Set() }
  for (const line of out.split('\n').slice(0, -1)) {
    const [[what, id] = []] = Object.entries(JSON.parse(line) as Record<keyof Said, string>)
    if (what && id) said[what as keyof Said].add(id)
  }
  return said
}

const keptOf = async (journal: Journal): Promise<Set<string>> =>
  new Set((await journal.kept('slack', 0, 1_000_000)).map(({ id }) => id))

it('SIGKILL at 10 random moments loses nothing that was promised, and brings nothing back that was settled', async () => {
  const all: Said = { accepted: new Set(), settling: new Set(), settled: new Set() }
  for (let round = 0; round < 10; round++) {
    const { made, said, ended } = child(['write', files.path()])
    const enough = 1 + Math.floor(Math.random() * 150)
    await expect.poll(() => said.out.split('\n').length, { timeout: 15_000, interval: 1 }).toBeGreaterThan(enough)
    made.kill('SIGKILL')
    const { out, err } = await ended
    expect(err).toBe('')
    const now = read(out)
    for (const what of ['accepted', 'settling', 'settled'] as const) for (const id of now[what]) all[what].add(id)
  }
  const journal = await files.open()
  const left = new Set((await pendingOf(journal)).map(({ id }) => id))
  const kept = await keptOf(journal)
  const owed = [...all.accepted].filter((id) => !all.settling.has(id))
  expect(all.settled.size).toBeGreaterThan(20)
  expect(owed.length).toBeGreaterThan(20)
  expect(owed.filter((id) => !left.has(id) || !kept.has(id) || !journal.facts(id))).toEqual([])
  expect([...all.settled].filter((id) => left.has(id) || kept.has(id) || journal.facts(id))).toEqual([])
  expect(journal.lines).toEqual([])
}, 60_000)
