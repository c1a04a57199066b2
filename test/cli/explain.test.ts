import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { about, alert } from '../kit.ts'
import { folder, launch, noneLeft, ROOT, yarak } from './_kit.ts'

const files = folder()
noneLeft()

const RULES = `
- rule: Shell
  match: { rules: [Terminal shell in container], priority: '>=notice' }
  condition: proc.name in (sh, bash) and not k8s.pod.label.team = ops
  steps:
    - action: evidence:save
      id: evidence
    - action: kubernetes:label
      id: mark
      if: steps.evidence.outcome = succeeded
      with: { labels: { alert: '{{ rule | slug }}', made: '{{ steps.evidence.outcome }}' } }
    - action: kubernetes:terminate
      if: k8s.ns.name = shop
      with: { min_healthy_replicas: 2 }
  notify: [slack/secops]
- rule: Reads
  mode: observe
  match: { rules: [Read sensitive file untrusted] }
  steps: [{ action: log }]
- rule: Root
  condition: proc.name = bash and (user.uid = 0 or user.name = root)
  steps: [{ action: log, with: { message: '{{ user.name }}' } }]
`

interface Explained {
  readonly rules: readonly { rule: string; matched: boolean; why: object; steps?: readonly Record<string, unknown>[] }[]
  readonly target: { key?: string }
  readonly permissions: readonly object[]
}

const explain = async (event: object, rules = RULES): Promise<Explained> => {
  const args = ['-e', files.write('e.json', event), '-r', files.write('r.yaml', rules), '--json']
  const { code, out, err } = await yarak(['explain', ...args])
  expect({ code, err }).toEqual({ code: 0, err: expect.not.stringContaining('error:') as string })
  return JSON.parse(out) as Explained
}

const ruleOf = ({ rules }: Explained, name: string) => rules.find(({ rule }) => rule === name)
const stepOf = (explained: Explained, name: string, id: string) =>
  ruleOf(explained, name)?.steps?.find((step) => step['id'] === id)

