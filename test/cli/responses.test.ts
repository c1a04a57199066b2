/** `yarak responses`: of a gateway that runs, and of one that has ended. */
import { existsSync } from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { label } from '../../src/actions/kubernetes/label.ts'
import { createGateway, type Gateway } from '../../src/index.ts'
import type { Journal, Undone } from '../../src/journal/index.ts'
import type { GatewayOptions } from '../../src/options.ts'
import { kubernetes } from '../../src/resources/kubernetes.ts'
import { aPod } from '../actions/kubernetes/world.ts'
import { notesOf } from '../actions/kubernetes/_notes.ts'
import { type FakeCluster, fakeCluster, status } from '../fake-cluster.ts'
import { alert } from '../kit.ts'
import { report } from '../journal/_kit.ts'
import { journalled } from './_gateway.ts'
import { folder, yarak } from './_kit.ts'

const files = folder()
const { config, leave, run } = journalled(files)

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const ID = 'aa00112233445566778899aabbccddee'
const undone: Undone = {
  ...{ action: 'kubernetes:label', rule: 'Shell', response: ID, step: 'mark', object: 'pod shop/web-1' },
  ...{ outcome: 'succeeded', summary: 'put back', at: '2026-11-23T09:00:00.000Z' },
}
const step = {
  id: 'mark',
  action: 'kubernetes:label',
  outcome: 'succeeded',
  summary: 'labelled pod shop/web-1',
  attempts: 1,
  duration: 12,
} as const

const fill = (journal: Journal): void => {
  journal.settle(
    'e1',
    [report(ID, { rule: 'Shell', target: 'pod/shop/web-1', traceId: 'abc', duration: 1_500, steps: [step] })],
    false,
  )
  journal.settle('e2', [report('ab2', { rule: 'Shell', outcome: 'refused', mode: 'observe' })], false)
  const other = { rule: 'Else', handedOverTo: 'yarak-1' }
  journal.settle('e0', [report('cc0', other)], false)
  journal.settle('e3', [report('ba3', { rule: 'Ev\u001b[2Jil\u202e\n' })], false)
  journal.undone(ID, 'note', undone)
}

/** Of a gateway that has ended, and of one that runs: the file of its configuration. */
const places: [string, () => Promise<string>][] = [
  [
    'the file of one that has ended',
    async () => {
      await leave(fill)
      return config()
    },
  ],
  [
    'a running gateway',
    async () => {
      const { journal } = await run()
      fill(journal)
      return config()
    },
  ],
]

describe.each(places)('of %s', (_what, made) => {
  it('ls lists the latest first, and chooses', async () => {
    const file = await made()
    const { code, out, err } = await yarak(['responses', 'ls', '--config', file])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    const [head, ...rows] = out.trimEnd().split('\n')
    expect(head).toMatch(/^ID +WHEN +OUTCOME +RULE +TARGET$/)
    expect(rows[0]).toMatch(/^ba3 +2026-11-23 08:00:00 +succeeded +Ev\\u001b\[2Jil\\u202e +-$/)
    expect(rows[1]).toMatch(/^cc0 .* succeeded \(handed-over\) +Else +-$/)
    expect(rows[2]).toMatch(/^ab2 .* refused \(observed\) +Shell +-$/)
    expect(rows[3]).toMatch(new RegExp(`^${ID} .* succeeded \\(undone\\) +Shell +pod/shop/web-1$`))
    const ids = async (...more: string[]): Promise<string[]> => {
      const ran = await yarak(['responses', 'ls', '--config', file, '--json', ...more])
      return (JSON.parse(ran.out) as { report: { id: string } }[]).map((one) => one.report.id)
    }
    expect(await ids('--rule', 'Shell')).toEqual(['ab2', ID])
    expect(await ids('--outcome', 'refused')).toEqual(['ab2'])
    expect(await ids('--limit', '1')).toEqual(['ba3'])
    expect((await yarak(['responses', 'ls', '--config', file, '--rule', 'none'])).out).toBe('no responses\n')
  })

  it('show shows one, step by step, found by the beginning of its id', async () => {
    const file = await made()
    const { code, out } = await yarak(['responses', 'show', 'aa', '--config', file])
    expect(code).toBe(0)
    for (const line of [
      /^id +aa0011/m,
      /^rule +Shell$/m,
      /^target +pod\/shop\/web-1$/m,
      /^when +2026-11-23 08:00:00 UTC, for 1\.5 s$/m,
    ])
      expect(out).toMatch(line)
    expect(out).toMatch(/^mark +kubernetes:label +succeeded +labelled pod shop\/web-1 \(undone 2026-11-23 09:00:00\)$/m)
    expect((await yarak(['responses', 'show', 'cc', '--config', file])).out).toMatch(/^handed over to +yarak-1$/m)
    const json = await yarak(['responses', 'show', ID, '--config', file, '--json'])
    expect(JSON.parse(json.out)).toEqual({ report: expect.objectContaining({ id: ID }) as object, undone: [undone] })
    expect(await yarak(['responses', 'show', 'a', '--config', file])).toEqual({
      ...{ code: 1, out: '', err: 'yarak: the ids of several responses begin with a\n' },
    })
    expect(await yarak(['responses', 'show', 'zz', '--config', file])).toEqual({
      ...{ code: 1, out: '', err: 'yarak: there is no response zz in the journal\n' },
    })
  })
})

describe('what it is told wrongly', () => {
  it.each([
    [['ls', '--outcome', 'good'], /Allowed choices are succeeded, failed/],
    [['ls', '--limit', '0'], /whole number, 1 or more/],
    [['show'], /missing required argument 'id'/],
    [['undo'], /missing required argument 'id'/],
  ])('%j is wrong usage', async (args, message) => {
    const { code, err } = await yarak(['responses', ...args])
    expect([code, err]).toEqual([2, expect.stringMatching(message)])
  })

  it('a journal that is not there is told', async () => {
    const file = config()
    const { code, err } = await yarak(['responses', 'ls', '--config', file])
    expect([code, err]).toEqual([1, expect.stringMatching(/^yarak: there is no journal at /)])
  })
})

// ── undo ────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Labelled {
  readonly cluster: FakeCluster
  readonly file: string
  /** The id of the response that labelled the pod. */
  readonly id: string
}

