import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { folder, ROOT, start, yarak } from './_kit.ts'

const files = folder()

const RULES = `
- rule: Shell
  condition: rule = "Terminal shell in container" and proc.name in (sh, bash)
  steps:
    - action: evidence:save
    - action: kubernetes:label
      id: mark
      with: { labels: { suspicious: 'true', alert: '{{ rule | slug }}' } }
      onError: continue
    - action: kubernetes:terminate
      id: kill
      if: steps.mark.outcome = succeeded
      with: { ignore_daemonsets: true, min_healthy_replicas: 50% }
  notify: [slack/secops]
- rule: Root
  match: { priority: '>=warning' }
  steps: [{ action: local:script, with: { command: [rm, -rf, /], changes: destructive } }]
`

const EVENT = `{ rule: Terminal shell in container, output_fields: { k8s.ns.name: shop, k8s.pod.name: web-1, proc.name: sh } }`
const pod = (kind: string) => `{ pods: [{ namespace: shop, name: web-1, owners: [{ kind: ${kind}, name: web }] }] }`

const cases = (...items: string[]): string => {
  files.write('shell.yaml', RULES)
  return files.write('shell.test.yaml', `cases:\n${items.map((item) => `  - ${item}\n`).join('')}`)
}

const run = (file: string, ...args: string[]) => yarak(['test', file, ...args])

/** The text of one case that is expected to fail. */
const failure = async (expected: string, more = ''): Promise<string> => {
  const { code, out } = await run(cases(`{ name: one, event: ${EVENT}, ${more} expect: ${expected} }`))
  expect(code).toBe(1)
  expect(out).toContain('  ✘ one\n')
  return out.slice(out.indexOf('✘ one'))
}

