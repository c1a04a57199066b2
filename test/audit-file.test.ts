import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { createHash } from 'node:crypto'
import { statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import type { AuditEntry } from '../src/audit.ts'
import { auditFile, type AuditFileOptions } from '../src/audit-file.ts'
import { fullFiles } from '../src/audit-files.ts'
import type { AuditLine } from '../src/audit-line.ts'
import { verifyAudit } from '../src/audit-verify.ts'
import { memoryLog } from './serve/_kit.ts'

const root = mkdtempSync(join(tmpdir(), 'yarak-audit-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let dir = ''
let path = ''
beforeEach(() => {
  dir = mkdtempSync(join(root, 'a-'))
  path = join(dir, 'data/audit.jsonl')
})

const entry = (more: Partial<AuditEntry> = {}): AuditEntry => ({
  ...{ kind: 'guard', who: 'rule Shell', what: 'kubernetes:delete', verdict: 'protected-namespace' },
  ...more,
})

const opened = (more: Partial<AuditFileOptions> = {}) => {
  const { log, lines } = memoryLog()
  return { audit: auditFile({ path, log, ...more }), logged: lines }
}

/** Writes entries, and ends. */
const record = async (entries: readonly AuditEntry[], more: Partial<AuditFileOptions> = {}): Promise<void> => {
  const { audit } = opened(more)
  for (const one of entries) audit.append(one)
  await audit.close()
}

const linesIn = (file = path): AuditLine[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('{"seq"') && line.endsWith('}'))
    .map((line) => JSON.parse(line) as AuditLine)

const faults = async (files: readonly string[] = [path], options = {}): Promise<string[]> =>
  (await verifyAudit(files, options)).faults.map(({ line, kind }) => `${line} ${kind}`)

describe('the audit record', () => {
  it('is one line for each entry, in order, which only its own user may read', async () => {
    const whole = { why: 'e1', target: 'pod/shop/web-1', uid: 'u', response: 'r', trace: 't' }
    await record([entry(whole), entry({ kind: 'step', verdict: 'succeeded' })])
    const [first, second] = linesIn()
    expect(first).toEqual({
      ...{ seq: 1, time: expect.stringMatching(/^\d{4}-.*Z$/) as string, ...entry(whole) },
      ...{ prev: '0'.repeat(64), hash: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
    })
    expect(second).toMatchObject({ seq: 2, kind: 'step', prev: first?.hash })
    expect(second).not.toHaveProperty('why')
    expect((statSync(path).mode & 0o777).toString(8)).toBe('600')
    expect(await faults()).toEqual([])
  })

  it('goes on where it ended', async () => {
    for (const verdict of ['a', 'b', 'c']) await record([entry({ verdict })])
    expect(linesIn().map(({ seq, verdict }) => `${seq}${verdict}`)).toEqual(['1a', '2b', '3c'])
    expect(await verifyAudit([path])).toMatchObject({ lines: 3, first: { seq: 1 }, last: { seq: 3 }, faults: [] })
  })

  it('takes what attackers write as text, and only the beginning of it', async () => {
    const evil = `","hash":"${'0'.repeat(64)}"}\n{"seq":9,\u0000\ud800\u2028${'x'.repeat(1_000)}`
    await record([entry({ target: evil, why: evil }), entry()])
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(3)
    expect(linesIn()[0]?.target).toBe(evil.slice(0, 512))
    expect(await faults()).toEqual([])
  })

  it('begins a new file when one is full, and the chain goes on', async () => {
    for (let i = 0; i < 6; i++) await record([entry({ kind: 'admin' }), entry()], { maxSize: 900 })
    const full = (await fullFiles(path)).map((file) => file.path)
    expect(full).toEqual([`${path}.1`, `${path}.2`])
    expect(linesIn()[0]?.prev).toBe(linesIn(`${path}.2`).at(-1)?.hash)
    expect(await verifyAudit([...full, path])).toMatchObject({ lines: 12, faults: [] })
    expect(await faults([path])).toEqual(['1 missing'])
    expect(await faults([path], { part: true })).toEqual([])
    expect(await faults([full[1] ?? '', full[0] ?? '', path])).not.toEqual([])
  })

  it('goes on after a file that was full when the gateway ended', async () => {
    await record([entry(), entry()])
    renameSync(path, `${path}.1`)
    await record([entry()])
    expect(linesIn()[0]).toMatchObject({ seq: 3, prev: linesIn(`${path}.1`)[1]?.hash })
  })

  it('has one writer at a time, also where two gateways share it, and over files that are full', async () => {
    const writers = [opened({ maxSize: 2_000 }), opened({ maxSize: 2_000 })]
    for (let i = 0; i < 50; i++) {
      for (const { audit } of writers) audit.append(entry())
      await expect.poll(() => writers.every(({ audit }) => audit.head.seq > i), { interval: 1 }).toBe(true)
    }
    for (const { audit } of writers) await audit.close()
    const full = (await fullFiles(path)).map((file) => file.path)
    expect(full.length).toBeGreaterThan(2)
    expect(await verifyAudit([...full, path])).toMatchObject({ lines: 100, faults: [] })
  })

  it('that somebody moved or cut while it was written goes on in a new file', async () => {
    const { audit } = opened()
    audit.append(entry())
    await expect.poll(() => audit.head.seq).toBe(1)
    renameSync(path, `${path}.1`)
    audit.append(entry())
    await expect.poll(() => audit.head.seq).toBe(2)
    expect(await faults([`${path}.1`, path])).toEqual([])
    truncateSync(path)
    audit.append(entry())
    await audit.close()
    expect(await faults([`${path}.1`, path])).toEqual(['1 missing'])
  })
})

describe('what was cut short', () => {
  it.each([1, 30, 100_000])('by %i bytes is told by the next line, and the record stays whole', async (cut) => {
    await record([entry(), entry(), entry()])
    const last = linesIn()[1]
    const { size } = statSync(path)
    const third = readFileSync(path, 'utf8').split('\n')[2]?.length ?? 0
    truncateSync(path, size - Math.min(cut, third))
    expect((await faults()).at(-1)).toBe('3 torn')
    const { audit, logged } = opened()
    audit.append(entry({ verdict: 'later' }))
    await audit.close()
    const after = linesIn()
    if (cut === 1)
      return expect(after.map(({ seq, kind }) => `${seq}${kind}`)).toEqual(['1guard', '2guard', '3guard', '4guard'])
    expect(after[2]).toMatchObject({ seq: 3, kind: 'recovered', prev: last?.hash, verdict: 'lost' })
    expect(after[3]).toMatchObject({ seq: 4, verdict: 'later' })
    expect(await verifyAudit([path])).toMatchObject({ lines: 4, recovered: 1, faults: [] })
    expect(logged.map(([, message]) => message)).toEqual(['the audit record was cut short'])
  })

  it('twice, or in the very first line, too', async () => {
    mkdirSync(join(dir, 'data'))
    writeFileSync(path, '{"seq":1,"time')
    await record([])
    truncateSync(path, statSync(path).size - 20)
    await record([entry()])
    expect(await verifyAudit([path])).toMatchObject({ lines: 2, recovered: 1, faults: [] })
  })

  it('cannot hide a change', async () => {
    await record([entry(), entry()])
    writeFileSync(path, readFileSync(path, 'utf8').replace('"seq":2', '"seq":3'))
    await record([entry()])
    expect(await faults()).toEqual(['2 changed'])
  })

  it('by killing the process leaves a record that goes on', async () => {
    for (let i = 0; i < 3; i++) {
      const child = spawn(process.execPath, [join(import.meta.dirname, '_audit-child.ts'), path])
      await once(child.stdout, 'data')
      await expect.poll(() => existsSync(path) && statSync(path).size > i * 20_000, { interval: 1 }).toBe(true)
      child.kill('SIGKILL')
      await once(child, 'close')
      if (i === 1) appendFileSync(path, '{"seq":77,"time":"20')
    }
    await record([entry({ verdict: 'at last' })])
    expect(await verifyAudit([path])).toMatchObject({ recovered: expect.toSatisfy((n) => n >= 1), faults: [] })
    expect(linesIn().at(-1)).toMatchObject({ verdict: 'at last' })
  })
})

describe('while the disk fails', () => {
  it('entries are counted, told once, and summed up when it is over', async () => {
    mkdirSync(join(dir, 'data'))
    mkdirSync(path)
    const lost: number[] = []
    const { audit, logged } = opened({ failed: (entries) => lost.push(entries), retry: 5 })
    audit.append(entry())
    audit.append(entry({ kind: 'admin' }))
    await expect.poll(() => lost.reduce((sum, one) => sum + one, 0)).toBe(2)
    audit.append(entry())
    await expect.poll(() => lost.reduce((sum, one) => sum + one, 0)).toBe(3)
    expect(audit.lastError).toContain('EISDIR')
    rmSync(path, { recursive: true })
    await expect.poll(() => audit.lastError).toBeUndefined()
    audit.append(entry({ verdict: 'later' }))
    await audit.close()
    expect(linesIn()).toMatchObject([
      { seq: 1, kind: 'outage', target: 'guard 2, admin 1', why: expect.stringContaining('EISDIR') as string },
      { seq: 2, verdict: 'later' },
    ])
    expect(await faults()).toEqual([])
    expect(logged.map(([level, message]) => [level, message])).toEqual([
      ['error', 'the audit record cannot be written'],
      ['info', 'the audit record is written again'],
    ])
  })

  it('that is over when the gateway ends, what was lost is told', async () => {
    mkdirSync(path, { recursive: true })
    let lost = 0
    const { audit } = opened({ failed: (entries) => (lost += entries), retry: 1e9 })
    audit.append(entry())
    await expect.poll(() => lost).toBe(1)
    await expect.poll(() => audit.lastError).toBeDefined()
    rmSync(path, { recursive: true })
    await audit.close()
    expect(linesIn()).toMatchObject([{ kind: 'outage', target: 'guard 1' }])
  })

  it('that does not answer, memory stays bounded', async () => {
    let lost = 0
    const { audit } = opened({ failed: (entries) => (lost += entries) })
    for (let i = 0; i < 10_500; i++) audit.append(entry())
    expect(lost).toBeGreaterThanOrEqual(490)
    await audit.close()
    audit.append(entry())
    expect(audit.lastError).toBe('it is closed')
    expect(await faults()).toEqual([])
    expect(linesIn().filter(({ kind }) => kind === 'outage')).toMatchObject([{ target: `guard ${lost - 1}` }])
  })

  it.skipIf(process.getuid?.() === 0)('a folder that cannot be written is told', async () => {
    mkdirSync(join(dir, 'data'))
    chmodSync(join(dir, 'data'), 0o500)
    const { audit } = opened()
    await expect.poll(() => audit.lastError).toContain('EACCES')
    await audit.close()
  })
})

describe('verify', () => {
  const made = async () => {
    await record(Array.from({ length: 8 }, (_one, i) => entry({ verdict: `v${i}`, target: 'pod/ü/\ud83d\ude00' })))
    appendFileSync(path, '{"seq":9,"ti\u00fc')
    await record([entry(), entry()])
    const bytes = readFileSync(path)
    const changed = join(dir, 'changed.jsonl')
    return { bytes, changed, hash: linesIn().at(-1)?.hash }
  }

  it('finds any change of any byte', async () => {
    const { bytes, changed } = await made()
    expect(await faults()).toEqual([])
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }))
    await fc.assert(
      fc.asyncProperty(change, async ([at, by]) => {
        const copy = Buffer.from(bytes)
        copy[at] = (copy[at] ?? 0) ^ by
        writeFileSync(changed, copy)
        expect(await faults([changed])).not.toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  it('finds any removal, swap, repetition and insertion of lines', async () => {
    const { bytes, changed, hash } = await made()
    const lines = bytes.toString().split('\n').slice(0, -1)
    const any = fc.nat(lines.length - 1)
    const changes = fc.oneof(
      fc.record({ what: fc.constant('remove'), a: any, b: any }),
      fc.record({ what: fc.constant('swap'), a: any, b: any }).filter(({ a, b }) => a !== b),
      fc.record({ what: fc.constant('repeat'), a: any, b: any }),
      fc.record({ what: fc.constant('insert'), a: any, b: any }),
    )
    await fc.assert(
      fc.asyncProperty(changes, async ({ what, a, b }) => {
        const copy = [...lines]
        const [from, to] = a < b ? [a, b] : [b, a]
        if (what === 'remove') copy.splice(from, to - from + 1)
        else if (what === 'swap') [copy[a], copy[b]] = [copy[b] ?? '', copy[a] ?? '']
        else copy.splice(b, 0, what === 'repeat' ? (lines[a] ?? '') : '')
        writeFileSync(changed, copy.map((line) => `${line}\n`).join(''))
        expect(await faults([changed], { head: hash })).not.toEqual([])
      }),
      { numRuns: 300 },
    )
  })

  it('says what is wrong, and where', async () => {
    await record(Array.from({ length: 6 }, () => entry()))
    const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1)
    const of = async (copy: readonly (string | undefined)[]) => {
      writeFileSync(path, copy.map((line) => `${line}\n`).join(''))
      return (await verifyAudit([path])).faults.map(({ line, kind, message }) => `${line} ${kind}: ${message}`)
    }
    const [a, b, c, d, e, f] = lines
    expect(await of([a, b, e, f])).toEqual(['3 missing: the lines 3 to 4 should stand before this one'])
    expect(await of([b, c])).toEqual(['1 missing: line 1 should stand before this one'])
    expect(await of([a, c, b, d])).toEqual(['2 reordered: line 2 stands later'])
    expect(await of([a, b, b, c])).toEqual(['3 reordered: line 2 does not belong here'])
    expect(await of([a, b?.replace('Shell', 'shell'), c])).toEqual(['2 changed: the line is not what was written'])
    expect(await of([a, 'x', b])).toEqual(['2 changed: this is not a line of the record'])
    expect(await of([])).toEqual([])
  })

  it.each(['{"seq":1,"time":"now",x', '{"seq":1,x'])('takes %s with its right hash for no line', async (body) => {
    mkdirSync(join(dir, 'data'))
    const hash = createHash('sha256').update(`${body}}`).digest('hex')
    writeFileSync(path, `${body},"hash":"${hash}"}\n`)
    expect(await faults()).toEqual(['1 changed'])
    await record([entry()])
    expect(readFileSync(path, 'utf8')).toMatch(/"kind":"recovered".*\n.*"kind":"guard"/)
  })

  it('finds a cut end by the hash of the last line that was seen', async () => {
    await record([entry(), entry()])
    const head = linesIn()[1]?.hash
    expect(await faults([path], { head })).toEqual([])
    writeFileSync(path, `${readFileSync(path, 'utf8').split('\n')[0]}\n`)
    expect(await faults()).toEqual([])
    expect(await faults([path], { head })).toEqual(['1 missing'])
  })
})