describe('explain tells', () => {
  it('which rules match, and of the others the first false part with what the event has', async () => {
    const { rules, target } = await explain(alert())
    expect(target).toMatchObject({ key: 'pod/shop/web-1' })
    expect(rules.map(({ rule, matched }) => [rule, matched])).toEqual([
      ['Shell', true],
      ['Reads', false],
      ['Root', false],
    ])
    expect(rules[1]?.why).toMatchObject({
      falsePart: 'match.rules: Read sensitive file untrusted',
      actual: [{ name: 'rule', value: 'Terminal shell in container' }],
    })
    expect(rules[2]?.why).toMatchObject({
      falsePart: 'user.uid = 0 or user.name = root',
      actual: [
        { name: 'user.uid', absent: true },
        { name: 'user.name', absent: true },
      ],
    })
  })

  it.each([
    [{ priority: '>=error' }, 'match.priority: >=error', [{ name: 'priority', value: 'Notice' }]],
    [{ source: 'k8s_audit' }, 'match.source: k8s_audit', [{ name: 'source', value: 'syscall' }]],
    [{ tags: ['a,b', 'c'] }, 'match.tags: a,b | c', [{ name: 'tags', value: [] }]],
    [
      { output_fields: ['proc.name=sh, user.name!=x'] },
      'match.output_fields: proc.name=sh, user.name!=x',
      [
        { name: 'proc.name', value: 'bash' },
        { name: 'user.name', absent: true },
      ],
    ],
  ])('the criterion of %j that does not hold', async (match, falsePart, actual) => {
    const rule = [{ rule: 'A', match, steps: [{ action: 'log' }] }]
    const { rules } = await explain(alert(), JSON.stringify(rule))
    expect(rules[0]?.why).toEqual({ falsePart, actual, throughAbsent: [] })
  })

  it("that Falco's own reports match only what asks for them", async () => {
    const { rules } = await explain(
      alert({ source: 'internal' }),
      "- { rule: A, match: { priority: '>=debug' }, steps: [{ action: log }] }",
    )
    expect(rules[0]).toMatchObject({ matched: false, why: { actual: [{ name: 'source', value: 'internal' }] } })
  })

  it('a match that holds only because a field is absent', async () => {
    expect(ruleOf(await explain(alert()), 'Shell')?.why).toEqual({ throughAbsent: ['k8s.pod.label.team'] })
  })

  it('steps with their settings rendered as far as they are known, and `if` where it can be told', async () => {
    const explained = await explain(alert())
    expect(stepOf(explained, 'Shell', 'mark')).toMatchObject({
      action: 'kubernetes:label',
      changes: 'reversible',
      if: { text: 'steps.evidence.outcome = succeeded', verdict: 'later' },
      with: { labels: { alert: 'terminal-shell-in-container', made: '{{ steps.evidence.outcome }}' } },
      open: true,
      faults: [],
      guard: { allowed: true },
    })
    expect(stepOf(explained, 'Shell', 'kubernetes-terminate')).toMatchObject({
      if: { verdict: 'holds' },
      changes: 'destructive',
    })
    const elsewhere = await explain(
      alert({ output_fields: { 'k8s.ns.name': 'x', 'k8s.pod.name': 'y', 'proc.name': 'sh' } }),
    )
    expect(stepOf(elsewhere, 'Shell', 'kubernetes-terminate')).toMatchObject({ if: { verdict: 'does not hold' } })
  })

  it('a template without a value, and rendered settings that are wrong', async () => {
    const fields = { 'proc.name': 'bash', 'user.uid': 0 }
    const root = await explain(alert({ output_fields: fields }))
    expect(stepOf(root, 'Root', 'log')).toMatchObject({
      faults: ['{{ user.name }} has no value; give one with | default:'],
    })
    const wrong =
      "- { rule: A, condition: rule exists, steps: [{ action: kubernetes:label, with: { labels: { a: '{{ output }}' } } }] }"
    const { rules } = await explain(alert({ output: 'no label!' }), wrong)
    expect(rules[0]?.steps?.[0]?.['faults']).toEqual([expect.stringContaining('labels')])
  })

  it.each([
    ['kube-system', { 'k8s.ns.name': 'kube-system', 'k8s.pod.name': 'dns', 'proc.name': 'sh' }, 'protected-namespace'],
    ['no target', { 'proc.name': 'sh' }, 'no-target'],
    ['a process of the node', { 'container.id': 'host', 'proc.name': 'sh' }, 'host-process'],
  ])('what the guard or the action refuses: %s', async (_what, output_fields, reason) => {
    const explained = await explain(alert({ output_fields }))
    expect(stepOf(explained, 'Shell', 'mark')).toMatchObject({ guard: { allowed: false, reason } })
    expect(stepOf(explained, 'Shell', 'evidence')).toMatchObject({ guard: { allowed: true } })
  })

  it('which permissions the steps of matching rules need, merged', async () => {
    const { permissions } = await explain(alert())
    expect(permissions[0]).toEqual({ apiGroups: [''], resources: ['pods'], verbs: ['delete', 'get', 'list', 'patch'] })
    expect(permissions).toContainEqual({ apiGroups: ['apps'], resources: ['replicasets'], verbs: ['get'] })
    expect((await explain(alert({ rule: 'other', output_fields: {} }))).permissions).toEqual([])
  })

  it('no secret of a step', async () => {
    const rule = `- rule: A
  condition: rule exists
  steps: [{ action: http:request, with: { url: 'https://x.example/', headers: { Authorization: p4ss } } }]`
    expect(JSON.stringify(await explain(alert(), rule))).not.toMatch(/p4ss/)
  })
})

