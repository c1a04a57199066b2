import { defineAction, type Result, size, z } from '../../plugin.ts'
import { fixed } from '../_fixed.ts'
import { placeOf, runIn, wholly } from './_exec.ts'
import { saveStream } from './_exec-save.ts'
import * as common from './_exec-settings.ts'
import { filled, variablesIn } from './_exec-variables.ts'
import { podPermissions, podSubject } from './resolve.ts'

const params = z
  .strictObject({
    file: z
      .string()
      .min(1)
      .describe('Absolute path in the container. It may come from the event, e.g. `{{ proc.exepath }}`.'),
    archive: z.boolean().default(false).describe('Take it as a tar archive, e.g. a folder. Default false.'),
    container: common.container,
    max_size: size()
      .refine((bytes) => bytes > 0, 'must be at least 1B')
      .prefault('100MiB')
      .describe('More than this is refused, and nothing kept. Default 100MiB.'),
    timeout: common.limit.prefault('2m').describe('When the reading is ended. Default 2m.'),
    event_variables: common.eventVariables,
  })
  .refine(...fixed('event_variables'))
  .refine(...fixed('max_size'))

/**
 * Takes a file out of the container of the event, into the store of the step. Parameters are named as Falco Talon names
 * them.
 * @example { action: download({ file: '{{ proc.exepath }}' }), store: 'file/evidence' }
 */
export const download = defineAction({
  type: 'kubernetes:download',
  summary: 'Takes a file out of the container of the event, into the store of the step.',
  notes: [
    'It is read by `cat -- <file>`, with `archive` by `tar`, and streamed: never whole in memory. Its size and SHA-256 are in the report. Only what the programs of the container can read can be had, and a container that was taken over may show another file.',
    'It starts a process in the container, so in observe mode it is only told what would be taken. A container without `cat` fails with `not-executable`: use `kubernetes:debug` there.',
  ].join('\n'),
  config: params,
  changes: 'reversible',
  done: 'repeatable',
  saves: 'always',
  concurrency: 4,
  target: podSubject,
  timeout: ({ timeout }) => timeout + 30_000,
  permissions: [...podPermissions, common.execPermission],
  example: { file: '{{ proc.exepath }}', max_size: '50MiB' },
  async run({ archive, timeout, max_size, ...settings }, step): Promise<Result> {
    const { event_variables: expand, container: wanted } = settings
    const file = expand ? filled(settings.file, variablesIn(settings.file, step.event)) : settings.file
    const argv = archive ? tar(checkedPath(file)) : ['cat', '--', checkedPath(file)]
    const place = await placeOf(step, wanted)
    const limit = { size: max_size, beyond: 'refuse' } as const
    const artifact = await runIn(place, { argv, timeout }, (output) =>
      saveStream(step, archive ? `${file}.tar` : file, wholly(output, argv[0] ?? ''), {
        limit,
        contentType: archive ? 'application/x-tar' : 'application/octet-stream',
      }),
    )
    const { pod, container } = place
    return {
      summary: `saved ${artifact.size} bytes of container ${container} of pod ${pod.namespace}/${pod.name}`,
      objects: { pod: pod.name, namespace: pod.namespace, container, file },
      artifacts: [artifact],
    }
  },
})

const checkedPath = (file: string): string => {
  const [path = ''] = common.checkValues([file])
  return common.absolute(path)
}

/** Names without the slash at their front, as archives have them. */
const tar = (path: string): readonly string[] => ['tar', '-cf', '-', '-C', '/', '--', path.replace(/^\/+/, '') || '.']
