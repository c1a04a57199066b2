import { truncateSync, writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { barOf, createProgress, summaryOf, type Tally } from '../../src/cli/progress.ts'
import type { Terminal } from '../../src/cli/terminal.ts'
import { inputOf } from '../../src/options.ts'
import { defineInput, YarakError, z, type InputIo } from '../../src/plugin.ts'
import { testInputIo } from '../../src/testing.ts'
import { about, alert } from '../kit.ts'
import { folder, yarak } from './_kit.ts'

const ERASE = '\r\u001b[2K'

const tally = (values: Partial<Tally> = {}): Tally => ({
  total: new Map([['a', 3 * 1024 ** 2]]),
  read: new Map([['a', 1024 ** 2]]),
  events: 12_345,
  refused: 0,
  skipped: 0,
  ...values,
})

describe('the bar', () => {
  it('tells bytes, events, the rate and the time that is left', () => {
    expect(barOf(tally(), 10_000)).toBe(
      '████████░░░░░░░░░░░░░░░░   33 %  1.0 MiB of 3.0 MiB  12,345 events  1,235/s  20 s left',
    )
    expect(barOf(tally({ read: new Map([['a', 1024]]) }), 10_000)).toContain('0 %  1.0 KiB of 3.0 MiB')
    expect(barOf(tally({ read: new Map([['a', 1024]]) }), 10_000)).toMatch(/ 512 min left$/)
  })

  it('promises nothing in the first second, never shows more than all, and knows one event', () => {
    expect(barOf(tally(), 500)).not.toContain('left')
    const over = barOf(tally({ read: new Map([['b', 9 * 1024 ** 2]]), events: 1 }), 500)
    expect(over).toContain('100 %  3.0 MiB of 3.0 MiB  1 event  2/s')
    expect(barOf(tally({ total: new Map(), read: new Map(), events: 0 }), 0)).toContain('100 %  0 B of 0 B  0 events')
  })

  it('ends as one line', () => {
    expect(summaryOf(tally(), 2_040)).toBe('read 1 file, 1.0 MiB: 12,345 events, in 2.0 s\n')
    expect(summaryOf(tally({ total: new Map(), read: new Map(), events: 1, refused: 2, skipped: 1_000 }), 10)).toBe(
      'read 0 files, 0 B: 1 event, 2 refused, 1,000 skipped, in 0.0 s\n',
    )
  })
})

describe('on a terminal', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  const terminal = (tty: boolean) => {
    const said: string[] = []
    const made: Terminal = {
      out: (text) => void said.push(`out ${text}`),
      err: (text) => void said.push(`err ${text}`),
      tty,
      colours: { out: false, err: false },
      env: {},
      signal: new AbortController().signal,
    }
    return { said, made }
  }

  /** An input that does what the test says. */
  const use = (run: (io: InputIo) => Promise<void>) =>
    defineInput({
      type: 'test',
      summary: 'A test.',
      config: z.strictObject({}),
      replayable: true,
      run: (_config, io) => run(io),
    })({})

  const watched = async (progress: ReturnType<typeof createProgress>, run: (io: InputIo) => Promise<void>) => {
    const io = testInputIo({
      emit: async (raw) => {
        if (raw === 'bad') throw new YarakError('invalid', 'bad')
        return { id: '1', done: Promise.resolve([]) }
      },
    })
    const [one] = progress.watch([use(run)]).map(inputOf)
    await one?.plugin.run?.(one.config, io)
    return io
  }

  it('the bar is drawn now and then, gets out of the way of what is written, and is erased', async () => {
    const { said, made } = terminal(true)
    const progress = createProgress(made)
    vi.advanceTimersByTime(1_000)
    expect(said).toEqual([])
    await watched(progress, async (io) => io.measure('total_bytes', 100, { path: 'a' }))
    vi.advanceTimersByTime(200)
    expect(said.splice(0)).toEqual([expect.stringContaining(`err ${ERASE}░`) as string])
    progress.terminal.out('a tree\n')
    progress.terminal.err('a log line\n')
    expect(said.splice(0)).toEqual([`err ${ERASE}`, 'out a tree\n', 'err a log line\n'])
    vi.advanceTimersByTime(400)
    expect(said.splice(0)).toHaveLength(2)
    progress.end()
    expect(said.splice(0)).toEqual([`err ${ERASE}`])
    vi.advanceTimersByTime(1_000)
    expect(said).toEqual([])
  })

  it('no bar is drawn where nobody looks', async () => {
    const { said, made } = terminal(false)
    const progress = createProgress(made)
    await watched(progress, async (io) => io.measure('total_bytes', 100, { path: 'a' }))
    vi.advanceTimersByTime(1_000)
    progress.terminal.out('a tree\n')
    expect(progress.end()).toMatch(/^read 1 file/)
    expect(said).toEqual(['out a tree\n'])
  })

  it('what the input hands over is counted and passed on', async () => {
    const progress = createProgress(terminal(false).made)
    const io = await watched(progress, async (given) => {
      given.measure('read_bytes', 2048, { path: 'a' })
      await given.emit('good')
      await given.emit('bad').catch(() => {})
      given.count('rejected', 'too_large', { message: 'long', body: 'x' })
      given.count('skipped', 'not-an-alert')
    })
    expect(progress.end()).toMatch(/^read 0 files, 2\.0 KiB: 1 event, 2 refused, 1 skipped, in/)
    expect(io.emitted.map(({ raw }) => raw)).toEqual(['good'])
    expect(io.counted).toEqual(['rejected too_large', 'skipped not-an-alert'])
    expect(io.lost).toHaveLength(1)
    expect(io.measured).toHaveLength(1)
  })

  it('inputs that only serve stay as they are', () => {
    const served = { ...use(async () => {}), plugin: { ...use(async () => {}).plugin, run: undefined } }
    expect(createProgress(terminal(false).made).watch([served as never])).toEqual([served])
  })
})

