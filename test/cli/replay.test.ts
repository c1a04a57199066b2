import { existsSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { about, alert } from '../kit.ts'
import { folder, launch, noneLeft, yarak } from './_kit.ts'

const files = folder()
noneLeft()

const RULES = `
- rule: Shell
  match: { rules: [Terminal shell in container] }
  steps:
    - action: kubernetes:label
      id: mark
      with: { labels: { suspicious: 'true' } }
- rule: Script
  condition: proc.name = bash
  join: 0s
  steps: [{ action: local:script, with: { command: [touch, OUT], changes: destructive } }]
`

const at = (seconds: number) => ({ time: new Date(Date.UTC(2026, 0, 1) + seconds * 1_000).toISOString() })

const rulesFile = (text = RULES, name = 'r.yaml') => files.write(name, text.replace('OUT', files.at('touched')))

interface Replayed {
  readonly rules: readonly Record<string, unknown>[]
  readonly difference?: readonly Record<string, unknown>[]
}

const replay = async (events: readonly unknown[], ...args: string[]): Promise<Replayed> => {
  const { code, out } = await yarak(['replay', files.write('e.jsonl', events), '-r', rulesFile(), '--json', ...args])
  expect(code).toBe(0)
  return JSON.parse(out) as Replayed
}

describe('replay', () => {
  it('counts what each rule would have done, and does none of it', async () => {
    const { rules } = await replay([alert(at(0)), about('web-2', at(1)), alert({ ...at(2), rule: 'other' })])
    expect(rules).toMatchObject([
      { rule: 'Shell', events: 2, responses: 2, joined: 0, outcomes: { succeeded: 2 }, refused: {} },
      { rule: 'Script', events: 3, responses: 3, joined: 0, outcomes: { succeeded: 3 } },
    ])
    expect(existsSync(files.at('touched'))).toBe(false)
  })

  it('joins events by their own times, and a refused response is joined by none', async () => {
    const times = [0, 30, 59, 61, 200]
    const { rules } = await replay(times.map((time) => alert(at(time))))
    expect(rules[0]).toMatchObject({ events: 5, responses: 3, joined: 2 })
    expect(rules[1]).toMatchObject({ events: 5, responses: 5, joined: 0 })
    const system = { output_fields: { 'k8s.ns.name': 'kube-system', 'k8s.pod.name': 'dns' } }
    const refused = await replay(times.map((time) => alert({ ...at(time), ...system })))
    expect(refused.rules[0]).toMatchObject({
      responses: 5,
      joined: 0,
      outcomes: { refused: 5 },
      refused: { 'protected-namespace': 5 },
    })
  })

  it('answers more events on one target than may wait for it', async () => {
    const { rules } = await replay(Array.from({ length: 300 }, (_, i) => alert(at(i * 61))))
    expect(rules[0]).toMatchObject({ events: 300, responses: 300 })
  })

  it('prints a table', async () => {
    const events = files.write('e.jsonl', [alert(at(0)), alert(at(1))])
    const { code, out, err } = await yarak(['replay', events, '-r', rulesFile()])
    expect(code).toBe(0)
    expect(out).toMatch(/^rule +events +responses +joined +outcomes +refused +failed$/m)
    expect(out).toMatch(/^Shell +2 +1 +1 +succeeded 1$/m)
    expect(err).toMatch(/^read 1 file, .*: 2 events, in /)
  })

  it('takes guards, mode and rules of a configuration', async () => {
    rulesFile()
    const config = files.write(
      'y.yaml',
      'version: 1\nmode: enforce\nrules: [r.yaml]\nguards: { protectedNamespaces: [shop] }',
    )
    const { out } = await yarak(['replay', files.write('e.jsonl', [alert()]), '-c', config, '--json'])
    expect((JSON.parse(out) as Replayed).rules[0]).toMatchObject({ refused: { 'protected-namespace': 1 } })
    expect(existsSync(files.at('touched'))).toBe(false)
  })
})

describe('against candidate rules', () => {
  const candidate = RULES.replace('[Terminal shell in container]', '[other]').replace(
    'proc.name = bash',
    'proc.name exists',
  )
  const events = [
    alert({ ...at(0), output: 'line one\nline two' }),
    about('web-2', { ...at(1), rule: 'other' }),
    alert({ ...at(2), rule: 'third', output_fields: { 'proc.name': 'sh' } }),
  ]

  it('tells per rule what is more, what is fewer, with examples', async () => {
    const { difference } = await replay(events, '--against', rulesFile(candidate, 'c.yaml'))
    expect(difference).toMatchObject([
      {
        rule: 'Shell',
        more: 1,
        fewer: 1,
        changed: 0,
        examples: [
          { kind: 'fewer', rule: 'Terminal shell in container', target: 'pod/shop/web-1', before: 'mark succeeded' },
          { kind: 'more', rule: 'other', target: 'pod/shop/web-2', after: 'mark succeeded' },
        ],
      },
      { rule: 'Script', more: 1, fewer: 0, changed: 0, examples: [{ rule: 'third' }] },
    ])
  })

  it('tells where steps end otherwise, and keeps few examples', async () => {
    const worse = RULES.replace("suspicious: 'true'", "suspicious: '{{ user.name }}'")
    const many = Array.from({ length: 10 }, (_, i) => alert(at(i)))
    const { difference } = await replay(many, '--against', rulesFile(worse, 'c.yaml'))
    expect(difference).toMatchObject([{ rule: 'Shell', changed: 10, more: 0, fewer: 0 }])
    expect(difference?.[0]?.['examples']).toHaveLength(3)
    expect(difference?.[0]?.['examples']).toMatchObject([{ before: 'mark succeeded', after: 'mark failed' }, {}, {}])
  })

  it('prints both tables and the difference, each event on a line of its own', async () => {
    const file = files.write('e.jsonl', events)
    const { out } = await yarak(['replay', file, '-r', rulesFile(), '--against', rulesFile(candidate, 'c.yaml')])
    expect(out.match(/^rule +events/gm)).toHaveLength(2)
    expect(out).toContain(
      'Shell: 1 more, 1 fewer\n  - 2026-01-01T00:00:00.000Z Terminal shell in container, pod/shop/web-1: line one line two\n',
    )
    const same = await yarak(['replay', file, '-r', rulesFile(), '--against', rulesFile(RULES, 'c.yaml')])
    expect(same.out).toMatch(/\nNo difference\.\n$/)
  })
})

describe('recorded alerts may be', () => {
  it('compressed', async () => {
    writeFileSync(files.at('e.jsonl.gz'), gzipSync(`${JSON.stringify(alert())}\n`))
    const { out } = await yarak(['replay', files.at('e.jsonl.gz'), '-r', rulesFile(), '--json'])
    expect((JSON.parse(out) as Replayed).rules[0]).toMatchObject({ events: 1 })
  })

  it('wrapped by a log shipper, among other lines', async () => {
    const { rules } = await replay([{ log: JSON.stringify(alert()) }, { nothing: true }])
    expect(rules[0]).toMatchObject({ events: 1 })
  })

  it('standard input', async () => {
    const { code, out, err } = await launch(['replay', '-', '-r', rulesFile(), '--json'], {
      input: `${JSON.stringify(alert())}\n`,
    }).ended
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect((JSON.parse(out) as Replayed).rules[0]).toMatchObject({ events: 1 })
  })

  it('not there: that is told', async () => {
    const { code, err } = await yarak(['replay', files.at('none'), '-r', rulesFile()])
    expect({ code, err }).toEqual({ code: 1, err: `yarak: cannot read ${files.at('none')}: there is no such file\n` })
  })
})

it('tells mistakes of either rules', async () => {
  const events = files.write('e.jsonl', [alert()])
  const bad = rulesFile(RULES.replace('kubernetes:label', 'kubernetes:lable'), 'bad.yaml')
  for (const args of [
    ['-r', bad],
    ['-r', rulesFile(), '--against', bad],
  ]) {
    const { code, err } = await yarak(['replay', events, ...args])
    expect(code).toBe(1)
    expect(err).toContain('did you mean `kubernetes:label`?')
  }
})
