/** Lines that a container runtime wrapped: taken out, joined, and settled exactly. */
import fc from 'fast-check'
import { appendFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createContainerLines, type Format } from '../../inputs/_container-lines.ts'
import type { Source } from '../../inputs/_source.ts'
import { byHand, fileRig, openState, path, positions, readOnce, start, stop, texts, warnings } from './_file-rig.ts'

fileRig()

const cri = (text: string, tag = 'F', stream = 'stdout'): string =>
  `2026-01-01T00:00:00.000000001Z ${stream} ${tag} ${text}\n`
const docker = (log: string, stream = 'stdout'): string =>
  `${JSON.stringify({ log, stream, time: '2026-01-01T00:00:00.000000001Z' })}\n`
const alert = (n: number): string => JSON.stringify({ rule: `r${n}`, priority: 'Notice', output: 'a "quoted" é' })

const given = async (text: string, format: Format = 'auto'): Promise<string[]> => {
  writeFileSync(path, text)
  return readOnce({ format, from: 'beginning' })
}

describe('lines of containerd and CRI-O', () => {
  it('are taken out, with or without further tags, in any time zone', async () => {
    const zoned = cri(alert(2)).replace('Z ', '+02:00 ')
    expect(await given(cri(alert(1)) + zoned + cri(alert(3), 'F:more'))).toEqual([1, 2, 3].map(alert))
  })

  it('that were split are joined, by stream', async () => {
    const [one, two] = [alert(1), alert(2)]
    const text =
      cri(one.slice(0, 9), 'P') + cri(two, 'F', 'stderr') + cri(one.slice(9, 20), 'P') + cri(one.slice(20)) + cri('')
    expect(await given(text)).toEqual([two, one])
  })

  it('that were split over a rotation are joined', async () => {
    writeFileSync(path, cri(alert(1).slice(0, 9), 'P'))
    const { io } = start({ from: 'beginning' })
    await expect.poll(() => io.lines.length).toBe(1)
    renameSync(path, `${path}.1`)
    writeFileSync(path, cri(alert(1).slice(9)))
    await expect.poll(() => texts(io), { timeout: 5_000 }).toEqual([alert(1)])
  })

  it('are left as they are when the format says so', async () => {
    expect(await given(cri('x'), 'plain')).toEqual([cri('x').trim()])
    expect(await given(cri(alert(1)), 'docker')).toEqual([cri(alert(1)).trim()])
    expect(await given(`${alert(1)}\n`, 'cri')).toEqual([alert(1)])
  })
})

describe('lines of Docker', () => {
  it('are taken out, and joined where the newline is missing', async () => {
    const [one, two] = [alert(1), alert(2)]
    const text = docker(one.slice(0, 9)) + docker(`${two}\r\n`, 'stderr') + docker(`${one.slice(9)}\n`)
    expect(await given(text)).toEqual([two, one])
  })

  it('are known in any order of their members when the format says so', async () => {
    expect(await given(`${JSON.stringify({ stream: 'stdout', log: `${alert(1)}\n` })}\n`, 'docker')).toEqual([alert(1)])
  })

  it('that are broken go on as they are, to become dead letters', async () => {
    expect(await given('{"log":"cut\n')).toEqual(['{"log":"cut'])
  })
})

describe('what else Falco says', () => {
  it('is skipped and counted', async () => {
    const said = ['Thu Jan  1 00:00:00 2026: Falco version: 0.41.0 (x86_64)', 'Events detected: 5', '   NOTICE: 5', '']
    writeFileSync(path, said.map((text) => cri(text)).join('') + cri(alert(1)))
    const { io, done } = start({ once: true })
    await done
    expect(texts(io)).toEqual([alert(1)])
    expect(io.counted).toEqual(Array(3).fill('skipped not-an-alert'))
    expect(await openState().get(path)).toMatchObject({ offset: expect.any(Number) as number })
  })

  it('is known by its time in a plain file; any other text goes on, to become a dead letter', async () => {
    const text = '2026-01-01T00:00:00+0000: Falco initialized\nThu Jan  1 00:00:00 2026: Loading rules\nrubbish\n'
    expect(await given(text)).toEqual(['rubbish'])
    expect(await given('2026-01-01T00:00:00.0+0000: Notice A shell\n')).toEqual([
      '2026-01-01T00:00:00.0+0000: Notice A shell',
    ])
  })
})

describe('what a shipper wrapped', () => {
  it('is taken out of the member that holds it, in a container’s log too', async () => {
    const wrapped = JSON.stringify({ date: 1, log: `${alert(1)}\n`, kubernetes: {} })
    expect(await given(`${wrapped}\n${cri(wrapped)}`)).toEqual([alert(1), alert(1)].map((one) => one))
  })

  it('stays where it is with unwrap: none', async () => {
    const wrapped = JSON.stringify({ date: 1, log: alert(1) })
    writeFileSync(path, `${wrapped}\n`)
    expect(await readOnce({ unwrap: 'none' })).toEqual([wrapped])
  })
})