/** A pod that a gateway labels and annotates, which then runs on or ends. */
const labelled = async (ends: boolean): Promise<Labelled> => {
  const cluster = await fakeCluster()
  closing.push(() => cluster.close())
  cluster.add('Pod', aPod({ labels: { app: 'web' } }))
  const settings = { kubeconfig: cluster.kubeconfig }
  const options: GatewayOptions = {
    mode: 'enforce',
    resources: [kubernetes(settings)],
    rules: [
      {
        name: 'Shell',
        steps: [
          { id: 'mark', action: label({ labels: { suspicious: 'true' }, ttl: '1h' }) },
          { id: 'more', action: label({ labels: { more: 'x' } }) },
        ],
      },
    ],
  }
  const answer = async (gateway: Pick<Gateway, 'emit'>): Promise<string> =>
    (await (await gateway.emit(alert())).done)[0]?.id ?? ''
  const resources = { resources: { kubernetes: settings } }
  if (!ends) {
    const { gateway } = await run(undefined, { options })
    return { cluster, id: await answer(gateway), file: config(resources) }
  }
  let id = ''
  await leave(async (journal) => {
    const gateway = createGateway({ ...options, journal })
    id = await answer(gateway)
    await gateway.stop()
  })
  return { cluster, id, file: config(resources) }
}

const labelsOf = (cluster: FakeCluster) => cluster.get('Pod', 'shop', 'web-1')?.metadata.labels

describe.each([
  ['a running gateway', false],
  ['the cluster itself, where none runs', true],
])('undo, by %s', (_what, ends) => {
  it('puts back what the response changed', async () => {
    const { cluster, file, id } = await labelled(ends)
    expect(labelsOf(cluster)).toMatchObject({ suspicious: 'true', more: 'x' })
    const listed = await yarak(['responses', 'ls', '--undoable', '--config', file])
    // who only looks leaves no audit record, which might then be another user's
    expect(existsSync(files.at('data/audit.jsonl'))).toBe(false)
    expect(listed.out).toMatch(new RegExp(`UNDONE AT\\n${id} .* \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d\\n$`))
    expect(await yarak(['responses', 'undo', id.slice(0, 8), '--step', 'more', '--config', file])).toEqual({
      ...{ code: 0, out: 'more: put back on pod shop/web-1: more\n', err: '' },
    })
    expect(labelsOf(cluster)).toMatchObject({ suspicious: 'true' })
    const { code, out } = await yarak(['responses', 'undo', id, '--json', '--config', file])
    expect([code, JSON.parse(out)]).toMatchObject([
      0,
      [{ step: 'mark', outcome: 'succeeded', object: 'pod shop/web-1' }],
    ])
    expect(labelsOf(cluster)).toEqual({ app: 'web' })
    expect((await yarak(['responses', 'ls', '--undoable', '--config', file])).out).toBe('no responses\n')
    expect(await yarak(['responses', 'undo', id, '--config', file])).toEqual({
      ...{ code: 1, out: '', err: `yarak: there is no change of the response ${id} to undo\n` },
    })
  })

  it('says what could not be put back, and exits with 1', async () => {
    const { cluster, file, id } = await labelled(ends)
    cluster.override = ({ method }) => (method === 'PATCH' ? status(403, 'Forbidden', 'pods is forbidden') : undefined)
    const { code, out } = await yarak(['responses', 'undo', id, '--step', 'mark', '--config', file])
    expect([code, out]).toEqual([1, expect.stringMatching(/^mark: refused: cannot patch pods "web-1".*forbidden/)])
    expect(notesOf(cluster.get('Pod', 'shop', 'web-1'))).toHaveLength(2)
  })

  it('finds a whole id also when the journal does not have it', async () => {
    const { cluster, file } = await labelled(ends)
    const pod = cluster.get('Pod', 'shop', 'web-1')
    const [name = '', text = ''] = Object.entries(pod?.metadata.annotations ?? {})[0] ?? []
    const note = { ...(JSON.parse(text) as object), response: ID }
    if (pod)
      cluster.add('Pod', { ...pod, metadata: { ...pod.metadata, annotations: { [name]: JSON.stringify(note) } } })
    expect((await yarak(['responses', 'undo', ID, '--config', file])).code).toBe(0)
    expect((await yarak(['responses', 'undo', ID.slice(0, 9), '--config', file])).err).toBe(
      `yarak: there is no response ${ID.slice(0, 9)} in the journal\n`,
    )
  })
})

it('a gateway tells in its history what it undid', async () => {
  const { file, id } = await labelled(false)
  await yarak(['responses', 'undo', id, '--config', file])
  const { out } = await yarak(['responses', 'show', id, '--config', file])
  expect(out).toMatch(/^mark .*\(undone \d{4}-/m)
})
