import { readFile } from 'node:fs/promises'
import { defineAction, messageOf, type Result, YarakError, z } from '../../plugin.ts'
import { fixed } from '../_fixed.ts'
import { placeOf, runForText } from './_exec.ts'
import * as common from './_exec-settings.ts'
import { variablesIn, withVariables } from './_exec-variables.ts'
import { podPermissions, podSubject } from './resolve.ts'

const LONGEST = 65_536

const params = z
  .strictObject({
    script: z.string().min(1).max(LONGEST).optional().describe('The text of the script, fixed.'),
    file: z.string().min(1).optional().describe("Path of the script on the gateway's own disk, read at each run."),
    shell: common.shell.default(common.SH).describe(`What reads it: a path or a name. Default ${common.SH}.`),
    args: common.args,
    stdin: common.stdin,
    container: common.container,
    timeout: common.limit,
    changes: common.changes,
    event_variables: common.eventVariables,
  })
  .refine(...fixed('script'))
  .refine(...fixed('file'))
  .refine(...fixed('shell'))
  .refine(...fixed('changes'))
  .refine(...fixed('event_variables'))
  .refine(({ script, file }) => (script === undefined) !== (file === undefined), 'must have either script or file')

type Params = z.output<typeof params>

/**
 * Runs a script in the container of the event. Parameters are named as Falco Talon names them.
 * @example script({ script: 'kill -9 -- "$1"; echo ended "$1"', args: ['{{ proc.vpid }}'] })
 */
export const script = defineAction({
  type: 'kubernetes:script',
  summary: 'Runs a script in the container of the event; the first 64 KiB of its output are the output of the step.',
  notes: [
    'The script is an argument of `<shell> -c` and never a file in the container, which may be read-only: at most 64 KiB. Values of the event reach it by `args` as `"$1"`, `"$2"`, to be quoted there, or by `stdin`; they are never part of it.',
    'How it is ended, what is refused, and what a missing shell gives: as for `kubernetes:exec`.',
  ].join('\n'),
  config: params,
  changes: ({ changes }) => changes,
  target: podSubject,
  timeout: ({ timeout }) => timeout + 10_000,
  permissions: [...podPermissions, common.execPermission],
  example: { script: 'set -u\ncat -- "/proc/$1/maps"', args: ['{{ proc.vpid }}'], changes: 'nothing' },
  async run(settings, step): Promise<Result> {
    const text = settings.script ?? (await contentOf(settings.file ?? ''))
    const variables = settings.event_variables ? variablesIn(text, step.event) : {}
    const argv = argvOf(settings, withVariables(text, variables, settings.args))
    const { stdin, timeout } = settings
    return runForText(await placeOf(step, settings.container), { argv, shell: true, stdin, timeout }, 'a script')
  },
})

const argvOf = ({ shell }: Params, { script, args }: ReturnType<typeof withVariables>): readonly string[] => [
  shell,
  '-c',
  script,
  'yarak',
  ...common.checkValues(args),
]

const contentOf = async (file: string): Promise<string> => {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw unusable(`the script cannot be read: ${messageOf(cause)}`)
  })
  if (Buffer.byteLength(text) > LONGEST || text.includes('\0')) throw unusable(`${file} is over 64 KiB, or no text`)
  return text
}

const unusable = (message: string): YarakError =>
  new YarakError('failed', message, { permanent: true, reason: 'script-file' })