describe('the text', () => {
  it('is what people read', async () => {
    const event = files.write('e.json', alert({ time: '2026-11-23T08:00:00.123456789Z' }))
    const rules = files.write('r.yaml', RULES)
    const { code, out, err } = await yarak(['explain', '-e', event, '-r', rules])
    expect(code).toBe(0)
    expect(err).toMatch(/r\.yaml:4:46: warning: [^]*\n1 warning\n$/)
    expect(out.replaceAll(rules, 'r.yaml').replace(/( {2}get apps\/\S+\n| {2}get batch\/\S+\n)+$/, '')).toBe(
      `event   Terminal shell in container (Notice, syscall, 2026-11-23T08:00:00.123456789Z)
target  pod/shop/web-1 (namespace shop, pod web-1)

✔ Shell  r.yaml:2
    ! matches only because k8s.pod.label.team is absent
    1. evidence:save (evidence), changes nothing
    2. kubernetes:label (mark), changes reversible
       if steps.evidence.outcome = succeeded: known in the run
       with {"labels":{"alert":"terminal-shell-in-container","made":"{{ steps.evidence.outcome }}"}}, the rest in the run
    3. kubernetes:terminate, changes destructive
       if k8s.ns.name = shop: holds
       with {"min_healthy_replicas":2}
    notify slack/secops
✘ Reads  r.yaml:16
    false: match.rules: Read sensitive file untrusted
    rule: "Terminal shell in container"
✘ Root  r.yaml:20
    false: user.uid = 0 or user.name = root
    user.uid: absent
    user.name: absent

Kubernetes permissions of the rules that match:
  delete,get,list,patch pods
`,
    )
  })

  it('shows what refuses, what fails and who only observes', async () => {
    const event = files.write(
      'e.json',
      alert({ rule: 'Read sensitive file untrusted', output_fields: { 'user.uid': 0, 'proc.name': 'bash' } }),
    )
    const { out } = await yarak(['explain', '-e', event, '-r', files.write('r.yaml', RULES)])
    expect(out).toContain('✔ Reads')
    expect(out).toContain('(observe: nothing is changed)')
    expect(out).toContain('would fail: {{ user.name }} has no value')
    const none = await yarak([
      'explain',
      '-e',
      files.write('f.json', alert({ output_fields: { 'proc.name': 'sh' } })),
      '-r',
      files.at('r.yaml'),
    ])
    expect(none.out).toContain('refused: the event names no target that can be found (no-target)')
  })

  it('lets no event move the cursor', async () => {
    const event = files.write('e.json', alert({ rule: 'x\u001b[2J' }))
    const { out } = await yarak(['explain', '-e', event, '-r', files.write('r.yaml', RULES)])
    expect(out).not.toContain('\u001b')
  })

  it('says that there are no rules', async () => {
    const { out } = await yarak(['explain', '-e', files.write('e.json', alert()), '-r', files.write('r.yaml', '[]')])
    expect(out).toContain('There are no rules.')
  })
})

const CHAIN = `
- rule: Shell
  match: { rules: [Terminal shell in container] }
  steps:
    - parallel:
        - { action: evidence:save, onError: continue }
        - { action: kubernetes:label, id: mark, with: { labels: { a: b } } }
    - { wait: 30s, if: steps.mark.outcome = succeeded }
    - { action: log, id: last, dryRun: true }
  onFailure: [{ action: log }]
  finally: [{ wait: 1s, id: pause }, { action: kubernetes:cordon, onError: stop }]
`

describe('a chain', () => {
  it('is shown as it stands: groups, pauses, and what comes after', async () => {
    const args = ['explain', '-e', files.write('e.json', alert()), '-r', files.write('r.yaml', CHAIN)]
    const { out } = await yarak(args)
    expect(out.slice(out.indexOf('✔'), out.indexOf('\n\nKubernetes')).replace(/ {2}\S*r\.yaml:2/, '')).toBe(`✔ Shell
    1. at the same time
       1.1. evidence:save, changes nothing
          when it fails: continue
       1.2. kubernetes:label (mark), changes reversible
          with {"labels":{"a":"b"}}
    2. wait 30 s
       if steps.mark.outcome = succeeded: known in the run
    3. log (last), changes nothing
       dryRun: it is only shown
    when a step fails that stops the others:
    1. log, changes nothing
    at the end, whatever happened:
    1. wait 1 s (pause)
    2. kubernetes:cordon, changes reversible`)
  })

  it('is told as JSON in the same shape, with the permissions of all its steps', async () => {
    const explained = await explain(alert(), CHAIN)
    expect(ruleOf(explained, 'Shell')).toMatchObject({
      steps: [
        { parallel: [{ action: 'evidence:save', onError: 'continue' }, { id: 'mark' }] },
        { wait: 30_000, if: { verdict: 'later' } },
        { id: 'last', dryRun: true },
      ],
      onFailure: [{ action: 'log' }],
      finally: [{ wait: 1000, id: 'pause' }, { action: 'kubernetes:cordon' }],
    })
    expect(explained.permissions).toContainEqual(expect.objectContaining({ resources: ['nodes'] }))
  })
})

