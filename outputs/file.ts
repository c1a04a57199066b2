/** A file of JSON lines. */
import { defineOutput, toJson, YarakError, z } from '../src/plugin.ts'
import { openAppender } from './_append.ts'
import { payload } from './_payload.ts'
import { serial } from './_serial.ts'
import { printableJson } from './_text.ts'

/**
 * Appends each notice as one line of JSON to a file.
 * @example file({ path: '/var/log/yarak/events.jsonl', fsync: true })
 */
export const file = defineOutput({
  type: 'file',
  summary: 'Appends the event as a line of JSON to a file.',
  notes: `
A line is the event as \`webhook\` sends it; the report of a response adds the member \`response\`. Control characters
are written as JSON escapes, so the file is safe to show on a terminal, and the file input can read it.

A new file has mode 0600, its folder is made when it is not there. After a rotation by renaming or removing, the next
line goes to a new file; rotation by copying and truncating works too. Lines that one delivery brings are one write.
`.trim(),
  config: z.strictObject({
    path: z.string().min(1).describe('The file.'),
    fsync: z
      .boolean()
      .default(false)
      .describe('A delivery counts only when the disk has it. Default false: when the system has it.'),
  }),
  batch: 100,
  async open({ path, fsync }, io) {
    const appender = await openAppender(path, { fsync })
    const inTurn = serial()
    return {
      send: (notices, signal) =>
        inTurn(async () => {
          if (signal.aborted) throw new YarakError('interrupted', `${io.id}: cut short`, { cause: signal.reason })
          await appender.append(notices.map((notice) => `${printableJson(toJson(payload(notice)))}\n`).join(''))
        }),
      close: () => inTurn(() => appender.close()),
    }
  },
  example: { config: { path: '/var/log/yarak/events.jsonl' } },
})
