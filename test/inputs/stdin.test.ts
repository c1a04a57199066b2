import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createStdinInput, stdin } from '../../inputs/stdin.ts'
import { YarakError, type Receipt, type Report } from '../../src/plugin.ts'
import { inputCases, testInputIo, type TestInputIo } from '../../src/testing.ts'

const run = async (stream: Readable, io: TestInputIo, config: object = {}): Promise<void> => {
  const input = createStdinInput(() => stream)
  await input.run?.(input.config.parse(config), io)
}

const texts = (io: TestInputIo): string[] => io.emitted.map(({ raw }) => String(raw))

/** A receipt that is settled by hand. */
const openReceipt = (): { receipt: Receipt; settle: () => void } => {
  const { promise, resolve } = Promise.withResolvers<readonly Report[]>()
  return { receipt: { id: 'event', done: promise }, settle: () => resolve([]) }
}

describe('the input stdin', () => {
  for (const { name, run } of inputCases(stdin)) it(name, run)

  it('hands over each line, whatever the chunks, and ends with the stream', async () => {
    const io = testInputIo()
    await run(
      Readable.from([Buffer.from('{"a":"é'), Buffer.from([0xc3]), Buffer.from([0xa9]), '"}\r\n{"b"', ':1}\n\n \n{}']),
      io,
    )
    expect(texts(io)).toEqual(['{"a":"éé"}', '{"b":1}', '{}'])
    expect(io.counted).toEqual([])
  })

  it('says that nobody but this machine can have sent it, and skips what else Falco says', async () => {
    const io = testInputIo()
    const said = [
      '2026-01-01T00:00:00+0000: Falco initialized',
      '{"log":"{\\"rule\\":\\"r\\",\\"priority\\":\\"Error\\"}"}',
    ]
    await run(Readable.from([said.join('\n')]), io)
    expect(texts(io)).toEqual(['{"rule":"r","priority":"Error"}'])
    expect(io.emitted[0]?.options).toEqual({ authenticated: 'stdin' })
    expect(io.counted).toEqual(['skipped not-an-alert'])
  })

  it('is no replayable source: the journal keeps its events', () => expect(stdin.replayable).toBe(false))

  it('logs what is refused, with its line, and goes on', async () => {
    const io = testInputIo({
      emit: async (raw) => {
        if (String(raw) === 'bad') throw new YarakError('invalid', 'the event is not valid JSON')
        return { id: 'event', done: Promise.resolve([]) }
      },
    })
    await run(Readable.from(['good\nbad\ngood\n']), io)
    expect(texts(io)).toEqual(['good', 'good'])
    expect(io.counted).toEqual([])
    expect(io.lines).toMatchObject([
      { level: 'warn', message: 'a line was refused', fields: { at: 'line 2', error: 'the event is not valid JSON' } },
    ])
  })

  it('skips and counts a line over the limit', async () => {
    const io = testInputIo()
    await run(Readable.from([`${'x'.repeat(100)}\nshort\n`]), io, { maxLine: '64B' })
    expect(texts(io)).toEqual(['short'])
    expect(io.counted).toEqual(['rejected too_large'])
    expect(io.lines).toMatchObject([
      { message: 'a line was refused', fields: { at: 'line 1', error: 'the line is over the limit of maxLine' } },
    ])
    expect(io.lost).toMatchObject([{ reason: 'too_large', body: Buffer.from('x'.repeat(100)), position: 'line 1' }])
  })

  it('waits and tries again while the gateway is overloaded', async () => {
    let tries = 0
    const io = testInputIo({
      emit: async () => {
        if (++tries < 4) throw new YarakError('overloaded', 'no room', { retryAfter: 1 })
        return { id: 'event', done: Promise.resolve([]) }
      },
    })
    await run(Readable.from(['a\nb\n']), io)
    expect(texts(io)).toEqual(['a', 'b'])
    expect(tries).toBe(5)
    expect(io.counted).toEqual([])
  })

  it('ends only when every line is settled', async () => {
    const { receipt, settle } = openReceipt()
    const io = testInputIo({ emit: async () => receipt })
    let ended = false
    const running = run(Readable.from(['a\n']), io).then(() => (ended = true))
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect([texts(io), ended]).toEqual([['a'], false])
    settle()
    await running
  })

  it('hands over no more than may be in work', async () => {
    const open: (() => void)[] = []
    const io = testInputIo({
      emit: async () => {
        const { receipt, settle } = openReceipt()
        open.push(settle)
        return receipt
      },
    })
    const running = run(Readable.from(['a\nb\nc\n']), io, { maxInFlight: 2 })
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(texts(io)).toEqual(['a', 'b'])
    open[0]?.()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(texts(io)).toEqual(['a', 'b', 'c'])
    for (const settle of open) settle()
    await running
  })

  it('stops when the gateway stops, also while nothing comes, and closes the stream', async () => {
    const io = testInputIo()
    const stream = new PassThrough()
    const running = run(stream, io)
    stream.write('a\n')
    await expect.poll(() => texts(io)).toEqual(['a'])
    io.stop()
    await running
    expect(stream.destroyed).toBe(true)
  })

  it('takes no more when the gateway is closing, and does not wait for what never settles', async () => {
    let tries = 0
    const io = testInputIo({
      emit: async () => {
        if (++tries > 1) throw new YarakError('closing', 'stopping')
        return openReceipt().receipt
      },
    })
    const running = run(Readable.from(['a\nb\nc\n']), io, { stopTimeout: '10ms' })
    await expect.poll(() => tries).toBe(2)
    io.stop()
    await running
    expect([texts(io), tries, io.counted]).toEqual([['a'], 2, []])
  })

  it('rejects with a clear error when the stream breaks', async () => {
    const stream = new PassThrough()
    const running = run(stream, testInputIo())
    stream.destroy(new Error('read EIO'))
    await expect(running).rejects.toMatchObject({ code: 'unavailable', message: 'standard input cannot be read' })
  })
})

describe('standard input of a process', () => {
  const program = `
    import { stdin } from ${JSON.stringify(new URL('../../inputs/stdin.ts', import.meta.url).href)}
    const stop = new AbortController()
    const io = {
      id: 'stdin', log: console, signal: stop.signal, count() {},
      async emit(raw) {
        console.log('got ' + raw)
        if (String(raw) === 'stop') stop.abort()
        return { id: '1', done: Promise.resolve([]) }
      },
    }
    await stdin.run(stdin.config.parse({}), io)
    console.log('ended')`

  const start = (input: 'pipe' | number): ReturnType<typeof spawn> =>
    spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: [input, 'pipe', 'inherit'] })

  const outputOf = async (child: ReturnType<typeof spawn>): Promise<string> => {
    let text = ''
    child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()))
    const [code] = (await once(child, 'close')) as [number]
    expect(code).toBe(0)
    return text
  }

  it('is read from a pipe to its end', async () => {
    const child = start('pipe')
    child.stdin?.end('a\nb')
    expect(await outputOf(child)).toBe('got a\ngot b\nended\n')
  })

  it('is left when the gateway stops though the pipe stays open, and the process can end', async () => {
    const child = start('pipe')
    child.stdin?.write('a\nstop\n')
    expect(await outputOf(child)).toBe('got a\ngot stop\nended\n')
  })

  it('is read from a file', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'yarak-stdin-'))
    writeFileSync(join(dir, 'events'), 'a\nb\n')
    expect(await outputOf(start(openSync(join(dir, 'events'), 'r')))).toBe('got a\ngot b\nended\n')
    rmSync(dir, { recursive: true })
  })
})
