/** Rules that name contexts, and chains with everything in them, in `test`, `replay` and `explain`. */
import { describe, expect, it } from 'vitest'
import { alert } from '../kit.ts'
import { folder, yarak } from './_kit.ts'

const files = folder()

const RULES = `- rule: Zone
  match: { rules: [Terminal shell in container] }
  steps:
    - action: kubernetes:label
      id: mark
      with: { labels: { zone: '{{ context.k8snode.topology.zone | slug }}' } }
    - action: log
      id: tell
      if: context.pod.labels.team = sec
      with: { message: 'of {{ rule }}' }
`
const EVENT = `{ rule: Terminal shell in container, output_fields: { k8s.ns.name: shop, k8s.pod.name: web-1 } }`
const GIVEN = `{ k8snode: { topology: { zone: Z 1 } }, pod: { labels: { team: sec } } }`
const CLUSTER = `{ pods: [{ namespace: shop, name: web-1, node: n1, labels: { team: dev } }],
  nodes: [{ name: n1, labels: { topology.kubernetes.io/zone: z-2 } }] }`

const test = async (text: string, rules = RULES) => {
  files.write('zone.yaml', rules)
  return yarak(['test', files.write('zone.test.yaml', text)])
}

const one = (more: string, expected: string): string =>
  `cases: [{ name: one, event: ${EVENT}, ${more} expect: { steps: [${expected}] } }]\n`

const marked = (zone: string): string => `{ id: mark, outcome: succeeded, with: { labels: { zone: ${zone} } } }`

describe('contexts in `test`', () => {
  it.each([
    ['the case gives them', one(`contexts: ${GIVEN},`, `${marked('z-1')}, { id: tell, outcome: succeeded }`)],
    ['the file gives them', `contexts: ${GIVEN}\n${one('', marked('z-1'))}`],
    [
      'the case gives another than the file',
      `contexts: ${GIVEN}\n${one('contexts: { k8snode: { topology: { zone: c } } },', marked('c'))}`,
    ],
    ['the simulated cluster has them', one(`cluster: ${CLUSTER},`, `${marked('z-2')}, { id: tell, outcome: skipped }`)],
    [
      'one is given, the other is in the cluster',
      one(
        `cluster: ${CLUSTER}, contexts: { pod: { labels: { team: sec } } },`,
        `${marked('z-2')}, { id: tell, outcome: succeeded }`,
      ),
    ],
  ])('are known when %s', async (_when, text) => {
    const { out } = await test(text)
    expect(out).toContain('1 of 1 case passed')
  })

  it('fail their step when nothing tells them, which is said', async () => {
    const { code, out } = await test(one('', marked('z')))
    expect(code).toBe(1)
    expect(out).toContain(
      '+ actual   failed: context.k8snode is not known here: kubernetes is not within reach here; a test case gives its members by `contexts`',
    )
  })

  it('are told with their place when there is none of the name', async () => {
    const { code, out } = await test(one('', marked('z')), RULES.replace('context.k8snode', 'context.k8snod'))
    expect(code).toBe(1)
    expect(out).toMatch(
      /zone\.yaml:6:35: error: rule "Zone": steps\[0\]\.with: there is no context k8snod; did you mean `k8snode`\?/,
    )
  })

  it('may be those of a plugin that is not known here, when the file gives them', async () => {
    const rules = RULES.replace('context.k8snode', 'context.vault')
    const given = GIVEN.replace('k8snode', 'vault')
    const { out } = await test(
      `cases:
  - { name: given, event: ${EVENT}, contexts: ${given}, expect: { steps: [${marked('z-1')}] } }
  - { name: not given, event: ${EVENT}, expect: { steps: [{ id: mark, outcome: failed }] } }
`,
      rules,
    )
    expect(out).toContain('2 of 2 cases passed')
  })

  it('are maps of members', async () => {
    const { out } = await test(one('contexts: { k8snode: n1 },', marked('z')))
    expect(out).toContain('error: cases[0].contexts.k8snode must be a map')
  })
})

it('`explain` shows them as not known before the run', async () => {
  const args = ['explain', '-e', files.write('e.json', alert()), '-r', files.write('r.yaml', RULES)]
  const { code, out } = await yarak(args)
  expect(code).toBe(0)
  expect(out).toContain('       context.k8snode: not known before the run\n')
  expect(out).toContain('zone":"{{ context.k8snode.topology.zone | slug }}"}}, the rest in the run')
  expect(out).toContain('       if context.pod.labels.team = sec: known in the run\n')
  const [rule] = (JSON.parse((await yarak([...args, '--json'])).out) as { rules: { steps: object[] }[] }).rules
  expect(rule?.steps).toMatchObject([
    { contexts: ['k8snode'], open: true, faults: [] },
    { contexts: ['pod'], open: false, if: { verdict: 'later' } },
  ])
})

