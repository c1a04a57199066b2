/** Whatever is done to a journal, and whenever it is opened again, it holds what a simple model says. */
import fc from 'fast-check'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Journal, StoredEvent } from '../../src/journal/index.ts'
import { memoryJournal } from '../../src/journal/memory.ts'
import { sqliteJournal } from '../../src/journal/sqlite.ts'
import { event, letter, notice, pendingOf, recordLog, report } from './_kit.ts'

const id = fc.constantFrom('a', 'b', 'c', 'é\u0000"', '')
const output = fc.constantFrom('slack', 'loki/x')
const text = fc.string({ unit: 'grapheme', maxLength: 20 })
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('accept' as const), id, body: text }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('note' as const), id, key: text, value: fc.jsonValue() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('settle' as const), id, again: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('keep' as const), output, id, body: text }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drop' as const), output, id }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('bury' as const), body: text }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unbury' as const), nth: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

interface Model {
  readonly events: Map<string, StoredEvent>
  readonly facts: Map<string, Map<string, unknown>>
  readonly settled: Set<string>
  readonly notices: Map<string, { output: string; id: string; body: string }>
  letters: string[]
}

const newModel = (): Model => ({
  events: new Map(),
  facts: new Map(),
  settled: new Set(),
  notices: new Map(),
  letters: [],
})

const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

/** Does a step to both; does not wait for the journal. */
const apply = async (model: Model, journal: Journal, one: Exclude<Step, { do: 'reopen' }>): Promise<void> => {
  switch (one.do) {
    case 'accept':
      if (!model.events.has(one.id)) model.events.set(one.id, event(one.id, { body: one.body }))
      return void journal.accept(event(one.id, { body: one.body }))
    case 'note': {
      const facts = model.facts.get(one.id) ?? new Map<string, unknown>()
      model.facts.set(one.id, facts.set(one.key, json(one.value)))
      return void journal.note(one.id, one.key, one.value)
    }
    case 'settle':
      model.events.delete(one.id)
      model.facts.delete(one.id)
      if (one.again) model.settled.add(one.id)
      return journal.settle(one.id, [report(one.id)], one.again)
    case 'keep': {
      const key = JSON.stringify([one.output, one.id])
      if (!model.notices.has(key)) model.notices.set(key, one)
      return void journal.keep(notice(one.id, one.output, { body: one.body }))
    }
    case 'drop':
      model.notices.delete(JSON.stringify([one.output, one.id]))
      return journal.drop(one)
    case 'bury':
      model.letters.push(one.body)
      return journal.bury(letter({ body: one.body }))
    case 'unbury': {
      const doomed = (await journal.letters())[one.nth]
      model.letters = model.letters.filter((_, i) => i !== one.nth)
      expect(await journal.unbury(doomed ? [doomed.id] : [])).toBe(doomed ? 1 : 0)
    }
  }
}

const check = async (model: Model, journal: Journal): Promise<void> => {
  const ids = ['a', 'b', 'c', 'é\u0000"', '']
  const read = await journal.read(ids)
  expect(new Map(read.map((one) => [one.id, one]))).toEqual(model.events)
  for (const one of ids)
    expect([one, json([...(journal.facts(one) ?? [])])]).toEqual([one, [...(model.facts.get(one) ?? [])]])
  expect(ids.filter((one) => journal.wasSettled(one))).toEqual(ids.filter((one) => model.settled.has(one)))
  for (const one of ['slack', 'loki/x']) {
    const kept = (await journal.kept(one, 0, 99)).map(({ id: key, body }) => [key, body])
    const expected = [...model.notices.values()].filter((each) => each.output === one)
    expect(kept).toEqual(expected.map(({ id: key, body }) => [key, body]))
  }
  expect((await journal.letters()).map(({ body }) => body)).toEqual(model.letters)
  expect(await journal.stats()).toMatchObject({ unsettled: model.events.size, deadLetters: model.letters.length })
}

/** Map order of facts is that of their first note in memory, and that of the keys in the file. */
const sorted = (model: Model): Model => ({
  ...model,
  facts: new Map(
    [...model.facts].map(([key, facts]) => [key, new Map([...facts].sort(([a], [b]) => compareBytes(a, b)))]),
  ),
})
const compareBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

it('in memory', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const [model, journal] = [newModel(), memoryJournal()]
      for (const one of steps) if (one.do !== 'reopen') await apply(model, journal, one)
      await check(model, journal)
    }),
    { numRuns: 300 },
  )
})

it('on disk, also after it was closed and opened again', async () => {
  const { log } = recordLog()
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const dir = mkdtempSync(join(tmpdir(), 'yarak-model-'))
      const open = () => sqliteJournal({ path: join(dir, 'journal.db'), log })
      let model = newModel()
      let journal = await open()
      try {
        for (const one of [...steps, { do: 'reopen' as const }]) {
          if (one.do !== 'reopen') {
            await apply(model, journal, one)
            continue
          }
          await check(model, journal)
          await journal.close()
          journal = await open()
          model = sorted(model)
          expect(await pendingOf(journal)).toEqual([...model.events.values()])
          await check(model, journal)
        }
        expect(journal.health().mode).toBe('durable')
      } finally {
        await journal.close()
        rmSync(dir, { recursive: true, force: true })
      }
    }),
    { numRuns: 10 },
  )
})
