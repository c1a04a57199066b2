import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { AuditEntry } from '../../src/audit.ts'
import { auditFile } from '../../src/audit-file.ts'
import { SILENT } from '../../src/options.ts'
import { folder, yarak } from './_kit.ts'

const files = folder()
const path = (): string => files.at('data/audit.jsonl')
const config = (admin: object = {}): string =>
  files.write('yarak.yaml', { version: 1, dataDir: files.at('data'), admin })

const EVIL = 'pod/shop/\u001b[2J\u202eweb'

const record = async (entries: readonly Partial<AuditEntry>[], file = path()): Promise<void> => {
  const audit = auditFile({ path: file, log: SILENT, maxSize: 2_000 })
  for (const one of entries) {
    audit.append({ ...{ kind: 'guard', who: 'rule Shell', what: 'kubernetes:delete', verdict: 'refused' }, ...one })
    await expect.poll(() => audit.head.seq, { interval: 1 }).toBeGreaterThan(0)
  }
  await audit.close()
}

describe('audit ls', () => {
  const some = () =>
    record([
      { target: EVIL },
      { kind: 'admin', who: 'ops', what: 'DELETE /admin/dlq', verdict: '200' },
      { kind: 'config' },
    ])

  it('lists what was done, and chooses', async () => {
    await some()
    const file = config()
    const { code, out, err } = await yarak(['audit', 'ls', '-c', file])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    const rows = out.trimEnd().split('\n')
    expect(rows[0]).toMatch(/^SEQ +WHEN +KIND +WHO +WHAT +TARGET +VERDICT +WHY$/)
    expect(rows[1]).toMatch(
      /^1 +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +guard +rule Shell +kubernetes:delete +pod\/shop\/\\u001b\[2J\\u202eweb +refused$/,
    )
    expect(rows).toHaveLength(4)
    const seqs = async (...more: string[]) =>
      (JSON.parse((await yarak(['audit', 'ls', '-c', file, '--json', ...more])).out) as { seq: number }[]).map(
        ({ seq }) => seq,
      )
    expect(await seqs('--kind', 'admin')).toEqual([2])
    expect(await seqs('--limit', '2')).toEqual([2, 3])
    expect(await seqs('--since', '1h')).toEqual([1, 2, 3])
    expect(await seqs('--since', '2999-01-01T00:00:00Z')).toEqual([])
    expect((await yarak(['audit', 'ls', '-c', file, '--kind', 'undo'])).out).toBe('nothing is recorded\n')
  })

  it('says when there is none', async () => {
    expect((await yarak(['audit', 'ls', '-c', config()])).err).toBe(
      `yarak: there is no audit record at ${path()}: no gateway with this configuration has run here\n`,
    )
    expect((await yarak(['audit', 'ls', '-c', config({ audit: { enabled: false } })])).err).toMatch(
      /nothing is recorded\n$/,
    )
  })

  it.each([
    ['--since', 'soon'],
    ['--limit', '0'],
    ['--kind', 'x'],
  ])('refuses %s %s', async (...args) => {
    expect((await yarak(['audit', 'ls', ...args])).code).toBe(2)
  })
})

describe('audit verify', () => {
  it('tells how much is in order, over all files of the configured record', async () => {
    const file = files.at('elsewhere/log.jsonl')
    for (let i = 0; i < 4; i++) await record([{ verdict: 'x'.repeat(500) }, {}, {}], file)
    const { code, out, err } = await yarak(['audit', 'verify', '-c', config({ audit: { file } })])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(/^12 lines, from \d{4}-.*Z to \d{4}-.*Z\nlast hash [0-9a-f]{64}\n$/)
    expect(readFileSync(`${file}.1`, 'utf8')).not.toBe('')
    const only = await yarak(['audit', 'verify', file])
    expect([only.code, only.err]).toEqual([
      1,
      expect.stringMatching(new RegExp(`^${file}:1: missing: the lines 1 to \\d+ should`)),
    ])
    expect((await yarak(['audit', 'verify', '--part', file])).code).toBe(0)
  })

  it('exits with 1, and says where what is wrong', async () => {
    await record([{}, {}, {}, {}])
    const lines = readFileSync(path(), 'utf8').split('\n')
    writeFileSync(path(), [lines[0], lines[1]?.replace('Shell', 'Shrug'), lines[3], '{"seq":5,"t'].join('\n'))
    const { code, out, err } = await yarak(['audit', 'verify', path()])
    expect([code, err]).toEqual([
      1,
      `${path()}:2: changed: the line is not what was written\n${path()}:4: torn: the end of the line is missing\n`,
    ])
    expect(out).toMatch(/^2 lines, from .*; 2 faults\nlast hash /)
    const json = JSON.parse((await yarak(['audit', 'verify', path(), '--json'])).out) as object
    expect(json).toMatchObject({
      lines: 2,
      recovered: 0,
      faults: [
        { line: 2, kind: 'changed' },
        { line: 4, kind: 'torn' },
      ],
    })
  })

  it('finds a cut end by --head', async () => {
    await record([{}, {}])
    const head = /last hash (\w+)/.exec((await yarak(['audit', 'verify', path()])).out)?.[1] ?? ''
    expect((await yarak(['audit', 'verify', path(), '--head', head])).code).toBe(0)
    writeFileSync(path(), `${readFileSync(path(), 'utf8').split('\n')[0]}\n`)
    expect((await yarak(['audit', 'verify', path()])).code).toBe(0)
    expect((await yarak(['audit', 'verify', path(), '--head', head])).err).toMatch(
      /:1: missing: the line with the hash/,
    )
  })

  it('a file that is not there, or is none, is told', async () => {
    expect((await yarak(['audit', 'verify', files.at('.')])).err).toBe(
      `yarak: cannot read ${files.at('.')}: it is not a file\n`,
    )
    expect((await yarak(['audit', 'verify', files.at('none')])).err).toBe(
      `yarak: cannot read ${files.at('none')}: there is no such file\n`,
    )
  })
})

it('shows how by example', async () => {
  for (const command of [
    ['audit', 'ls'],
    ['audit', 'verify'],
    ['log', 'level'],
  ]) {
    const { code, out } = await yarak([...command, '--help'])
    expect([code, out]).toEqual([0, expect.stringContaining(`Usage: ${['yarak', ...command].join(' ')}`)])
    const examples = [...out.matchAll(/^ {2}yarak (.+?)(?: {2,}.*)?$/gm)]
    expect(examples.length).toBeGreaterThan(2)
    for (const [, args = ''] of examples) expect((await yarak([...args.split(' '), '--help'])).code).toBe(0)
  }
})