const CHAIN = `- rule: Chain
  match: { rules: [Terminal shell in container] }
  deadline: 2h
  steps:
    - parallel:
        - { action: log, id: one, with: { message: '{{ proc.name }}' } }
        - { action: evidence:save, id: two, onError: continue }
    - { wait: 1h, id: pause, if: steps.one.outcome = succeeded }
    - { action: kubernetes:label, id: mark, with: { labels: { a: '{{ steps.pause.outcome }}' } } }
    - { action: kubernetes:cordon, id: never, if: steps.mark.outcome = failed }
  onFailure:
    - { wait: 30m }
    - { action: log, id: failed, with: { message: '{{ steps.mark.error.reason }}' } }
  finally:
    - parallel: [{ action: log, id: end }, { action: log, id: end2, if: steps.failed.outcome = succeeded }]
`
const INNOCENT = { 'k8s.ns.name': 'shop', 'k8s.pod.name': 'web-1', 'proc.name': 'sh' }

describe('a chain with groups, pauses, onFailure and finally', () => {
  const expected = (mark: string, rest: string): string =>
    `{ steps: [{ id: one, outcome: succeeded }, { id: two, outcome: succeeded }, { id: pause, outcome: succeeded }, ${mark}, ${rest}] }`

  it('is run to its end in `test`, in no time', async () => {
    const fields = (namespace: string): string => JSON.stringify({ ...INNOCENT, 'k8s.ns.name': namespace })
    const event = (namespace: string): string =>
      `{ rule: Terminal shell in container, output_fields: ${fields(namespace)} }`
    const good = `{ id: mark, outcome: succeeded, with: { labels: { a: succeeded } } }`
    const bad = `{ id: mark, outcome: refused }`
    const { out } = await test(
      `cases:
  - name: good
    event: ${event('shop')}
    expect: ${expected(good, '{ id: never, outcome: skipped }, { id: end, outcome: succeeded }, { id: end2, outcome: skipped }')}
  - name: refused
    event: ${event('kube-system')}
    expect: ${expected(bad, '{ id: wait, outcome: succeeded }, { id: failed, outcome: succeeded, with: { message: protected-namespace } }, { id: end2, outcome: succeeded }')}
`,
      CHAIN,
    )
    expect(out).toContain('2 of 2 cases passed')
  })

  it('is counted in `replay`, with what was refused and failed and why', async () => {
    const at = (minutes: number): string => new Date(Date.UTC(2026, 0, 1, 0, minutes)).toISOString()
    const events = [
      alert({ time: at(0), output_fields: INNOCENT }),
      alert({ time: at(5), output_fields: { ...INNOCENT, 'k8s.ns.name': 'kube-system' } }),
      alert({ time: at(10), output_fields: { ...INNOCENT, 'proc.name': undefined } }),
    ]
    const rules = files.write('r.yaml', `${CHAIN}${RULES}`)
    const args = ['replay', files.write('e.jsonl', events), '-r', rules]
    const found = JSON.parse((await yarak([...args, '--json'])).out) as { rules: object[] }
    expect(found.rules).toMatchObject([
      {
        rule: 'Chain',
        responses: 3,
        outcomes: { succeeded: 1, refused: 1, failed: 1 },
        refused: { 'protected-namespace': 1 },
        failed: { 'missing-value': 2 },
      },
      { rule: 'Zone', responses: 3, outcomes: { failed: 3 }, failed: { 'no-context-k8snode': 3 } },
    ])
    expect((await yarak(args)).out).toMatch(/^Zone .*no-context-k8snode 3$/m)
    const other = files.write('c.yaml', `${CHAIN.replace('onError: continue', 'if: proc.name = x')}${RULES}`)
    const against = await yarak([...args, '--against', other])
    expect(against.out).toContain(', two skipped, pause succeeded, mark succeeded')
  })

  it('takes the contexts of a configuration in `replay`', async () => {
    files.write('zone.yaml', RULES)
    const config = files.write('y.yaml', 'version: 1\nrules: [zone.yaml]\n')
    const { out } = await yarak(['replay', files.write('e.jsonl', [alert()]), '-c', config, '--json'])
    expect(JSON.parse(out)).toMatchObject({ rules: [{ failed: { 'no-context-k8snode': 1 } }] })
  })
})
