/** Follows files of Falco alerts, one JSON object a line, over rotation and restarts. */
import { defineInput, duration, z, type InputIo } from '../src/plugin.ts'
import { createSaver } from './_saver.ts'
import { createSettled, type Settled } from './_settled.ts'
import { createSink, lineSettings, pause, untilAborted, type Handed, type Sink } from './_sink.ts'
import { markOf, parseMark, positionOf, type Source } from './_source.ts'
import { Tail, type TailItem } from './_tail.ts'

const config = z.strictObject({
  path: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .describe('The file, or a list of files; no patterns. A file that is not there yet is waited for.'),
  from: z
    .enum(['checkpoint', 'beginning', 'end'])
    .default('checkpoint')
    .describe(
      'Where a start begins. `checkpoint`: where the last run stopped; the very first start at the end of the file, ' +
        'so that old alerts are not answered (with `once` at its beginning). `beginning`: the whole file, at every ' +
        'start. `end`: only what is written from then on. A file that appears later is always read whole.',
    ),
  once: z.boolean().default(false).describe('End at the end of the file instead of waiting for more.'),
  pollInterval: duration().prefault('100ms').describe('How often the file is looked at.'),
  ...lineSettings,
})

type Config = z.output<typeof config>

/** A place up to which everything is settled. */
interface Place {
  readonly source: Source
  readonly end: number
}

/**
 * Tails files. The checkpoint follows what is settled, so a line that was in work when the process died comes again,
 * with the same event id.
 * @example file({ path: '/var/log/falco/events.log' })
 * @example file({ path: 'events.jsonl', from: 'beginning', once: true })
 */
export const file = defineInput({
  type: 'file',
  summary: 'Follows files of Falco alerts over rotation and restarts.',
  config,
  notes:
    'Set `file_output` and `json_output: true` in falco.yaml. Rotation may rename the file, copy and truncate it, ' +
    'delete it, or swap a symbolic link; a rotated file is read to its end before the new one. Keep the newest rotated ' +
    'file uncompressed (`delaycompress`), so that a restart finds it. What `copytruncate` cuts off between its copy and ' +
    'its truncation is lost by nature: prefer renaming, with `SIGUSR1` to Falco.',
  replayable: true,
  async run(settings, io) {
    const paths = [...new Set([settings.path].flat())]
    const ended = await Promise.allSettled(paths.map((path) => follow(path, settings, io)))
    for (const one of ended) if (one.status === 'rejected') throw one.reason
  },
})

/** What belongs to one file that is followed. */
interface Follower {
  readonly path: string
  readonly io: InputIo
  readonly settled: Settled<Place>
  readonly sink: Sink<Place>
}

/** One file, until it ends or the gateway stops; then waits for what is in work and saves the checkpoint. */
const follow = async (path: string, settings: Config, io: InputIo): Promise<void> => {
  const tail = await openTail(path, settings, io)
  const saver = createSaver(async () => {
    const place = settled.position
    if (place) await io.state.set(path, markOf(place.source, place.end))
  }, io.log)
  const settled = createSettled<Place>(saver.changed)
  const follower = { path, io, settled, sink: createSink(io, settled, settings.maxInFlight) }
  let limit = AbortSignal.abort()
  try {
    await readAll(tail, (item) => take(item, follower), settings, io.signal)
    limit = io.signal
  } finally {
    await tail.close()
    await untilAborted(settled.below(1), limit, settings.stopTimeout)
    await saver.flush()
  }
}

const openTail = async (path: string, { from, once, maxLine }: Config, io: InputIo): Promise<Tail> => {
  const stored = from === 'checkpoint' ? await io.state.get(path) : undefined
  const mark = parseMark(stored)
  if (stored !== undefined && !mark)
    io.log.warn('the checkpoint is not readable: starting as if there were none', { path })
  const first = from === 'checkpoint' ? (once ? 'beginning' : 'end') : from
  return new Tail({ path, mark, from: first, once, maxLine })
}

/** Gives every item to `each` until it says false, the file ends or the signal fires. */
const readAll = async (
  tail: Tail,
  each: (item: TailItem) => Promise<boolean>,
  { pollInterval }: Config,
  signal: AbortSignal,
): Promise<void> => {
  while (!signal.aborted) {
    const { items, state } = await tail.poll()
    for (const item of items) if (signal.aborted || !(await each(item))) return
    if (state === 'end') return
    if (state === 'idle') await pause(pollInterval, signal)
  }
}

/** Does what one item of the tail asks for; false when the gateway stops. */
const take = async (item: TailItem, { path, io, settled, sink }: Follower): Promise<boolean> => {
  switch (item.kind) {
    case 'line':
      return sink(handed(item, path, io.id))
    case 'skipped':
      io.count(item.reason === 'too_large' ? 'rejected' : 'skipped', item.reason)
      io.log.warn(SKIPPED[item.reason], { at: `${path}:${item.start}`, bytes: item.end - item.start })
      settled.add(item)()
      break
    case 'opened':
      io.log.info(`reading ${path}`, { offset: item.end, why: item.why })
      settled.add(item)()
      break
    case 'trouble':
      io.log.warn(`waiting: ${item.message}`, { path, code: item.code })
      break
    case 'recovered':
      io.log.info(`${path} can be read again`)
      break
    case 'lost':
      io.log.warn('the file of the checkpoint is gone, what it still held is lost: starting with the new one', {
        path,
        offset: item.mark.offset,
      })
  }
  return true
}

const SKIPPED = {
  too_large: 'a line over the limit was skipped',
  truncated: 'the file was emptied in the middle of a line, whose rest is lost',
} as const

const handed = (
  { source, start, end, bytes }: Extract<TailItem, { kind: 'line' }>,
  path: string,
  id: string,
): Handed<Place> => ({
  bytes,
  place: { source, end },
  where: `${path}:${start}`,
  options: {
    position: positionOf(source, start),
    span: { name: `tail ${id}`, kind: 'internal', attributes: { 'log.file.path': path, 'yarak.file.offset': start } },
  },
})