describe('events come', () => {
  it('one a line, several of them', async () => {
    const event = files.write('e.jsonl', [alert(), about('web-2')])
    const rules = files.write('r.yaml', RULES)
    const { out } = await yarak(['explain', '-e', event, '-r', rules, '--json'])
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Explained)
    expect(lines.map(({ target }) => target.key)).toEqual(['pod/shop/web-1', 'pod/shop/web-2'])
    expect((await yarak(['explain', '-e', event, '-r', rules])).out.match(/^event /gm)).toHaveLength(2)
  })

  it('spread over lines', async () => {
    const event = files.write('e.json', JSON.stringify(alert(), null, 2))
    const { code } = await yarak(['explain', '-e', event, '-r', files.write('r.yaml', RULES)])
    expect(code).toBe(0)
  })

  it('from standard input', async () => {
    const input = JSON.stringify(alert())
    const { code, out } = await launch(['explain', '-e', '-', '-r', files.write('r.yaml', RULES)], { input }).ended
    expect(code).toBe(0)
    expect(out).toContain('✔ Shell')
  })

  it.each([
    ['', /holds no event/],
    ['{"rule": 1}', /e\.json: .*rule/],
    ['nonsense', /e\.json: /],
    ['{"rule":"a","priority":"Notice","time":"2026-01-01T00:00:00Z","output":""}\n{"x":1}', /e\.json, event 2: /],
  ])('and %j is told to be none', async (text, message) => {
    const event = files.write('e.json', text)
    const { code, out, err } = await yarak(['explain', '-e', event, '-r', files.write('r.yaml', RULES)])
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(message)
  })

  it('from a file that is not there: that is told', async () => {
    const { code, err } = await yarak(['explain', '-e', files.at('none'), '-r', files.write('r.yaml', RULES)])
    expect(code).toBe(1)
    expect(err).toContain(`cannot read ${files.at('none')}: there is no such file`)
  })
})

describe('rules come', () => {
  it('from several files, merged as ever', async () => {
    const event = files.write('e.json', alert())
    const more = files.write('m.yaml', '- rule: Reads\n  enabled: false\n  override: { enabled: replace }\n')
    const args = ['-r', files.write('r.yaml', RULES), '-r', more, '--json']
    const { out } = await yarak(['explain', '-e', event, ...args])
    expect((JSON.parse(out) as Explained).rules.map(({ rule }) => rule)).toEqual(['Shell', 'Root'])
  })

  it('from a configuration with its mode and guards; else from the demo', async () => {
    files.write('r.yaml', RULES.replace('  notify: [slack/secops]\n', ''))
    const config = files.write('yarak.yaml', 'version: 1\nrules: [r.yaml]\nguards: { protectedNamespaces: [shop] }\n')
    const event = files.write('e.json', alert())
    const { out } = await yarak(['explain', '-e', event, '-c', config, '--json'])
    const explained = JSON.parse(out) as Explained
    expect(ruleOf(explained, 'Shell')).toMatchObject({ mode: 'observe' })
    expect(stepOf(explained, 'Shell', 'mark')).toMatchObject({ guard: { reason: 'protected-namespace' } })
    expect((await yarak(['explain', '-e', event])).out).toContain('Keep evidence of shells and sensitive reads')
  })

  it('with mistakes: they are told with their place', async () => {
    const rules = files.write('r.yaml', RULES.replace('evidence:save', 'evidence:sav'))
    const { code, out, err } = await yarak(['explain', '-e', files.write('e.json', alert()), '-r', rules])
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(/r\.yaml:6:15: error: .*did you mean `evidence:save`/)
  })
})

it('loads nothing that it does not need: no HTTP client, no gateway, no other command', () => {
  const seen = new Set<string>()
  const visit = (file: string): void => {
    if (seen.has(file)) return
    seen.add(file)
    const text = readFileSync(join(ROOT, file), 'utf8')
    for (const [, names = '', name = ''] of text.matchAll(
      /^(?:import|export)\s+(?!type\b)([^'"`;]*?from\s+)?'([^']+)'/gm,
    )) {
      const isTypeOnly = /^\{\s*(type [^,}]+,?\s*)+\}/.test(names)
      if (!name.startsWith('.')) seen.add(name)
      else if (!isTypeOnly) visit(join(file, '..', name))
    }
  }
  visit('src/cli/explain.ts')
  visit('src/actions/index.ts')
  const heavy = ['undici', 'hono', 'pino', 'kafkajs', '@opentelemetry/api', '@kubernetes/client-node', 'src/gateway.ts']
  expect(heavy.filter((name) => seen.has(name))).toEqual([])
})
