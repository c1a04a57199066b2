import { basename } from 'node:path'
import { defineAction, duration, type Result, type Step, toJson, z } from '../plugin.ts'
import { runCommand } from './_child.ts'
import { fixed } from './_fixed.ts'

/** Variables by which a program is made to load or run something else, or to be another program. */
const STEERING =
  /^(PATH|IFS|ENV|BASH_.*|SHELLOPTS|BASHOPTS|PS4|CDPATH|GLOBIGNORE|PROMPT_COMMAND|LD_.*|DYLD_.*|GLIBC_TUNABLES|GCONV_PATH|NODE_.*|PYTHON.*|PERL.*|RUBY.*|JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS|GIT_.*|GOPROXY|EDITOR|PAGER)$/

const variable = z
  .string()
  .regex(/^[A-Z_][A-Z0-9_]*$/, 'must be of A-Z, 0-9 and _')
  .refine((name) => !STEERING.test(name), 'is a variable that steers how programs run, and is not set from here')

const params = z
  .strictObject({
    command: z
      .array(z.string())
      .min(1)
      .refine((argv) => argv[0] !== '', 'the program, the first element, is empty')
      .describe('The program and its arguments, one element each. No shell reads them.'),
    env: z
      .record(variable, z.string())
      .default({})
      .describe('Variables for the program, beside PATH, HOME, LANG and TRACEPARENT. It gets no others.'),
    stdin: z
      .enum(['event', 'none'])
      .default('event')
      .describe('What it reads: the event as JSON, or nothing. Default event.'),
    cwd: z.string().min(1).optional().describe('Working directory. Default: that of the gateway.'),
    timeout: duration().prefault('30s').describe('When it, and all that it started, is ended. Default 30s.'),
    changes: z
      .enum(['nothing', 'reversible', 'destructive'])
      .default('destructive')
      .describe(
        'What it does to the world, which decides whether guards and observe mode hold it back. Default destructive.',
      ),
  })
  .refine(...fixed('command', 0))
  .refine(...fixed('cwd'))
  .refine(...fixed('changes'))

type Params = z.output<typeof params>

/**
 * Runs a program on the gateway's own machine; the first 64 KiB of its standard output are the step's output.
 * @example localScript({ command: ['./block-ip.sh', '--', '{{ fd.rip }}'], changes: 'reversible' })
 */
export const localScript = defineAction({
  type: 'local:script',
  summary:
    "Runs a program on the gateway's own machine, with values as arguments or variables and the event on its input.",
  notes: [
    'No shell is involved: values of the event reach the program as they are. Inside a shell script, quote them (`"$1"`, `"$IP"`), and put `--` before arguments from an event, so that none is taken for an option.',
    'An exit code other than 0 fails the step with the reason `exit-<code>` and the last line of the error output.',
    'With `changes: nothing` it is also run in observe mode: say so only of a program that changes nothing.',
  ].join('\n'),
  config: params,
  changes: ({ changes }) => changes,
  example: {
    command: ['./block-ip.sh', '--', '{{ fd.rip }}'],
    env: { RULE: '{{ rule }}' },
    timeout: '5s',
    changes: 'reversible',
  },
  async run(settings, step): Promise<Result> {
    const { command, cwd, stdin, timeout } = settings
    const output = await runCommand({
      argv: command,
      cwd,
      timeout,
      signal: step.signal,
      env: environment(settings, step),
      stdin: stdin === 'event' ? `${toJson(step.event)}\n` : undefined,
    })
    return { summary: `${basename(command[0] ?? '')} exited with 0`, ...(output && { output }) }
  },
})

const environment = ({ env }: Params, step: Step): Record<string, string> => {
  const { PATH, HOME, LANG } = step.env
  return {
    ...(PATH !== undefined && { PATH }),
    ...(HOME !== undefined && { HOME }),
    ...(LANG !== undefined && { LANG }),
    // https://opentelemetry.io/docs/specs/otel/context/env-carriers/
    ...(step.response.traceparent !== undefined && { TRACEPARENT: step.response.traceparent }),
    ...env,
  }
}
