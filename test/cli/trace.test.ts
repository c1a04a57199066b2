/** `yarak trace`: of a gateway that runs, and of one that has ended. */
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import type { Journal, Undone } from '../../src/journal/index.ts'
import type { StepReport } from '../../src/plugin.ts'
import { textWidth } from '../../src/text-width.ts'
import { report } from '../journal/_kit.ts'
import { journalled } from './_gateway.ts'
import { closedPort, folder, yarak } from './_kit.ts'

const files = folder()
const { config, leave, run } = journalled(files)

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const OTHER = '4bf9ffffffffffffffffffffffffffff'
const ID = 'aa00112233445566778899aabbccddee'
const UNTRACED = 'ab00112233445566778899aabbccddee'
const LATER = 'bb00112233445566778899aabbccddee'
const REFUSED = 'cc00112233445566778899aabbccddee'

const steps: StepReport[] = [
  {
    ...{
      id: 'mark',
      action: 'kubernetes:label',
      outcome: 'succeeded',
      summary: 'labelled pod shop/web-1',
      attempts: 2,
    },
    ...{ startedAt: '2026-11-23T08:00:00.000Z', duration: 12.34 },
  },
  {
    ...{ id: 'odd', action: 'local:script', outcome: 'failed', summary: 'Ev\u001b[2Jil\u202e', attempts: 1 },
    ...{ startedAt: '2026-11-23T08:00:00.013Z', duration: 3 },
    error: { code: 'failed', reason: 'exit-code', message: 'Ev\u001b[2Jil\u202e' },
  },
]
const undone: Undone = {
  ...{ action: 'kubernetes:label', rule: 'Shell', response: ID, step: 'mark', object: 'pod shop/web-1' },
  ...{ outcome: 'succeeded', summary: 'put back', at: '2026-11-23T09:00:00.000Z' },
}

const fill = (journal: Journal): void => {
  const first = {
    rule: 'Shell',
    outcome: 'failed',
    target: 'pod/shop/web-1',
    traceId: TRACE,
    duration: 16,
    steps,
  } as const
  journal.settle('e1', [report(ID, first)], false)
  const later = { rule: 'Later', traceId: TRACE, startedAt: '2026-11-23T08:00:01.000Z', mode: 'observe' } as const
  journal.settle('e1', [report(LATER, later)], false)
  journal.settle('e2', [report(REFUSED, { rule: 'Other', outcome: 'refused', traceId: OTHER })], false)
  journal.settle('e3', [report(UNTRACED, { rule: 'Quiet' })], false)
  journal.undone(ID, 'note', undone)
}

const LINK = { traceUrl: 'http://jaeger:16686/trace/{traceId}' }

/** Of a gateway that has ended, and of one that runs: the file of its configuration. */
const places: [string, () => Promise<string>][] = [
  [
    'the file of one that has ended',
    async () => {
      await leave(fill)
      return config(LINK)
    },
  ],
  [
    'a running gateway',
    async () => {
      const { journal } = await run()
      fill(journal)
      return config(LINK)
    },
  ],
]

const trace = (file: string, ...args: string[]) => yarak(['trace', ...args, '--config', file])