describe('run --once', () => {
  const files = folder()
  const run = (...names: string[]) => yarak(['run', '--once', ...names.flatMap((name) => ['--file', name])])

  it('ends with one line about what was read', async () => {
    const events = files.write('events.jsonl', [about('web-1'), about('web-2')])
    const { code, err } = await run(events, files.write('more.jsonl', 'rubbish\n'))
    expect(code).toBe(0)
    expect(err).toMatch(/^read 2 files, \d+ B: 2 events, 1 refused, in \d+\.\d s$/m)
  })

  it('takes archives and patterns', async () => {
    writeFileSync(files.at('a.jsonl.gz'), gzipSync(`${JSON.stringify(alert())}\n`))
    files.write('b.jsonl', [alert()])
    const { code, err } = await run(files.at('*.jsonl*'))
    expect([code, err]).toEqual([0, expect.stringContaining(': 2 events, in ') as string])
  })

  it('ends with 1 when a file could not be read to its end, after what could be', async () => {
    writeFileSync(files.at('a.gz'), gzipSync(`${JSON.stringify(alert())}\n`.repeat(1_000)))
    truncateSync(files.at('a.gz'), 60)
    const { code, err } = await run(files.at('a.gz'), files.write('b.jsonl', [alert()]))
    expect(code).toBe(1)
    expect(err).toContain('an input failed and cannot go on')
    expect(err).toContain('the archive is cut off')
    expect(err).toMatch(/: \d+ events?, /)
  })

  it('ends with 1 when a pattern finds nothing', async () => {
    const { code, err } = await run(files.at('*.jsonl'))
    expect([code, err]).toEqual([1, expect.stringContaining('no file fits') as string])
  })

  it('shows the bar on a terminal only until it is over', async () => {
    const rules = files.write(
      'rules.yaml',
      `- rule: Slow
  steps: [{ action: local:script, with: { command: [sleep, '0.5'], changes: nothing } }]
`,
    )
    const args = ['run', '--once', '--file', files.write('events.jsonl', [alert()]), '--rules', rules]
    const { code, out, err } = await yarak(args, { tty: true })
    expect(code).toBe(0)
    expect(err).toContain('100 %')
    expect(err.slice(err.lastIndexOf(ERASE))).toMatch(/^\r\u001b\[2K[^█]*$/)
    expect(out).toContain('respond Slow')
    expect(out).not.toContain('█')
  })
})
