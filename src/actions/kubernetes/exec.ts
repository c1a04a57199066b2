import { defineAction, type Result, z } from '../../plugin.ts'
import { fixed } from '../_fixed.ts'
import { placeOf, runForText } from './_exec.ts'
import * as common from './_exec-settings.ts'
import { variablesIn, withVariables } from './_exec-variables.ts'
import { podPermissions, podSubject } from './resolve.ts'

const params = z
  .strictObject({
    command: z
      .union([z.string().min(1).max(65_536), z.array(z.string()).min(1)])
      .describe('A list: the program and its arguments, no shell reads them. A text: a script for the `shell`.'),
    shell: common.shell
      .optional()
      .describe(`Reads a \`command\` that is a text: \`true\`, a path or a name. Default ${common.SH}.`),
    args: common.args,
    stdin: common.stdin,
    container: common.container,
    timeout: common.limit,
    changes: common.changes,
    event_variables: common.eventVariables,
  })
  .refine(...fixed('command', 0))
  .refine(...common.plainArguments)
  .refine(...fixed('shell'))
  .refine(...fixed('changes'))
  .refine(...fixed('event_variables'))
  .refine(({ command, shell, args }) => typeof command === 'string' || (shell === undefined && args.length === 0), {
    message: 'a command that is a list is run without a shell: neither shell nor args goes with it',
  })

type Params = z.output<typeof params>

/**
 * Runs a command in the container of the event. Parameters are named as Falco Talon names them.
 * @example exec({ command: ['kill', '-STOP', '{{ proc.pid }}'] })
 * @example exec({ command: 'readlink -- "/proc/$1/exe"', args: ['{{ proc.vpid }}'], changes: 'nothing' })
 */
export const exec = defineAction({
  type: 'kubernetes:exec',
  summary: 'Runs a command in the container of the event; the first 64 KiB of its output are the output of the step.',
  notes: [
    'A text is fixed: values of the event reach a script by `args` as `"$1"`, `"$2"`, to be quoted there, or by `stdin`; put `--` before one that could be taken for an option. Values over 4 KiB, or 16 KiB together, are refused as `too-large` except on `stdin`.',
    'The command runs under `timeout -s KILL` of the container, since it would outlive the connection. Without that program it is let go of in time, and the outcome is `unknown`. A container without the shell fails with `no-shell`: use `kubernetes:debug` there.',
    'An exit code other than 0 fails the step with the reason `exit-<code>` and the last line of the standard error. A lost connection is `unknown`.',
    'What a compromised container prints is not proof of anything: its programs may have been replaced.',
    'Unlike Falco Talon, it runs in one container, that of the event. With `event_variables`, set for the files of Falco Talon, the variables of a script come as arguments and are expanded by its shell.',
  ].join('\n'),
  config: params,
  changes: ({ changes }) => changes,
  target: podSubject,
  timeout: ({ timeout }) => timeout + 10_000,
  permissions: [...podPermissions, common.execPermission],
  example: { command: 'ls -l -- "/proc/$1/fd"', args: ['{{ proc.vpid }}'], changes: 'nothing' },
  async run(settings, step): Promise<Result> {
    const argv = argvOf(settings, (text) => (settings.event_variables ? variablesIn(text, step.event) : {}))
    const { command, timeout, stdin } = settings
    const place = await placeOf(step, settings.container)
    const shell = typeof command === 'string'
    return runForText(place, { argv, shell, timeout, stdin }, shell ? 'a script' : (argv[0] ?? ''))
  },
})

const argvOf = ({ command, shell = common.SH, args }: Params, variables: (text: string) => Record<string, string>) => {
  if (typeof command !== 'string') return common.checkValues(command)
  const { script, args: values } = withVariables(command, variables(command), args)
  return [shell, '-c', script, 'yarak', ...common.checkValues(values)]
}
