import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { existsSync, statSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { file } from '../../outputs/file.ts'
import { parseEvent, toJson } from '../../src/event.ts'
import type { Notice, Sender } from '../../src/plugin.ts'
import { aNotice, anEvent, aReport, oddEvents, outputCases, testIo } from '../../src/testing.ts'

const NEVER = new AbortController().signal

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'yarak-file-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const open = async (path: string, fsync = false): Promise<Sender> =>
  file.open(file.config.parse({ path, fsync }), testIo())

const named = (rule: string): Notice => aNotice({ event: anEvent({ rule }) })

const linesOf = (path: string): string[] => readFileSync(path, 'utf8').split('\n')

/** The rules in a file; throws when a line is no JSON. */
const rulesOf = (path: string): string[] =>
  linesOf(path)
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { rule: string }).rule)

describe('file', () => {
  const cases = join(mkdtempSync(join(tmpdir(), 'yarak-file-')), 'cases.jsonl')
  for (const { name, run } of outputCases(file, { config: { path: cases } })) it(name, run)

  it('appends one line of JSON for each notice, and ends each', async () => {
    const path = join(folder, 'events.jsonl')
    writeFileSync(path, `${toJson(anEvent({ rule: 'before' }))}\n`)
    const sender = await open(path)
    await sender.send([named('a'), named('b')], NEVER)
    await sender.send([aNotice({ report: aReport() })], NEVER)
    await sender.close?.()
    expect(rulesOf(path)).toEqual(['before', 'a', 'b', 'Terminal shell in container'])
    expect(linesOf(path).at(-1)).toBe('')
    expect(JSON.parse(linesOf(path).at(-2) ?? '')).toMatchObject({ response: { id: '7d0f4a2c9b1e' } })
  })

  it('writes what reads back as the same event, on one line', async () => {
    const path = join(folder, 'events.jsonl')
    const sender = await open(path)
    const odd = oddEvents()
    await sender.send(
      odd.map(({ event }) => aNotice({ event })),
      NEVER,
    )
    const lines = linesOf(path).slice(0, -1)
    expect(lines).toHaveLength(odd.length)
    for (const [i, { name, event }] of odd.entries()) {
      const read = parseEvent(lines[i], { id: event.id, input: 'test' })
      const { uuid = event.id, ...members } = event.toJSON()
      expect(toJson(read.toJSON()), name).toBe(toJson({ uuid, ...members }))
      expect(lines[i], name).not.toMatch(/[\p{Cc}\u202e]/u)
    }
  })

  it('makes folder and file, for the owner alone', async () => {
    const path = join(folder, 'a', 'b', 'events.jsonl')
    await (await open(path)).send([aNotice()], NEVER)
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('keeps the mode of a file that is there', async () => {
    const path = join(folder, 'events.jsonl')
    writeFileSync(path, '')
    chmodSync(path, 0o640)
    await (await open(path)).send([aNotice()], NEVER)
    expect(statSync(path).mode & 0o777).toBe(0o640)
  })

  it.each([
    ['renamed', (path: string) => renameSync(path, `${path}.1`)],
    ['removed', (path: string) => unlinkSync(path)],
    [
      'replaced',
      (path: string) => {
        writeFileSync(`${path}.new`, '')
        renameSync(`${path}.new`, path)
      },
    ],
  ])('goes on in a new file when the old one was %s', async (_how, rotate) => {
    const path = join(folder, 'events.jsonl')
    const sender = await open(path)
    await sender.send([named('a')], NEVER)
    rotate(path)
    await sender.send([named('b')], NEVER)
    expect(rulesOf(path)).toEqual(['b'])
    if (existsSync(`${path}.1`)) expect(rulesOf(`${path}.1`)).toEqual(['a'])
  })

  it('goes on at the start of a file that was truncated', async () => {
    const path = join(folder, 'events.jsonl')
    const sender = await open(path)
    await sender.send([named('a')], NEVER)
    truncateSync(path)
    await sender.send([named('b')], NEVER)
    expect(rulesOf(path)).toEqual(['b'])
  })

  it('makes the folder again when that was removed', async () => {
    const path = join(folder, 'logs', 'events.jsonl')
    const sender = await open(path)
    rmSync(join(folder, 'logs'), { recursive: true })
    await sender.send([named('a')], NEVER)
    expect(rulesOf(path)).toEqual(['a'])
  })

  it('follows a link to another file', async () => {
    const [path, first, second] = ['link', 'first', 'second'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ]
    symlinkSync(first, path)
    const sender = await open(path)
    await sender.send([named('a')], NEVER)
    unlinkSync(path)
    symlinkSync(second, path)
    await sender.send([named('b')], NEVER)
    expect([rulesOf(first), rulesOf(second)]).toEqual([['a'], ['b']])
  })

  it('ends a line that a crash left unfinished', async () => {
    const path = join(folder, 'events.jsonl')
    appendFileSync(path, '{"rule":"torn')
    const sender = await open(path)
    await sender.send([named('a')], NEVER)
    await sender.send([named('b')], NEVER)
    expect(linesOf(path)[0]).toBe('{"rule":"torn')
    expect(
      linesOf(path)
        .slice(1, 3)
        .map((line) => (JSON.parse(line) as { rule: string }).rule),
    ).toEqual(['a', 'b'])
  })

  it('keeps the order of sends at the same time, line by line', async () => {
    const path = join(folder, 'events.jsonl')
    const sender = await open(path, true)
    const rules = Array.from({ length: 50 }, (_, i) => `rule ${i}`)
    await Promise.all(rules.map((rule) => sender.send([named(rule)], NEVER)))
    await sender.close?.()
    expect(rulesOf(path)).toEqual(rules)
  })

  it('writes nothing once the signal is aborted', async () => {
    const path = join(folder, 'events.jsonl')
    const sender = await open(path)
    await expect(sender.send([aNotice()], AbortSignal.abort())).rejects.toMatchObject({ code: 'interrupted' })
    expect(readFileSync(path, 'utf8')).toBe('')
  })

  it('says what is wrong with the path, and that waiting does not help', async () => {
    mkdirSync(join(folder, 'taken'))
    writeFileSync(join(folder, 'plain'), '')
    const failing = (path: string) => expect(open(join(folder, path))).rejects
    await failing('taken').toMatchObject({ reason: 'eisdir', permanent: true })
    await failing('plain/events.jsonl').toMatchObject({ permanent: true, message: /^cannot append to .*plain/ })
  })

  it('says that the disk is full, which may pass, and goes on when it has room', async () => {
    const path = join(folder, 'events.jsonl')
    symlinkSync('/dev/full', path)
    const sender = await open(path)
    await expect(sender.send([aNotice()], NEVER)).rejects.toMatchObject({ reason: 'enospc', permanent: false })
    unlinkSync(path)
    await sender.send([named('a')], NEVER)
    expect(rulesOf(path)).toEqual(['a'])
  })

  it('refuses an empty path', () => {
    expect(() => file({ path: '' })).toThrow(/path/)
  })
})

describe('file as a store', () => {
  const opened = async (settings: object): Promise<Sender> => file.open(file.config.parse(settings), testIo())

  async function* chunks(...texts: string[]) {
    for (const text of texts) yield await Promise.resolve(Buffer.from(text))
  }

  it('keeps a file under its name in its folder, for the owner alone', async () => {
    const sender = await opened({ dir: join(folder, 'evidence') })
    const { url } = (await sender.store?.({ name: 'a/b.pcap', metadata: {} }, chunks('ab', 'c'), NEVER)) ?? {}
    const path = join(folder, 'evidence', 'a', 'b.pcap')
    expect(url).toBe(pathToFileURL(path).href)
    expect(readFileSync(path, 'utf8')).toBe('abc')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    await sender.close?.()
  })

  it('keeps files and lines side by side', async () => {
    const path = join(folder, 'events.jsonl')
    const sender = await opened({ path, dir: folder })
    await sender.send([named('a')], NEVER)
    await sender.store?.({ name: 'x', metadata: {} }, chunks('x'), NEVER)
    await sender.close?.()
    expect(rulesOf(path)).toEqual(['a'])
    expect(readFileSync(join(folder, 'x'), 'utf8')).toBe('x')
  })

  it('takes no notice where it has no path, and no file where it has no folder', async () => {
    const store = await opened({ dir: folder })
    await expect(store.send([aNotice()], NEVER)).rejects.toMatchObject({ permanent: true, reason: 'config' })
    expect(await opened({ path: join(folder, 'events.jsonl') })).not.toHaveProperty('store')
    expect(() => file({})).toThrow('needs a path, a dir or both')
  })
})