describe.each(places)('of %s', (_what, made) => {
  it('prints all responses of a trace as one tree, the oldest first', async () => {
    const { code, out, err } = await trace(await made(), TRACE)
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(`\n${out}`).toMatchInlineSnapshot(`
      "
      trace 4bf92f3577b34da6a3ce929d0e0e4736
      respond Shell · enforce            ✘ failed     16.0 ms
      │  response aa00112233445566778899aabbccddee · pod/shop/web-1
      │  2026-11-23 08:00:00 UTC, event e
      │  odd: Ev\\u001b[2Jil\\u202e (exit-code)
      ├─ action kubernetes:label · mark  ✔ succeeded  12.3 ms
      │     2 attempts
      │     labelled pod shop/web-1
      │     undone 2026-11-23 09:00:00 UTC, pod shop/web-1: put back
      └─ action local:script · odd       ✘ failed      3.0 ms
            Ev\\u001b[2Jil\\u202e (exit-code)
      respond Later · observe            ✔ succeeded   1.0 ms
         response bb00112233445566778899aabbccddee
         2026-11-23 08:00:01 UTC, event e
      Reception, calls and notices are in the trace itself, not in the journal: http://jaeger:16686/trace/4bf92f3577b34da6a3ce929d0e0e4736
      "
    `)
  })

  it('finds by response, by trace, and by their beginning', async () => {
    const file = await made()
    const found = async (id: string): Promise<unknown[]> =>
      Array.from((await trace(file, id)).out.matchAll(/^respond (\S+)/gm), ([, rule]) => rule)
    expect(await found(ID)).toEqual(['Shell'])
    expect(await found('bb00')).toEqual(['Later'])
    expect(await found('4bf92')).toEqual(['Shell', 'Later'])
    expect(await found(TRACE.toUpperCase())).toEqual(['Shell', 'Later'])
    expect(await found(`00-${TRACE}-00f067aa0ba902b7-01`)).toEqual(['Shell', 'Later'])
  })

  it('gives the reports as JSON, as `responses show` has them', async () => {
    const file = await made()
    const { code, out } = await trace(file, TRACE, '--json')
    const shown = await Promise.all(
      [ID, LATER].map((id) => yarak(['responses', 'show', id, '--json', '--config', file])),
    )
    expect(code).toBe(0)
    expect(JSON.parse(out)).toEqual(shown.map((one) => JSON.parse(one.out) as unknown))
    expect(out).not.toContain('\u001b')
  })

  it('says what to try when there is nothing, or too much', async () => {
    const file = await made()
    expect(await trace(file, 'dead')).toEqual({
      ...{ code: 1, out: '' },
      err:
        'yarak: the journal has no trace and no response dead: it keeps responses for 7 days, and of those that ' +
        'succeeded only those that changed something, or would have; `yarak responses ls` lists them\n',
    })
    expect(await trace(file, '4bf9', '--json')).toEqual({
      ...{ code: 1, out: '' },
      err: `yarak: the ids of several traces begin with 4bf9: ${OTHER}, ${TRACE}; give more digits\n`,
    })
  })
})

const left = places[0]?.[1] ?? (async () => '')

describe('the tree', () => {
  it('says so when a response was not traced', async () => {
    const { out } = await trace(await left(), 'ab00')
    expect(out).toMatch(/^no trace\nrespond Quiet · enforce /)
    expect(out).toMatch(/\nIt was not traced: of reception, calls and notices nothing is known\.\n$/)
  })

  it('has no link where there is no address of one', async () => {
    await leave(fill)
    const { out } = await trace(config(), TRACE)
    expect(out).toMatch(/\nReception, calls and notices are in the trace itself, not in the journal\n$/)
  })

  it('is painted and cut on a terminal', async () => {
    const { code, out } = await yarak(['trace', TRACE, '--config', await left()], { colours: true, columns: 50 })
    expect(code).toBe(0)
    expect(out).toContain('\u001b[31m✘ failed')
    const tree = out
      .replaceAll(/\u001b\[\d+m/g, '')
      .split('\n')
      .slice(1, -2)
    expect(Math.max(...tree.map(textWidth))).toBeLessThanOrEqual(50)
    expect(tree.some((line) => line.endsWith('…'))).toBe(true)
  })
})

it('shows a response of 10,000 steps, of a journal as the first version left it', async () => {
  const many = Array.from({ length: 10_000 }, (_, i): StepReport => {
    return { id: `s${i}`, action: 'log', outcome: 'succeeded', summary: `said ${i}`, attempts: 1, duration: 1 }
  })
  await leave((journal) => journal.settle('e', [report(ID, { traceId: TRACE, steps: many })], false))
  const db = new DatabaseSync(files.at('data/journal.db'))
  db.exec(
    'DROP INDEX responses_by_trace; ALTER TABLE events DROP COLUMN cluster; ALTER TABLE events DROP COLUMN shared',
  )
  db.exec('PRAGMA user_version = 1')
  db.close()
  const { code, out } = await trace(config(), '4bf9')
  expect(code).toBe(0)
  expect(out.match(/─ action log · s\d+ +✔ succeeded/g)).toHaveLength(10_000)
  expect(out.indexOf('said 9998')).toBeLessThan(out.indexOf('said 9999'))
})

it.each([['abc'], ['xyzw'], ['4bf92f3577b34da6a3ce929d0e0e47360'], [''], ['--help']])('of %j says how', async (id) => {
  const { code, out, err } = await yarak(['trace', id])
  if (id !== '--help') expect([code, out]).toEqual([2, ''])
  expect(id === '--help' ? out : err).toContain(
    id === '--help' ? 'Examples:\n  yarak trace 4bf92f' : 'yarak trace --help',
  )
})

it('asks the gateway at an address, and says when none answers', async () => {
  const port = await closedPort()
  const { code, err } = await yarak(['trace', TRACE, '--url', `http://127.0.0.1:${port}`])
  expect([code, err]).toEqual([1, expect.stringContaining(`no gateway answers at http://127.0.0.1:${port}`)])
})
