/** Follows files of Falco alerts, one JSON object a line, over rotation and restarts. */
import { defineInput, duration, type InputIo, z } from '../src/plugin.ts'
import { openBook } from './_book.ts'
import { readFiles } from './_files.ts'
import { lineSettings } from './_sink.ts'

const config = z.strictObject({
  path: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .describe(
      'The file, or a list of files. A file that is not there yet is waited for. `*`, `?`, `**` and `{a,b}` make it a ' +
        'pattern; a file with several names is read once, and a rotated one belongs to the file that it was.',
    ),
  exclude: z
    .array(z.string().min(1))
    .default([])
    .describe(
      'Paths that a pattern finds and that are not to be read, as patterns; one without a slash is about the name.',
    ),
  from: z
    .enum(['checkpoint', 'beginning', 'end'])
    .default('checkpoint')
    .describe(
      'Where a start begins. `checkpoint`: where the last run stopped; the very first start at the end of the file, ' +
        'so that old alerts are not answered (with `once` at its beginning). `beginning`: the whole file, at every ' +
        'start. `end`: only what is written from then on. A file that appears later is always read whole.',
    ),
  once: z
    .boolean()
    .default(false)
    .describe('End at the end of the file instead of waiting for more. Then gzip and Zstandard archives are read too.'),
  format: z
    .enum(['auto', 'plain', 'cri', 'docker'])
    .default('auto')
    .describe(
      'How the lines are wrapped: `plain`, not at all; `cri` and `docker`, as a container runtime does, lines that it ' +
        'has split being joined. `auto` looks at each line.',
    ),
  pollInterval: duration().prefault('100ms').describe('How often each file is looked at.'),
  discoverInterval: duration().prefault('5s').describe('How often patterns are looked up again.'),
  maxFiles: z
    .int()
    .min(1)
    .max(10_000)
    .default(256)
    .describe('Files followed at the same time; more wait for their turn.'),
  ...lineSettings,
})

/**
 * Tails files. The checkpoint follows what is settled, so a line that was in work when the process died comes again,
 * with the same event id.
 * @example file({ path: '/var/log/falco/events.log' })
 * @example file({ path: '/var/log/containers/falco-*.log' })
 * @example file({ path: 'events-*.jsonl.gz', once: true })
 */
export const file = defineInput({
  type: 'file',
  summary: 'Follows files of Falco alerts over rotation and restarts.',
  config,
  notes:
    'Set `file_output` and `json_output: true` in falco.yaml. Rotation may rename the file, copy and truncate it, ' +
    'delete it, or swap a symbolic link; a rotated file is read to its end before the new one. Keep the newest rotated ' +
    'file uncompressed (`delaycompress`), so that a restart finds it. What `copytruncate` cuts off between its copy and ' +
    'its truncation is lost by nature: prefer renaming, with `SIGUSR1` to Falco.\n\n' +
    'In Kubernetes, `/var/log/containers/falco-*.log` reads what Falco’s pods print, in the formats of containerd, ' +
    'CRI-O and Docker.',
  replayable: true,
  async run(settings, io) {
    const paths = [...new Set([settings.path].flat())]
    const pass = settings.from === 'beginning' ? passOf(io) : ''
    await readFiles({ ...settings, paths, pass }, io, await openBook(io, paths, settings.from === 'checkpoint'))
  },
})

const PASSES = new WeakMap<InputIo, string>()

/** Differs for each process, so that a file that is read from its beginning again is answered again. */
const passOf = (io: InputIo): string => {
  const pass = PASSES.get(io) ?? `${Date.now().toString(36)}:`
  PASSES.set(io, pass)
  return pass
}
