/** Reads Falco alerts from standard input, one JSON object a line: `falco -o json_output=true | yarak run`. */
import { createReadStream, fstatSync } from 'node:fs'
import { Socket } from 'node:net'
import { addAbortSignal, type Readable } from 'node:stream'
import { isatty, ReadStream } from 'node:tty'
import { defineInput, YarakError, z, type Declared, type Input, type InputIo } from '../src/plugin.ts'
import { createLineSplitter, type Line } from './_lines.ts'
import { createSettled } from './_settled.ts'
import { createSink, lineSettings, untilAborted } from './_sink.ts'

const config = z.strictObject(lineSettings)

/**
 * The input over any stream of bytes, e.g. of a program that the host started.
 * @param open called when the input starts; the stream is destroyed when the gateway stops
 * @example createStdinInput(() => child.stdout)
 */
export const createStdinInput = (open: () => Readable): Declared<Input<typeof config>, z.input<typeof config>> =>
  defineInput({
    type: 'stdin',
    summary: 'Reads Falco alerts from standard input, one JSON object a line.',
    notes:
      'Ends when the stream ends and every line is settled. A stream cannot be read again: what is not settled when the process dies is lost.',
    config,
    replayable: false,
    run: (settings, io) => readLines(open(), settings, io),
  })

const readLines = async (stream: Readable, settings: z.output<typeof config>, io: InputIo): Promise<void> => {
  const { maxLine, stopTimeout } = settings
  const settled = createSettled<number>()
  const sink = createSink(io, settled, settings, (line) => `line ${line}`)
  const options = { authenticated: 'stdin' }
  let number = 0
  try {
    for await (const { bytes, head } of linesOf(stream, maxLine, io.signal)) {
      number++
      if (!(await sink({ bytes, head, place: number, at: number, options }))) break
    }
  } finally {
    stream.destroy()
    await untilAborted(settled.below(1), io.signal, stopTimeout)
  }
}

/** The lines of a stream until it ends or the signal fires; a last line needs no newline. */
async function* linesOf(stream: Readable, maxLine: number, signal: AbortSignal): AsyncGenerator<Line> {
  const splitter = createLineSplitter(maxLine)
  addAbortSignal(signal, stream)
  try {
    for await (const chunk of stream as AsyncIterable<Buffer | string>) {
      yield* splitter.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
    }
  } catch (cause) {
    if (signal.aborted) return
    throw new YarakError('unavailable', 'standard input cannot be read', { cause })
  }
  const rest = splitter.flush()
  if (rest) yield rest
}

/** File descriptor 0 as the kind of stream it is: only a file is read by a thread, which nothing could interrupt. */
const openStandardInput = (): Readable => {
  const status = fstatSync(0)
  if (status.isFIFO() || status.isSocket()) return new Socket({ fd: 0, readable: true, writable: false })
  return isatty(0) ? new ReadStream(0) : createReadStream('', { fd: 0, autoClose: false })
}

/** Standard input of the process. */
export const stdin = createStdinInput(openStandardInput)
