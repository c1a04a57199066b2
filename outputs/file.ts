/** A file of JSON lines, and a folder for the files that steps make. */
import { defineOutput, type Io, type Sender, storeFile, toJson, YarakError, z } from '../src/plugin.ts'
import { openAppender } from './_append.ts'
import { payload } from './_payload.ts'
import { serial } from './_serial.ts'
import { printableJson } from './_text.ts'

const config = z
  .strictObject({
    path: z
      .string()
      .min(1)
      .optional()
      .describe('The file of lines. Default none, for an output that only keeps files.'),
    dir: z.string().min(1).optional().describe('Folder of the files that steps make. Default none: it keeps none.'),
    fsync: z
      .boolean()
      .default(false)
      .describe('A line counts as delivered only when the disk has it. Default false: when the system has it.'),
  })
  .refine(({ path, dir }) => path !== undefined || dir !== undefined, 'needs a path, a dir or both')

/**
 * Appends each notice as one line of JSON to a file; as a store, keeps the files of steps in a folder.
 * @example file({ path: '/var/log/yarak/events.jsonl', fsync: true })
 * @example file({ dir: '/var/lib/yarak/evidence' }, 'evidence')
 */
export const file = defineOutput({
  type: 'file',
  summary: 'Appends the event as a line of JSON to a file, and keeps the files of steps in a folder.',
  notes: `
A line is the event as \`webhook\` sends it; the report of a response adds the member \`response\`. Control characters
are written as JSON escapes, so the file is safe to show on a terminal, and the file input can read it.

A new file has mode 0600, its folder is made when it is not there. After a rotation by renaming or removing, the next
line goes to a new file; rotation by copying and truncating works too. Lines that one delivery brings are one write.

A file that a step made appears in \`dir\` under its name when all of it is on the disk, with mode 0600; new folders
have mode 0700. With \`tell: none\` beside it the output does nothing else.
`.trim(),
  config,
  batch: 100,
  stores: true,
  async open({ path, dir, fsync }, io) {
    return {
      ...(path === undefined ? { send: () => Promise.reject(nowhere()) } : await openLines(path, fsync, io)),
      ...(dir !== undefined && { store: (file, chunks, signal) => storeFile(dir, file, chunks, signal) }),
    }
  },
  example: { config: { path: '/var/log/yarak/events.jsonl', dir: '/var/lib/yarak/evidence' } },
})

const nowhere = (): YarakError =>
  new YarakError('failed', 'there is no path to write notices to; set `tell: none`', {
    permanent: true,
    reason: 'config',
  })

const openLines = async (path: string, fsync: boolean, io: Io): Promise<Sender> => {
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
}