describe('the checkpoint in split lines', () => {
  it('stays before the first part until the whole is settled', async () => {
    const first = cri(alert(1))
    writeFileSync(path, first + cri(alert(2).slice(0, 9), 'P'))
    const before = start({ from: 'beginning' })
    await expect.poll(() => texts(before.io)).toEqual([alert(1)])
    await stop(before)
    expect(await openState().get(path)).toMatchObject({ offset: Buffer.byteLength(first) })

    appendFileSync(path, cri(alert(3), 'F', 'stderr'))
    const during = start()
    await expect.poll(() => texts(during.io)).toEqual([alert(3)])
    await stop(during)
    expect(await openState().get(path)).toMatchObject({ offset: Buffer.byteLength(first) })

    appendFileSync(path, cri(alert(2).slice(9)))
    const { emit, settle } = byHand()
    const after = start({}, emit)
    await expect.poll(() => texts(after.io)).toEqual([alert(3), alert(2)])
    expect(positions(after.io)[0]).toBe(positions(during.io)[0])
    expect(positions(after.io)[1]).toMatch(new RegExp(`:${Buffer.byteLength(first)}$`))
    settle(alert(3))
    await stop(after)
    expect(await openState().get(path)).toMatchObject({ offset: Buffer.byteLength(first) })
    expect(await readOnce()).toEqual([alert(3), alert(2)])
    expect(await readOnce()).toEqual([])
  })

  it('goes over a line whose rest never comes: at the end, and when the file is emptied', async () => {
    writeFileSync(path, cri('{"cut', 'P'))
    expect(await readOnce()).toEqual(['{"cut'])
    expect(await readOnce()).toEqual([])
    writeFileSync(path, cri('{"cut', 'P'))
    const { io } = start({ from: 'beginning' })
    await expect.poll(() => io.lines.length).toBe(1)
    truncateSync(path)
    await expect.poll(() => texts(io)).toEqual(['{"cut'])
    appendFileSync(path, cri(alert(1)))
    await expect.poll(() => texts(io)).toEqual(['{"cut', alert(1)])
  })

  it('refuses a line that is over the limit only when it is joined', async () => {
    const part = 'x'.repeat(700)
    writeFileSync(path, cri(`{${part}`, 'P') + cri(part, 'P') + cri(part) + cri(alert(1)))
    const { io, done } = start({ once: true, maxLine: '1KiB' })
    await done
    expect(texts(io)).toEqual([alert(1)])
    expect(io.counted).toEqual(['rejected too_large'])
    expect(String(io.lost[0]?.body).slice(0, 10)).toBe('{xxxxxxxxx')
    expect(warnings(io)).toHaveLength(1)
  })
})

describe('any split', () => {
  const source: Source = { dev: '1', ino: '2', restarts: 0, real: '', head: Buffer.alloc(0), mtime: 0n }
  /** Bytes that are cut anywhere stand as characters of one byte each. */
  const message = fc.record({
    stream: fc.constantFrom('stdout', 'stderr'),
    text: fc.string({ unit: 'grapheme', maxLength: 30 }).map((text) => `{${text.replaceAll(/[\r\n]/g, ' ')}`),
    cuts: fc.array(fc.nat(40), { maxLength: 3 }),
  })

  /** The parts of the messages of each stream in order, the streams mixed as `turns` says. */
  const mixed = (messages: readonly { stream: string; text: string; cuts: number[] }[], turns: readonly boolean[]) => {
    const queues = ['stdout', 'stderr'].map((stream) =>
      messages.flatMap((one, n) => {
        if (one.stream !== stream) return []
        const bytes = Buffer.from(one.text)
        const at = [0, ...one.cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length]
        return at
          .slice(1)
          .map((end, i) => ({ n, stream, bytes: bytes.subarray(at[i], end), isLast: i === at.length - 2 }))
      }),
    )
    const parts = []
    for (let i = 0; queues.some((queue) => queue.length > 0); i++) {
      const queue = queues[turns[i % turns.length] ? 0 : 1]!
      const next = queue.shift() ?? queues.find((other) => other.length > 0)!.shift()!
      parts.push(next)
    }
    return parts
  }

  it.each(['cri', 'docker'] as const)(
    'of %s is joined to what was written, and is open while a part is missing',
    (kind) => {
      fc.assert(
        fc.property(
          fc.array(message, { maxLength: 12 }),
          fc.array(fc.boolean(), { minLength: 1 }),
          (messages, turns) => {
            const container = createContainerLines('auto', 1_000)
            const got = new Map<number, Buffer>()
            const openSince = new Map<string, number>()
            let start = 0
            for (const part of mixed(messages, turns)) {
              const body = part.bytes.toString('latin1')
              const line =
                kind === 'cri'
                  ? cri(body, part.isLast ? 'F' : 'P', part.stream)
                  : docker(body + (part.isLast ? '\n' : ''), part.stream)
              const bytes = Buffer.from(line.slice(0, -1), kind === 'cri' ? 'latin1' : 'utf8')
              if (!openSince.has(part.stream)) openSince.set(part.stream, start)
              const whole = container.take({ source, start, end: start + line.length, bytes })
              expect(whole !== undefined).toBe(part.isLast)
              if (whole) {
                expect(whole.start).toBe(openSince.get(part.stream))
                openSince.delete(part.stream)
                got.set(part.n, whole.bytes!)
              }
              expect(container.open?.end).toBe(openSince.size > 0 ? Math.min(...openSince.values()) : undefined)
              start += line.length
            }
            const read = (bytes: Buffer): string =>
              kind === 'cri' ? bytes.toString() : Buffer.from(bytes.toString(), 'latin1').toString()
            expect(got.size).toBe(messages.length)
            for (const [n, bytes] of got) expect(read(bytes)).toBe(messages[n]?.text)
            expect(container.drain()).toEqual([])
          },
        ),
        { numRuns: 200 },
      )
    },
  )
})
