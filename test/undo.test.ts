/** A gateway takes back what its steps changed: when its time is over, or when somebody asks. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { createGateway, defineAction, type GatewayOptions, YarakError } from '../src/index.ts'
import { memoryJournal } from '../src/journal/memory.ts'
import { defineResource, type Undoable, type UndoStep, z } from '../src/plugin.ts'
import { recordLog } from './journal/_kit.ts'
import { alert, gate } from './kit.ts'
import { recordSpans } from './spans.ts'

const spans = recordSpans()

/** A place with notes, and an action that writes one. */
const place = ({ type = 'test', ttl }: { type?: string; ttl?: number } = {}) => {
  const notes = new Map<string, Undoable>()
  const state = { listed: 0, leading: 0, opened: 0, fail: undefined as unknown, down: undefined as unknown }
  const undone: { readonly note: string; readonly step: UndoStep }[] = []
  const resource = defineResource({
    type,
    summary: 'Keeps notes.',
    config: z.strictObject({}),
    async open() {
      state.opened++
      if (state.down) throw state.down
      return notes
    },
    undos: () => ({
      async list(kinds) {
        state.listed++
        return [...notes.values()].filter(({ object }) => kinds.some(({ resource: one }) => one === object.resource))
      },
      async lead(interval, signal, work) {
        state.leading++
        while (!signal.aborted) {
          await work(signal).catch(() => {})
          await new Promise((done) => setTimeout(done, interval))
        }
        state.leading--
      },
    }),
  })
  const mark = defineAction({
    type: `${type}:mark`,
    summary: 'Writes a note.',
    config: z.strictObject({ name: z.string().default('thing') }),
    changes: 'reversible',
    async run({ name }, { response }) {
      note(name, {
        ...{ rule: response.rule, response: response.id, step: response.step },
        ...(response.traceparent && { traceparent: response.traceparent }),
      })
      return { summary: `marked ${name}` }
    },
    undo: {
      in: resource,
      on: [{ apiVersion: 'v1', resource: 'things' }],
      async run(change, step) {
        if (state.fail) throw state.fail
        undone.push({ note: change.note, step })
        if (!notes.delete(change.note)) throw new YarakError('gone', 'it is gone')
        return { summary: `unmarked ${change.object.name}` }
      },
    },
  })
  let last = 0
  const note = (name: string, more: Partial<Undoable> = {}): void => {
    const at = Date.now() + last++
    notes.set(name, {
      ...{ action: `${type}:mark`, response: 'elsewhere', step: 's', rule: 'r', at: new Date(at).toISOString() },
      ...(ttl !== undefined && { expires: new Date(Date.now() + ttl).toISOString() }),
      ...{ prior: {}, made: {}, note: name },
      object: { apiVersion: 'v1', resource: 'things', kind: 'Thing', namespace: 'shop', name, uid: `uid-${name}` },
      ...more,
    })
  }
  return { mark, resource, notes, note, state, undone }
}

const setUp = (options: GatewayOptions = {}) => {
  const { log, lines } = recordLog()
  const journal = memoryJournal()
  const gateway = createGateway({ mode: 'enforce', log, journal, limits: { sweep: 10 }, ...options })
  onTestFinished(() => gateway.stop({ deadline: 1_000 }))
  const counted = async (name: string): Promise<string[]> =>
    (await (await gateway.ops.request('/metrics')).text()).split('\n').filter((line) => line.startsWith(name))
  return { gateway, lines, journal, counted }
}

const past = (): string => new Date(Date.now() - 1_000).toISOString()
const future = (): string => new Date(Date.now() + 3_600_000).toISOString()