describe('test', () => {
  it('passes when all comes as expected', async () => {
    const file = cases(
      `{ name: marked and ended, event: ${EVENT}, expect: { rules: [Shell], notices: [slack/secops], refused: [],
         steps: [{ id: mark, outcome: succeeded, with: { labels: { suspicious: 'true' } } }, { id: kill, rule: Shell, outcome: succeeded }] } }`,
      `{ name: nothing, event: { rule: other }, expect: { rules: [], notices: [] } }`,
    )
    expect(await run(file)).toEqual({
      code: 0,
      out: `${file}\n  ✔ marked and ended\n  ✔ nothing\n2 of 2 cases passed\n`,
      err: '',
    })
  })

  it('takes groups, pauses and the lists that come after by the ids of their steps, and no time', async () => {
    files.write(
      'chain.yaml',
      `- rule: Shell
  match: { rules: [Terminal shell in container] }
  steps:
    - parallel: [{ action: log }, { action: log, id: told, with: { message: 'by {{ proc.name }}' } }]
    - wait: 1h
    - { action: kubernetes:label, with: { labels: { alert: '{{ rule | slug }}' } } }
  deadline: 2h
  onFailure: [{ action: log, id: failed, with: { message: 'after {{ steps.wait.outcome }}' } }]
  finally: [{ action: log, id: end }]
`,
    )
    const one = (name: string, event: string, expected: string) =>
      `  - { name: ${name}, event: ${event}, expect: { ${expected} } }\n`
    const label = `{ id: kubernetes-label, outcome: succeeded, with: { labels: { alert: terminal-shell-in-container } } }`
    const told = `{ id: told, with: { message: by sh } }, { id: wait, outcome: succeeded }, { id: end, outcome: succeeded }`
    const after = `{ id: failed, with: { message: after succeeded } }`
    const file = files.write(
      'chain.test.yaml',
      `cases:\n${one('done', EVENT, `steps: [${told}, ${label}], refused: []`)}${one(
        'refused',
        EVENT.replace('shop', 'kube-system'),
        `steps: [${told}, ${after}], refused: [{ step: kubernetes-label, reason: protected-namespace }]`,
      )}`,
    )
    expect(await run(file)).toEqual({ code: 0, out: `${file}\n  ✔ done\n  ✔ refused\n2 of 2 cases passed\n`, err: '' })
  })

  it('changes nothing and runs nothing, whatever a step would do', async () => {
    const file = cases(
      `{ name: rm, event: { rule: x, priority: Critical }, expect: { rules: [Root], steps: [{ id: local-script, outcome: succeeded }] } }`,
    )
    expect((await run(file)).code).toBe(0)
    expect(readFileSync(file, 'utf8')).toContain('rm')
  })

  it('shows what differs', async () => {
    expect(await failure('{ rules: [Root, Shell] }')).toContain(
      'rules\n        - expected ["Root","Shell"]\n        + actual   ["Shell"]\n      Root: false: match.priority: >=warning; priority is "Notice"\n',
    )
    expect(await failure('{ rules: [Shel] }')).toContain('there is no rule "Shel"')
    expect(await failure('{ steps: [{ id: mark, outcome: refused }] }')).toMatch(
      /steps\.mark\.outcome\n {8}- expected refused\n {8}\+ actual {3}succeeded\n/,
    )
    expect(await failure('{ steps: [{ id: mark, with: { labels: { alert: other } } }] }')).toMatch(
      /steps\.mark\.with\n {8}- expected {"labels":{"alert":"other"}}\n {8}\+ actual {3}{"labels":{"suspicious":"true","alert":"terminal-/,
    )
    expect(await failure('{ steps: [{ id: none }] }')).toContain('+ actual   ["evidence-save","mark","kill"]')
    expect(await failure('{ refused: [{ step: mark }] }')).toContain('+ actual   []')
    expect(await failure('{ notices: [] }')).toContain('+ actual   ["slack/secops"]')
  })

  it('tells why a step ended otherwise', async () => {
    const out = await failure('{ steps: [{ id: kill, outcome: succeeded }] }', `cluster: ${pod('DaemonSet')},`)
    expect(out).toContain('+ actual   refused: pod shop/web-1 is of a DaemonSet, which ignore_daemonsets leaves alone')
  })
})

describe('the simulated cluster', () => {
  const expectRefused = async (cluster: string, reason: string) => {
    const expected = `{ rules: [Shell], refused: [{ step: kill, reason: ${reason} }] }`
    const { out } = await run(cases(`{ name: one, event: ${EVENT}, cluster: ${cluster}, expect: ${expected} }`))
    expect(out).toContain('1 of 1 case passed')
  }

  it('has the pods that the case names, with what they name', async () => {
    await expectRefused(pod('DaemonSet'), 'daemonset')
    const good = `{ name: one, event: ${EVENT}, cluster: ${pod('ReplicaSet')}, expect: { steps: [{ id: kill, outcome: succeeded }] } }`
    expect((await run(cases(good))).code).toBe(0)
  })

  it('counts replicas as it is told', async () => {
    const workloads = 'workloads: [{ kind: StatefulSet, namespace: shop, name: web, replicas: 4, ready: 1 }]'
    await expectRefused(
      pod('StatefulSet').replace(' }', ` }`).replace(/}$/, `, ${workloads} }`),
      'min-healthy-replicas',
    )
  })

  it('has no other pods: then the target is gone', async () => {
    const { out } = await run(
      cases(`{ name: one, event: ${EVENT}, cluster: { pods: [] }, expect: { steps: [{ id: mark, outcome: gone }] } }`),
    )
    expect(out).toContain('1 of 1 case passed')
  })

  it('finds a pod by its container', async () => {
    const event = EVENT.replace('k8s.ns.name: shop, k8s.pod.name: web-1', 'container.id: 3ad7b26ded6d')
    const cluster = '{ pods: [{ namespace: shop, name: web-9, node: n1, containers: [3ad7b26ded6d] }] }'
    const { out } = await run(
      cases(
        `{ name: one, event: ${event}, cluster: ${cluster}, expect: { steps: [{ id: mark, outcome: succeeded }], refused: [] } }`,
      ),
    )
    expect(out).toContain('1 of 1 case passed')
  })

  it('may be one for all cases of a file; guards and mode too', async () => {
    files.write('shell.yaml', RULES)
    const file = files.write(
      'all.test.yaml',
      `rules: [shell.yaml]
mode: observe
guards: { protectedNamespaces: [shop] }
cluster: ${pod('ReplicaSet')}
cases:
  - name: refused
    event: ${EVENT}
    expect: { refused: [{ step: mark, reason: protected-namespace }] }
  - name: another cluster
    event: ${EVENT}
    cluster: { pods: [] }
    expect: { refused: [], steps: [{ id: mark, outcome: gone }] }
`,
    )
    expect((await run(file)).out).toContain('2 of 2 cases passed')
  })
})

describe('a case', () => {
  it('may have several events, which join as ever', async () => {
    const file = cases(
      `{ name: twice, events: [${EVENT}, ${EVENT}], expect: { rules: [Shell], refused: [{ step: mark }] } }`,
    )
    expect((await run(file)).out).toContain('+ actual   []')
  })

  it('may have an event that nobody vouches for', async () => {
    const file = cases(
      `{ name: one, authenticated: false, event: ${EVENT}, expect: { refused: [{ step: kill, reason: unauthenticated-source }] } }`,
    )
    expect((await run(file)).code).toBe(0)
  })

  it('may name a file with its event', async () => {
    files.write('e.json', { rule: 'x', priority: 'Critical', time: '2026-01-01T00:00:00Z', output: '' })
    expect((await run(cases(`{ name: one, event: e.json, expect: { rules: [Root] } }`))).code).toBe(0)
    expect((await run(cases(`{ name: one, event: none.json, expect: {} }`))).out).toContain('there is no such file')
  })

  it('fails alone when its event is none', async () => {
    const file = cases(`{ name: bad, event: { rule: 1 }, expect: {} }`, `{ name: good, event: ${EVENT}, expect: {} }`)
    const { code, out } = await run(file)
    expect(code).toBe(1)
    expect(out).toMatch(/✘ bad\n[^]*rule[^]*✔ good\n1 of 2 cases passed, 1 failed\n$/)
  })
})

describe('a file', () => {
  it.each([
    ['cases: []', /test\.yaml:1:\d+: error: cases: must list at least one case/],
    ['case: []', /error: case is not a known setting; did you mean `cases`\?/],
    ['cases: [{ name: a, expect: {} }]', /has either `event` or `events`/],
    ['cases: [{ name: a, event: x, expect: { rule: [] } }]', /cases\[0\]\.expect\.rule is not a known setting/],
    ['cases: [', /error/],
    ['guards: { x: 1 }\nrules: []\ncases: [{ name: a, event: x, expect: {} }]', /guards\.x is not a known setting/],
    ['rules: [none.yaml]\ncases: [{ name: a, event: x, expect: {} }]', /cannot read the rules file .*none\.yaml/],
  ])('with the mistake %j is told of with its place', async (text, message) => {
    const { code, out } = await run(files.write('a.test.yaml', text))
    expect(code).toBe(1)
    expect(out).toMatch(message)
    expect(out).toContain('1 file unusable')
  })

  it('is found in folders; none is a failure', async () => {
    const none = await yarak(['test', files.at('.')])
    expect(none).toMatchObject({ code: 1, out: 'no *.test.yaml found\n' })
    cases(`{ name: one, event: ${EVENT}, expect: { rules: [Shell] } }`)
    files.write('other.yaml', 'not a test')
    expect((await yarak(['test', files.at('.')])).out).toContain('1 of 1 case passed')
    expect((await yarak(['test', files.at('gone.test.yaml')])).out).toContain('cannot read it: there is no such file')
  })
})

describe('results', () => {
  it('come as JSON', async () => {
    const file = cases(`{ name: one, event: ${EVENT}, expect: { rules: [Root] } }`)
    const { code, out } = await run(file, '--json', '--coverage')
    expect(code).toBe(1)
    expect(JSON.parse(out)).toMatchObject({
      ok: false,
      files: [
        {
          file,
          problems: [],
          cases: [{ name: 'one', ok: false, differences: [{ what: 'rules', expected: ['Root'], actual: ['Shell'] }] }],
        },
      ],
      coverage: { rules: { covered: 1, all: 2 }, branches: { covered: 2, all: 4 } },
    })
    expect(JSON.parse((await run(file, '--json')).out)).not.toHaveProperty('coverage')
  })

  it('come as JUnit XML that no name can break', async () => {
    const file = cases(
      `{ name: "<a>&\\u0001\\"'b", event: ${EVENT}, expect: { rules: [] } }`,
      `{ name: fine, event: ${EVENT}, expect: {} }`,
    )
    await run(file, '--junit', files.at('out.xml'))
    const xml = readFileSync(files.at('out.xml'), 'utf8')
    expect(xml).toContain('tests="2" failures="1" errors="0"')
    expect(xml).toContain(`name="&lt;a&gt;&amp;&quot;'b"`)
    expect(xml).toContain('<failure message="rules&#10;  - expected []&#10;')
    await run(files.write('x.test.yaml', 'cases: 1'), '--junit', files.at('out.xml'))
    expect(readFileSync(files.at('out.xml'), 'utf8')).toMatch(/errors="1"[^]*<error message="/)
    expect((await run(file, '--junit', files.at('no/out.xml'))).err).toContain('cannot write')
  })

  it('tell what the events have not seen of the rules', async () => {
    const { out } = await run(cases(`{ name: one, event: ${EVENT}, expect: {} }`), '--coverage')
    expect(out).toMatch(
      /^Shell +1 +0 +2\/4 +rule = "Terminal shell in container": false\n +proc\.name in \(sh, bash\): false\n/m,
    )
    expect(out).toMatch(/^Root +0 +1 +a match$/m)
    expect(out).toContain('rules 1 of 2, branches 2 of 4\n')
  })
})

it('runs again when a file changes, until Ctrl-C', async () => {
  const file = cases(`{ name: one, event: ${EVENT}, expect: { rules: [Shell] } }`)
  const { said, ended, interrupt } = start(['test', file, '--watch'])
  await expect.poll(() => said.out, { timeout: 10_000 }).toContain('1 of 1 case passed')
  files.write('shell.yaml', RULES.replace('rule: Shell', 'rule: Renamed'))
  await expect.poll(() => said.out, { timeout: 10_000 }).toContain('0 of 1 case passed, 1 failed')
  interrupt()
  expect((await ended).code).toBe(0)
})

it('the rules that come with Yarak pass theirs', async () => {
  const { out, code } = await yarak(['test', `${ROOT}/config/rules`])
  expect(out).not.toContain('✘')
  expect(code).toBe(0)
})
