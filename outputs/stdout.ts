/** The standard output of the process: a readable line on a terminal, a line of JSON for everything else. */
import { write } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { isatty } from 'node:tty'
import { promisify } from 'node:util'
import { defineOutput, type Notice, toJson, YarakError, z } from '../src/plugin.ts'
import { payload } from './_payload.ts'
import { prettyLine } from './_pretty.ts'
import { serial } from './_serial.ts'
import { printableJson } from './_text.ts'

/** Where the lines go. */
export interface LineStream {
  /** A person reads along. Asked once, when the output is opened. */
  isTTY(): boolean
  /** Resolves when all of the text is written; the signal may end the wait for a reader that does not read. */
  write(text: string, signal: AbortSignal): Promise<void>
}

const config = z.strictObject({
  format: z
    .enum(['auto', 'pretty', 'json'])
    .default('auto')
    .describe('One readable line, or one line of JSON. Default auto: readable on a terminal, else JSON.'),
  colour: z
    .enum(['auto', 'always', 'never'])
    .default('auto')
    .describe('Colours in readable lines. Default auto: on a terminal, unless NO_COLOR is set.'),
})

const choose = (choice: string, yes: string, automatic: boolean): boolean =>
  choice === 'auto' ? automatic : choice === yes

/**
 * The output for a stream of the host's own.
 * @example createStdout({ isTTY: () => false, write: async (text) => void lines.push(text) })({ format: 'json' })
 */
export const createStdout = (stream: LineStream) =>
  defineOutput({
    type: 'stdout',
    summary: 'Writes the event as a line to the standard output.',
    notes: `
A readable line has the time, the priority, the rule, the event's text, and namespace and pod; for the report of a
response the outcome, the steps and the trace. A line of JSON is what \`file\` writes. Control characters that came with
an event are shown as escapes in both, so no event can drive the terminal.
`.trim(),
    config,
    batch: 100,
    open({ format, colour }, io) {
      const terminal = stream.isTTY()
      const pretty = choose(format, 'pretty', terminal)
      const coloured = choose(colour, 'always', terminal && !io.env.NO_COLOR)
      const line = (notice: Notice): string =>
        pretty ? prettyLine(notice, coloured) : printableJson(toJson(payload(notice)))
      const inTurn = serial()
      let torn = false
      return {
        send: (notices, signal) =>
          inTurn(async () => {
            if (signal.aborted) throw new YarakError('interrupted', `${io.id}: cut short`, { cause: signal.reason })
            const text = notices.map((notice) => `${line(notice)}\n`).join('')
            const ended = torn ? `\n${text}` : text
            torn = true
            await stream.write(ended, signal)
            torn = false
          }),
      }
    },
    example: { config: { format: 'json' } },
  })

const writeSome = promisify(write) as unknown as (
  fd: number,
  bytes: Uint8Array,
  offset: number,
) => Promise<{ bytesWritten: number }>

/** A pipe that is full and does not block answers EAGAIN: the reader is slow, not gone. */
const PAUSE = 10

/** The lines of a file descriptor; the whole text is written, however slow the reader. */
export const descriptor = (fd: number): LineStream => ({
  isTTY: () => isatty(fd),
  async write(text, signal) {
    const bytes = Buffer.from(text)
    for (let done = 0; done < bytes.length;) {
      try {
        done += (await writeSome(fd, bytes, done)).bytesWritten
      } catch (error) {
        const { code = 'error' } = error as NodeJS.ErrnoException
        if (code === 'EAGAIN') await wait(PAUSE, undefined, { signal })
        else throw new YarakError('failed', `cannot write: ${code}`, { cause: error, permanent: code !== 'EINTR' })
      }
    }
  },
})

/**
 * Writes each notice as one line to the standard output.
 * @example stdout({ format: 'pretty' })
 */
export const stdout = createStdout(descriptor(1))