describe('a change whose time is over', () => {
  it('is undone by itself: told, counted, and in a trace of its own that is linked to the response', async () => {
    const { mark, notes } = place({ ttl: 30 })
    const { gateway, lines, counted, journal } = setUp({ rules: [{ name: 'all', steps: [mark({})] }] })
    await gateway.start()
    const { done } = await gateway.emit(alert())
    const [report] = await done
    await expect.poll(() => notes.size).toBe(0)
    await expect
      .poll(() => counted('yarak_undos_total'))
      .toEqual(['yarak_undos_total{action="test:mark",outcome="succeeded"} 1'])
    const respond = spans.one('respond all')
    const undo = spans.one('undo test:mark')
    expect([undo.traceId === respond.traceId, undo.parentId, undo.links]).toEqual([false, undefined, [respond.spanId]])
    expect(undo.attributes).toMatchObject({
      'yarak.action': 'test:mark',
      'yarak.rule': 'all',
      'yarak.response.id': report?.id,
      'yarak.outcome': 'succeeded',
      'yarak.summary': 'unmarked thing',
    })
    expect(lines.filter(({ message }) => message.includes('undone'))).toMatchObject([
      { level: 'info', message: 'a change was undone', fields: { object: 'thing shop/thing', trace_id: undo.traceId } },
    ])
    await expect
      .poll(() => journal.responses())
      .toMatchObject([{ undone: [{ action: 'test:mark', outcome: 'succeeded' }] }])
  })

  it('is undone also when another process made it, and nothing else is', async () => {
    const { mark, notes, note } = place()
    note('over', { expires: past() })
    note('later', { expires: future() })
    note('never')
    note('foreign', { expires: past(), action: 'other:action' })
    const { gateway } = setUp({ rules: [{ name: 'all', steps: [mark({})] }] })
    await gateway.start()
    await expect.poll(() => [...notes.keys()]).toEqual(['later', 'never', 'foreign'])
  })

  it('that is gone needs nothing more', async () => {
    const { mark, note, state, undone } = place()
    state.fail = new YarakError('gone', 'the thing is gone')
    note('over', { expires: past() })
    const { gateway, counted } = setUp({ rules: [{ name: 'all', steps: [mark({})] }] })
    await gateway.start()
    await expect
      .poll(async () => (await counted('yarak_undos_total')).join())
      .toMatch(/^yarak_undos_total\{action="test:mark",outcome="gone"\} /)
    expect(spans.all().find(({ name }) => name === 'undo test:mark')?.failed).toBe(false)
    expect(undone).toEqual([])
  })

  it('that cannot be undone is tried again later and later, and that is told once', async () => {
    const { mark, note, notes, state } = place()
    state.fail = new YarakError('refused', 'forbidden', { permanent: true, reason: 'forbidden' })
    note('over', { expires: past() })
    const { gateway, lines, counted } = setUp({ rules: [{ name: 'all', steps: [mark({})] }] })
    await gateway.start()
    const tries = async () =>
      Number(
        / (\d+)$/.exec((await counted('yarak_undos_total{action="test:mark",outcome="refused"}'))[0] ?? '')?.[1] ?? 0,
      )
    await expect.poll(tries).toBeGreaterThan(2)
    expect(await tries()).toBeLessThan(state.listed)
    const warned = lines.filter(({ message, level }) => message === 'a change could not be undone' && level === 'warn')
    expect(warned).toMatchObject([{ fields: { outcome: 'refused', summary: 'forbidden' } }])
    state.fail = undefined
    await expect.poll(() => notes.size).toBe(0)
  })

  it('does not hold up the others', async () => {
    const { mark, note, notes, state } = place()
    note('bad', { expires: past(), action: 'test:mark' })
    note('good', { expires: past() })
    const { delete: remove } = notes
    notes.delete = (name) => {
      if (name === 'bad') throw new Error('no')
      return remove.call(notes, name)
    }
    const { gateway } = setUp({ rules: [{ name: 'all', steps: [mark({})] }] })
    await gateway.start()
    await expect.poll(() => [...notes.keys()]).toEqual(['bad'])
    expect(state.leading).toBe(1)
  })
})

describe('a gateway looks after changes', () => {
  const quiet = async (state: { listed: number }, gateway: { start(): Promise<void> }) => {
    await gateway.start()
    for (let i = 0; i < 5; i++) await new Promise((done) => setImmediate(done))
    return state.listed
  }

  it('not while it only observes, nor for a rule that does', async () => {
    for (const options of [
      { mode: 'observe' as const },
      { rules: [{ name: 'all', mode: 'observe' as const, steps: [] }] },
    ]) {
      const { mark, state, note } = place()
      note('over', { expires: past() })
      const rule = { name: 'all', ...options.rules?.[0], steps: [mark({})] }
      const { gateway } = setUp({ ...options, rules: [rule] })
      expect([await quiet(state, gateway), state.opened]).toEqual([0, 0])
    }
  })

  it('not by actions that are merely there', async () => {
    const { mark, state } = place()
    const { gateway } = setUp({ undoing: [mark] })
    expect(await quiet(state, gateway)).toBe(0)
  })

  it('of a rule that is no more, where the host has set the place up or a rule acts in it', async () => {
    for (const with_ of ['resources', 'rules']) {
      const { mark, resource, notes, note } = place()
      const other = defineAction({
        ...{ type: 'test:other', summary: 'Another.', config: z.strictObject({}), changes: 'reversible' },
        run: async () => ({ summary: 'x' }),
        undo: {
          in: resource,
          on: [{ apiVersion: 'v1', resource: 'others' }],
          run: async () => ({ summary: 'x' }),
        },
      })
      note('over', { expires: past() })
      const { gateway } = setUp({
        undoing: [mark],
        ...(with_ === 'rules' ? { rules: [{ name: 'all', steps: [other({})] }] } : { resources: [resource({})] }),
      })
      await gateway.start()
      await expect.poll(() => notes.size).toBe(0)
    }
  })

  it('as a reload says, from then on', async () => {
    const { mark, state } = place()
    const rules = [{ name: 'all', steps: [mark({})] }]
    const { gateway, journal } = setUp({ rules: [], journal: memoryJournal() })
    const reload = (mode: 'observe' | 'enforce') => gateway.reload({ rules, mode, journal, limits: { sweep: 10 } })
    await reload('enforce')
    expect(state.leading).toBe(0)
    await gateway.start()
    await expect.poll(() => state.leading).toBe(1)
    await reload('observe')
    await expect.poll(() => state.leading).toBe(0)
    await reload('enforce')
    await expect.poll(() => state.leading).toBe(1)
    await gateway.stop()
    expect(state.leading).toBe(0)
  })

  it('once the place can be opened, and says once that it cannot', async () => {
    const { mark, state, note, notes } = place()
    state.down = new YarakError('unavailable', 'no answer')
    note('over', { expires: past() })
    const { gateway, lines } = setUp({ rules: [{ name: 'all', steps: [mark({})] }] })
    await gateway.start()
    const told = () => lines.filter(({ message }) => message === 'changes are not undone by themselves')
    await expect.poll(told).toHaveLength(1)
    state.down = undefined
    await expect.poll(() => notes.size, { timeout: 5_000 }).toBe(0)
    expect(told()).toMatchObject([{ level: 'warn', fields: { resource: 'test', error: 'no answer' } }])
  })

  it('until it stops, which cuts short what is being undone', async () => {
    const { mark, note, notes } = place()
    const begun = gate()
    note('over', { expires: past() })
    const slow = defineAction({
      ...{ type: 'test:mark', summary: 'x', config: z.strictObject({}), changes: 'reversible' },
      run: async () => ({ summary: 'x' }),
      undo: {
        ...mark.undo!,
        run: (_change, { signal }) => {
          begun.resolve()
          return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
        },
      },
    })
    const { gateway, lines } = setUp({ rules: [{ name: 'all', steps: [slow({})] }] })
    await gateway.start()
    await begun.promise
    await gateway.stop()
    expect(notes.size).toBe(1)
    expect(lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([])
  })
})

describe('asked for', () => {
  it('all that a response changed is undone, the last change first, in any mode and without a start', async () => {
    const { mark, note, undone, notes } = place()
    for (const [name, response] of Object.entries({ one: 'a', two: 'b', three: 'a' }))
      note(name, { response, step: name })
    const { gateway, counted } = setUp({ mode: 'observe', undoing: [mark] })
    expect((await gateway.undoable()).map(({ note: name }) => name)).toEqual(['one', 'two', 'three'])
    expect(await gateway.undo('a')).toMatchObject([
      { step: 'three', object: 'thing shop/three', outcome: 'succeeded', summary: 'unmarked three' },
      { step: 'one', object: 'thing shop/one', outcome: 'succeeded' },
    ])
    expect([undone.map((one) => one.note), [...notes.keys()]]).toEqual([['three', 'one'], ['two']])
    expect(await counted('yarak_undos_total')).toEqual(['yarak_undos_total{action="test:mark",outcome="succeeded"} 2'])
  })

  it('only what a step changed is undone', async () => {
    const { mark, note, notes } = place()
    for (const step of ['one', 'two']) note(step, { response: 'a', step })
    const { gateway } = setUp({ undoing: [mark] })
    await gateway.undo('a', 'two')
    expect([...notes.keys()]).toEqual(['one'])
  })

  it('what is not there is told', async () => {
    const { mark, note } = place()
    note('one', { response: 'a', step: 's' })
    const { gateway } = setUp({ undoing: [mark] })
    await expect(gateway.undo('b')).rejects.toMatchObject({
      code: 'not_found',
      message: 'there is no change of the response b to undo',
    })
    await expect(gateway.undo('a', 't')).rejects.toThrow('there is no change of the step t of the response a to undo')
  })

  it('what fails is an outcome, and the others are undone all the same', async () => {
    const { mark, note, state } = place()
    state.fail = new Error('no luck')
    note('one', { response: 'a' })
    const { gateway, journal } = setUp({ undoing: [mark] })
    expect(await gateway.undo('a')).toMatchObject([{ outcome: 'failed', summary: 'no luck' }])
    expect(spans.one('undo test:mark').failed).toBe(true)
    expect(await journal.responses()).toEqual([])
  })

  it('a place that cannot be looked into is an error', async () => {
    const { mark, state } = place()
    state.down = new YarakError('unavailable', 'no answer')
    const { gateway } = setUp({ undoing: [mark] })
    await expect(gateway.undoable()).rejects.toMatchObject({ code: 'unavailable' })
    await expect(gateway.undo('a')).rejects.toMatchObject({ code: 'unavailable' })
  })
})
